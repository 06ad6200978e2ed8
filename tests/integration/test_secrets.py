"""The private key stays in its file: no output of a gatherer contains any part of it, in any notation."""

import re
import signal
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from shutil import which
from urllib.request import urlopen

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from tests.support.pair import Pair

TREE = Path(__file__).resolve().parents[2]
KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s+(?:[A-Za-z0-9+/=]\s*){60,}")
"""One with a body: what tests and docs call by its first line only is none."""
PAGES = ("/", "/status", "/metrics", "/health", "/ready", "/connection?id=1")


class TreeTests(SynchronousTestCase):
    """Committed files, and files that git would add."""

    def test_no_private_key_is_in_the_tree(self) -> None:
        """Tests make their keys when they run."""
        if which("git") is None or not (TREE / ".git").exists():
            raise SkipTest("no checkout to ask for its files")
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=TREE, capture_output=True, check=True, timeout=60,
        ).stdout  # fmt: skip
        paths = [TREE / name.decode() for name in listed.split(b"\0") if name]
        self.assertGreater(len(paths), 100)
        found = [path for path in paths if path.is_file() and KEY.search(path.read_bytes())]
        self.assertEqual(found, [])

    def test_one_would_be_found(self) -> None:
        """The search finds a private key of every PEM kind."""
        for kind in (b"", b"RSA ", b"OPENSSH ", b"ENCRYPTED "):
            pem = b"-----BEGIN %sPRIVATE KEY-----\n%s\n" % (kind, b64encode(b"x" * 90))
            self.assertIsNotNone(KEY.search(pem))


class ProcessTests(TestCase):
    """A whole gatherer with the most output."""

    timeout = 120

    def setUp(self) -> None:
        self.pair = Pair(Path(self.mktemp()))
        self.addCleanup(self.pair.end)

    def assert_hidden(self, text: str, where: str) -> None:
        """Neither the file's lines, nor the key's bytes in base64, hexadecimal or Python's notation."""
        body = "".join(self.pair.key.read_text().splitlines()[1:-1])
        secret = b64decode(body)[-32:]
        for form in (body, b64encode(secret).decode().rstrip("="), secret.hex(), repr(secret)[2:-1]):
            self.assertNotIn(form, text, where)
        self.assertNotIn("PRIVATE KEY", text, where)

    def fetch(self, page: str) -> str:
        """One page."""
        with urlopen(f"http://127.0.0.1:{self.pair.web}{page}", timeout=10) as answer:
            return str(answer.read().decode())

    async def test_nothing_that_is_said_has_the_key(self) -> None:
        """Log at "debug" as JSON, with a reload and what it says of a broken key; pages; state dump; capture."""
        await self.pair.open("--log-format", "json", GATHERER_LOG_LEVEL="debug")
        gatherer = self.pair.gatherer
        for page in PAGES:
            self.assert_hidden(await deferToThread(self.fetch, page), page)
        gatherer.transport.signalProcess(signal.SIGUSR1)
        await gatherer.saw("state dump written")
        (dump,) = self.pair.folder.glob("capture/dumps/*.json")
        self.assert_hidden(dump.read_text(), "state dump")
        gatherer.transport.signalProcess(signal.SIGHUP)
        await gatherer.saw("and the key reloaded")
        whole = self.pair.key.read_text()
        self.pair.key.write_text(whole.replace("-----END", "#-----END"))
        gatherer.transport.signalProcess(signal.SIGHUP)
        await gatherer.saw("nothing has changed")
        self.pair.key.write_text(whole)
        gatherer.transport.signalProcess(signal.SIGTERM)
        self.assertEqual(await gatherer.ended, 0)
        self.assert_hidden(gatherer.output, "log")
        for path in self.pair.folder.glob("capture/*"):
            if path.is_file():
                self.assertEqual(path.stat().st_mode & 0o007, 0, path)

    async def test_a_check_does_not_show_it(self) -> None:
        """Of good settings, and of a key that is none."""
        await self.pair.open_exchange()
        good = self.pair.start("--check-config")
        self.assertEqual(await good.ended, 0, good.output)
        whole = self.pair.key.read_text()
        self.pair.key.write_text(whole.replace("\n", "\nx", 1))
        bad = self.pair.start("--check-config")
        self.assertEqual(await bad.ended, 1, bad.output)
        self.pair.key.write_text(whole)
        self.assert_hidden(good.output + bad.output.replace("PEM private key", ""), "check")
