"""Tests for `twistd gatherer` as a user meets it: a process, its output and its exit status."""

import signal
import socket
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gatherer.capture_format.reading import read_capture
from tests.support.processes import Run, python, twistd, write_key


class PluginTests(SynchronousTestCase):
    """twistd finds us."""

    def test_the_plugin_is_found(self) -> None:
        """By the name users type."""
        from twisted.application.service import IServiceMaker

        self.assertIn("gatherer", {plugin.tapname for plugin in getPlugins(IServiceMaker)})


class CommandLineTests(TestCase):
    """Good and bad command lines."""

    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.directory = str(self.folder.resolve())

    async def refused(self, *arguments: str, **environment: str) -> str:
        """One line on the terminal, exit status 1, nothing left behind; the line."""
        before = sorted(path.name for path in self.folder.iterdir())
        run = twistd(self.directory, *arguments, **environment)
        status = await run.ended
        lines = [line for line in run.output.splitlines() if line.startswith("gatherer: ")]
        self.assertEqual((status, len(lines)), (1, 1), run.output)
        self.assertNotIn("Traceback", run.output)
        left = {path.name for path in self.folder.iterdir()} - {"capture"}
        self.assertEqual(sorted(left), [name for name in before if name != "capture"])
        return lines[0]

    def settings(self, text: str) -> str:
        """A settings file."""
        path = self.folder / "gatherer.toml"
        path.write_text(text)
        return str(path.resolve())

    def credentials(self, more: str = "", **key: Any) -> str:
        """A settings file with a good key in it."""
        path = write_key(self.folder, **key)
        return self.settings(f'[exchange]\nkey_id = "id"\nprivate_key_file = "{path.resolve()}"\n{more}')

    async def test_help_names_every_option(self) -> None:
        """And needs nothing else."""
        run = twistd(self.directory, "--help")
        self.assertEqual(await run.ended, 0)
        for option in ("--config", "--demo", "--check-config", "--log-format", "--demo-markets", "--demo-rate"):
            self.assertIn(option, run.output)

    async def test_check_config_validates_and_exits(self) -> None:
        """Status 0 and a word that it is valid; no capture directory is made."""
        run = twistd(self.directory, "--check-config", "--config", self.credentials())
        self.assertEqual(await run.ended, 0, run.output)
        self.assertIn("gatherer.toml is valid", run.output)
        self.assertFalse((self.folder / "capture").exists())

    async def test_unknown_options_cost_one_line(self) -> None:
        """Not twistd's page of help."""
        self.assertIn("--nonsense", await self.refused("--nonsense"))
        self.assertIn("there are options only", await self.refused("word"))
        self.assertIn("--log-format", await self.refused("--log-format", "xml"))

    async def test_a_wrong_setting_is_named(self) -> None:
        """File, table and key; for a variable its name."""
        path = self.settings("[pool]\ndial_rat = 3\n")
        self.assertIn(f"{path}: [pool] has no key 'dial_rat'", (await self.refused("--config", path)).replace('"', "'"))
        line = await self.refused("--check-config", GATHERER_POOL_DIAL_RATE="fast")
        self.assertIn("GATHERER_POOL_DIAL_RATE", line)
        self.assertIn("No such file", await self.refused("--config", "/none.toml"))

    async def test_missing_and_bad_keys_are_named(self) -> None:
        """No key, one that others can read, one of another kind; never a word of its content."""
        self.assertIn("[exchange] key_id is missing", await self.refused())
        self.assertIn("chmod 600", await self.refused("--config", self.credentials(mode=0o644)))
        self.assertIn("RSA and Ed25519", await self.refused("--config", self.credentials(key=ec_key(SECP256R1()))))
        path = self.settings('[exchange]\nkey_id = "id"\nprivate_key_file = "/none.pem"\n')
        self.assertIn("/none.pem", await self.refused("--config", path))

    async def test_a_plain_url_to_elsewhere_is_refused(self) -> None:
        """ws:// is for this machine only."""
        text = 'websocket_url = "ws://example.com/trade-api/ws/v2"\n'
        self.assertIn("not encrypted", await self.refused("--config", self.credentials(text)))

    async def test_a_port_in_use_is_named(self) -> None:
        """Nothing is captured by a service that cannot show its pages."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            path = self.credentials(f'[web]\nlisten = "tcp:{port}:interface=127.0.0.1"\n')
            self.assertIn(str(port), await self.refused("--config", path))
        self.assertEqual([p for p in self.folder.glob("capture/*") if p.name[0] != "."], [])

    async def test_an_unusable_capture_directory_is_named(self) -> None:
        """A file where the directory should be."""
        (self.folder / "file").write_text("")
        path = self.credentials(f'[router]\ndirectory = "{self.directory}/file"\n')
        self.assertIn(f"{self.directory}/file", await self.refused("--config", path))

    async def test_a_running_service_can_end_with_status_1(self) -> None:
        """`fail` stops the reactor in good order; twistd would make that status 0."""
        script = (
            "from twisted.internet import reactor; from gatherer.daemon.signals import fail\n"
            "reactor.addSystemEventTrigger('during', 'shutdown', print, 'in good order')\n"
            "reactor.callWhenRunning(fail, reactor); reactor.run()"
        )
        run = python(self.directory, script)
        self.assertEqual((await run.ended, run.output), (1, "in good order\n"))


class DemoTests(TestCase):
    """`--demo`, the first thing a new user tries."""

    timeout = 90

    async def demo(self, number: int, *arguments: str) -> tuple[Run, str]:
        """Run it until it is complete, end it with a signal; the run and its folder."""
        folder = Path(self.mktemp())
        folder.mkdir()
        directory = str(folder.resolve())
        run = twistd(directory, "--demo", *arguments, GATHERER_WEB_LISTEN="")
        await run.saw("complete after")
        run.transport.signalProcess(number)
        self.assertEqual(await run.ended, 0, run.output)
        self.assertNotIn("Traceback", run.output)
        return run, directory

    async def test_the_main_job_on_an_embedded_exchange(self) -> None:
        """All connections, all books, a capture to read; SIGTERM ends it with status 0."""
        run, directory = await self.demo(signal.SIGTERM, "--demo-markets", "1500", "--demo-churn", "0")
        self.assertIn("150 of 150 connections live, 1", run.output)
        self.assertIn(f"{directory}/capture", run.output)
        snapshots = 0
        for record in read_capture(Path(directory) / "capture"):
            snapshots += record.get("data", {}).get("type") == "orderbook_snapshot"
        self.assertGreaterEqual(snapshots, 1500)
        self.assertEqual([path.name for path in Path(directory).glob("capture/*.open")], [])

    async def test_what_it_cannot_have_ends_it(self) -> None:
        """A mistake that shows only at the start costs one line and status 1. It ran on, with an exchange and without
        a gatherer."""
        folder = Path(self.mktemp())
        folder.mkdir()
        run = twistd(
            str(folder.resolve()), "--demo", GATHERER_WEB_LISTEN="",
            GATHERER_MANHOLE_LISTEN="tcp:0:interface=127.0.0.1", GATHERER_MANHOLE_HOST_KEY_DIRECTORY="/nowhere",
            GATHERER_MANHOLE_AUTHORIZED_KEYS_FILE="/nowhere",
        )  # fmt: skip
        self.assertEqual(await run.ended, 1, run.output)
        self.assertIn("[manhole] authorized_keys_file /nowhere cannot be read", run.output)
        self.assertNotIn("Traceback", run.output)

    async def test_interrupt_ends_it_too(self) -> None:
        """Ctrl-C, and the log as JSON."""
        run, _ = await self.demo(signal.SIGINT, "--demo-markets", "200", "--log-format", "json")
        self.assertTrue(all(line.startswith("{") for line in run.output.splitlines() if line), run.output)
