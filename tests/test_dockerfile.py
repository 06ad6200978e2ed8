"""The Dockerfile, as far as it can be checked without an engine: `tox -e dockerfile` lints it."""

import fnmatch
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from socket import socket

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gatherer.config import load_settings
from tests.support.processes import twistd

TREE = Path(__file__).resolve().parent.parent
PORT = "9090"


def instructions() -> list[tuple[str, str]]:
    """Each instruction and what follows it, on one line."""
    text = re.sub(r"^#.*\n", "", (TREE / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def last(name: str) -> str:
    """The text of the last instruction of that name."""
    return [rest for found, rest in instructions() if found == name][-1]


def copied() -> list[str]:
    """Files and folders of the tree that go into the image."""
    return [source for name, rest in instructions() if name == "COPY" for source in rest.split()[:-1]]


class DockerfileTests(SynchronousTestCase):
    """The instructions."""

    def test_what_it_copies_is_there(self) -> None:
        """Every copied file exists and passes .dockerignore, which hides everything else from the engine."""
        ignore = (TREE / ".dockerignore").read_text().splitlines()
        self.assertIn("*", ignore)
        for source in copied():
            self.assertTrue((TREE / source).exists(), source)
            self.assertIn(f"!{source}", ignore)
        self.assertEqual({line[1:] for line in ignore if line.startswith("!")}, set(copied()))

    def test_no_key_gets_in(self) -> None:
        """No file that looks like a key is copied, even from a folder that is copied."""
        ignore = (TREE / ".dockerignore").read_text().splitlines()
        self.assertTrue(any(fnmatch.fnmatch("conf/key.pem", pattern) for pattern in ignore if pattern != "*"))
        self.assertNotIn("PRIVATE KEY", (TREE / "Dockerfile").read_text())

    def test_it_does_not_run_as_root(self) -> None:
        """The user is a number, so `runAsNonRoot` can see that it is not 0. It is set before the start."""
        self.assertRegex(last("USER"), r"^[1-9]\d*:[1-9]\d*$")
        names = [name for name, _ in instructions()]
        self.assertLess(names.index("USER"), names.index("ENTRYPOINT"))

    def test_it_is_stopped_as_we_expect(self) -> None:
        """SIGTERM goes to the process itself: a shell between them would not pass it on."""
        self.assertEqual(last("STOPSIGNAL"), "SIGTERM")
        self.assertEqual(json.loads(last("ENTRYPOINT"))[0], "twistd")

    def test_its_environment_is_valid(self) -> None:
        """Its settings exist. The pages are on the exposed port, and the health check uses it."""
        environ = dict(pair.split("=", 1) for name, rest in instructions() if name == "ENV" for pair in rest.split())
        listen = load_settings(None, environ).web.listen
        self.assertEqual(listen, f"tcp:{PORT}")
        self.assertEqual(last("EXPOSE"), PORT)
        self.assertIn(f":{PORT}/health", last("HEALTHCHECK"))

    def test_the_capture_outlives_the_container(self) -> None:
        """The capture goes to the working directory, which is a volume."""
        self.assertEqual(last("VOLUME"), last("WORKDIR"))


class HealthcheckTests(TestCase):
    """The command of HEALTHCHECK, on another port."""

    timeout = 90

    async def test_it_tells_a_healthy_gatherer_from_none(self) -> None:
        """Status 0 while a demo runs, another status if nothing answers."""
        with socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
        self.assertEqual(command[0], "python")
        command = [sys.executable, *(word.replace(PORT, port) for word in command[1:])]

        async def check() -> int:
            done: subprocess.CompletedProcess[bytes] = await deferToThread(
                subprocess.run, command, stderr=subprocess.DEVNULL, timeout=30
            )
            return done.returncode

        self.assertNotEqual(await check(), 0)
        folder = Path(self.mktemp())
        folder.mkdir()
        run = twistd(
            str(folder.resolve()), "--demo", "--demo-markets", "100", GATHERER_POOL_ORDERBOOK="4",
            GATHERER_WEB_LISTEN=f"tcp:{port}:interface=127.0.0.1",
        )  # fmt: skip
        await run.saw("complete after")
        self.assertEqual(await check(), 0)
        run.transport.signalProcess(signal.SIGTERM)
        self.assertEqual(await run.ended, 0, run.output)
