"""The manhole with a real ssh client: who gets in, who does not, and what they can do."""

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gatherer.config.settings import ManholeSettings, PoolSettings
from gatherer.errors import ConfigError
from gatherer.ops.manhole.service import LOGIN_SECONDS, ManholeService, make_ssh_factory
from gatherer.ops.manhole.ssh_keys import HOST_KEY_NAME, AuthorizedKeysFile
from tests.ops.manhole.prompting import Prompting
from tests.ops.manhole.sshing import CONTROL_C, CONTROL_D, TAB, UP, SshClient, write_key_pair
from tests.support.loopback_service import LoopbackService

LOOPBACK = "tcp:0:interface=127.0.0.1"
READY = "gatherer> "


class SshTestCase(TestCase):
    """A manhole on a pool in memory, and a client."""

    timeout = 60

    def setUp(self) -> None:
        self.ssh = SshClient(reactor, Path(self.mktemp()).absolute())
        self.host_keys = self.ssh.directory / "host"
        self.prompting = Prompting()
        self.addCleanup(self.prompting.pool.stop)

    async def running(self, endpoint: str = LOOPBACK) -> int:
        """A manhole; its port."""
        service = ManholeService(
            endpoint, self.ssh.authorized, self.host_keys, self.prompting.make_prompt, reactor
        )  # fmt: skip
        service.startService()
        self.addCleanup(service.stopService)
        address: Any = await service.when_listening()
        return int(getattr(address, "port", 0))


class LoginTests(SshTestCase):
    """Who gets in."""

    async def test_an_authorized_key_gets_in(self) -> None:
        """And the log says whose name was claimed, and which key proved it."""
        port = await self.running()
        with capturedLogs() as events:
            said = await self.ssh.run(port, "where('')".replace("''", repr(self.prompting.pool.tickers[0])))
        self.assertEqual((said.code, said.out, said.err.count("error")), (0, "4\n", 0))
        lines = [formatEvent(event) or "" for event in events if event["log_namespace"].startswith("gatherer")]
        (line,) = lines
        self.assertRegex(line, r"^manhole: operator logged in with key SHA256:[A-Za-z0-9+/]{43}$")

    async def test_another_key_is_refused(self) -> None:
        """A key that is not in the file does not get in, no password is offered instead, and it is no error here."""
        port = await self.running()
        other = write_key_pair(self.ssh.directory, "other")
        said = await self.ssh.run(port, "status()", "-v", key=other)
        self.assertEqual((said.code, said.out), (255, ""))
        self.assertIn("Permission denied (publickey)", said.err)
        self.assertIn("Authentications that can continue: publickey\n", said.err.replace("\r", ""))
        self.assertNotIn("password", re.sub(r"Local version.*", "", said.err).lower())

    async def test_a_password_is_never_taken(self) -> None:
        """A client that wants to give a password finds no way to."""
        port = await self.running()
        ways = "PreferredAuthentications=password,keyboard-interactive,none"
        said = await self.ssh.run(port, "status()", "-o", ways)
        self.assertEqual(said.code, 255)
        self.assertIn("Permission denied (publickey)", said.err)

    async def test_keys_are_read_at_every_login(self) -> None:
        """A key that was taken out of the file does not get in any more, without a restart."""
        port = await self.running()
        other = write_key_pair(self.ssh.directory, "other")
        self.ssh.authorized.write_bytes(other.with_suffix(".pub").read_bytes())
        self.assertEqual((await self.ssh.run(port, "1")).code, 255)
        self.assertEqual((await self.ssh.run(port, "1", key=other)).out, "1\n")

    async def test_the_host_key_stays_the_same(self) -> None:
        """A client that has seen the service once is not warned after a restart."""
        await self.ssh.run(await self.running(), "1")
        first = (self.host_keys / HOST_KEY_NAME).read_bytes()
        port = await self.running()
        known = self.ssh.directory / "known_hosts"
        known.write_text(re.sub(r"^\[127\.0\.0\.1\]:\d+", f"[127.0.0.1]:{port}", known.read_text()))
        said = await self.ssh.run(port, "1", "-o", "StrictHostKeyChecking=yes")
        self.assertEqual((said.code, said.out), (0, "1\n"))
        self.assertEqual((self.host_keys / HOST_KEY_NAME).read_bytes(), first)

    async def test_a_unix_socket(self) -> None:
        """It takes no port, and the log names this machine as the place a command came from."""
        folder = TemporaryDirectory()  # the path of a socket has 107 bytes at most
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "s"
        await self.running(f"unix:{path}:mode=600")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        relay = (
            "import socket,sys,threading,os\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
            "def up():\n while d:=os.read(0,65536): s.sendall(d)\n s.shutdown(1)\n"
            "threading.Thread(target=up,daemon=True).start()\n"
            "while d:=s.recv(65536): os.write(1,d)\n"
        )
        script = self.ssh.directory / "relay.py"
        script.write_text(relay)
        with capturedLogs() as events:
            said = await self.ssh.run(22, "pause()", "-o", f"ProxyCommand=python3 {script} {path}")
        self.assertEqual(said.code, 0, said)
        self.assertIn("manhole user operator from this machine", [event.get("by") for event in events])

    async def test_who_only_holds_a_connection_is_cut(self) -> None:
        """Ten idle connections would keep every operator out."""
        clock = Clock()
        factory: Any = make_ssh_factory(
            AuthorizedKeysFile(self.ssh.authorized), self.host_keys, self.prompting.make_prompt, clock
        )  # fmt: skip
        factory.doStart()
        self.addCleanup(factory.doStop)
        wire = StringTransport()
        factory.buildProtocol(None).makeConnection(wire)
        clock.advance(LOGIN_SECONDS - 1)
        self.assertFalse(wire.disconnecting)
        clock.advance(2)
        self.assertTrue(wire.disconnecting)


class CommandTests(SshTestCase):
    """`ssh host 'command'` and scripts."""

    async def test_the_answer_and_the_status(self) -> None:
        """The answer goes to stdout as it is, with status 0."""
        said = await self.ssh.run(await self.running(), "status()")
        self.assertEqual(said.code, 0)
        self.assertIn("\nconnections  6 of 6 live (1 needed)\n", said.out)
        self.assertNotIn("\\n", said.out)

    async def test_a_mistake_is_one_line_and_status_1(self) -> None:
        """On stderr, nothing on stdout, and not a word of it in the log."""
        port = await self.running()
        for command, error in (
            ("kick(171)", "error: no connection 171: ids are 1 to 6"),
            ("1/0", "error: ZeroDivisionError: division by zero"),
            ("kick(", "error: this is not Python: '(' was never closed"),
        ):
            with capturedLogs() as events:
                said = await self.ssh.run(port, command)
            self.assertEqual((said.code, said.out), (1, ""))
            self.assertEqual([line for line in said.err.splitlines() if line.startswith("error")], [error])
            warned = [formatEvent(event) or "" for event in events if event["log_level"].name not in ("debug", "info")]
            self.assertEqual((warned, [event for event in events if "log_failure" in event]), ([], []))

    async def test_a_script_ends_at_its_first_mistake(self) -> None:
        """What comes before it was done and is shown."""
        said = await self.ssh.run(await self.running(), stdin=b"1 + 1\nfoo\n2 + 2\n")
        self.assertEqual((said.code, said.out), (1, "2\n"))
        self.assertIn("error: name 'foo' is not defined", said.err)

    async def test_input_nobody_reads(self) -> None:
        """A command does not mind what comes on stdin."""
        said = await self.ssh.run(await self.running(), "1 + 1", stdin=b"x" * 10_000)
        self.assertEqual((said.code, said.out), (0, "2\n"))

    async def test_what_is_no_session(self) -> None:
        """Neither files can be fetched nor ports forwarded."""
        port = await self.running()
        said = await self.ssh.run(port, "sftp", "-s")
        self.assertNotEqual(said.code, 0)
        forwarded = await self.ssh.run(port, "", "-W", "127.0.0.1:1")
        self.assertNotEqual(forwarded.code, 0)
        self.flushLoggedErrors()


class TerminalTests(SshTestCase):
    """Somebody types."""

    async def test_a_session(self) -> None:
        """TAB completes names and tickers, arrows bring back lines, mistakes are a line, Ctrl-D ends with status 0."""
        port = await self.running()
        ticker = self.prompting.pool.tickers[0]
        with capturedLogs() as events:
            said = await self.ssh.type(
                port,
                ("help() lists", b"sta" + TAB),
                ("status()", b"\r"),
                ("dropped", b"wh" + TAB),
                ('where("', ticker[:-1].encode() + TAB),
                (f'{ticker[:-1]}', b"\r"),
                ("\n", CONTROL_C),
                ("KeyboardInterrupt", b"p" + TAB),
                ("pause", CONTROL_C),
                ("KeyboardInterrupt", b"kick(171)\r"),
                ("error: no connection 171: ids are 1 to 6", b"40 + 2\r"),
                ("\n42", UP + b"\r"),
                ("\n42", CONTROL_D),
            )  # fmt: skip
        self.assertEqual(said.code, 0, said)
        self.assertIn("pause  pending", said.out)
        self.assertNotIn("Traceback", said.out)
        self.assertEqual([event for event in events if "log_failure" in event], [])

    async def test_the_namespace_is_not_shared(self) -> None:
        """A name one session makes is not there in the next."""
        port = await self.running()
        await self.ssh.type(port, ("help() lists", b"mine = 1\r"), (READY, CONTROL_D))
        self.assertIn("name 'mine' is not defined", (await self.ssh.run(port, "mine")).err)

    async def test_exit_ends_the_session(self) -> None:
        """And only the session."""
        port = await self.running()
        self.assertEqual((await self.ssh.type(port, ("help() lists", b"exit()\r"))).code, 0)
        self.assertEqual((await self.ssh.run(port, "1")).out, "1\n")


class RunningServiceTests(TestCase):
    """The whole service, 150 sockets, and an operator."""

    timeout = 120

    async def test_a_connection_is_kicked_and_comes_back(self) -> None:
        """What ssh says, the status, the log and the marker in the capture tell the same story."""
        ssh = SshClient(reactor, Path(self.mktemp()).absolute())
        manhole = replace(
            ManholeSettings(), listen=LOOPBACK, authorized_keys_file=str(ssh.authorized),
            host_key_directory=str(ssh.directory / "host"),
        )  # fmt: skip
        pool = PoolSettings(dial_rate=200.0, min_healthy=150)
        loopback = LoopbackService(reactor, self.mktemp(), 2_000, 500.0, pool)
        loopback.manhole = manhole
        with capturedLogs() as events:
            try:
                await loopback.open()
                address: Any = await loopback.gatherer.getServiceNamed("manhole").when_listening()
                before = loopback.gatherer.manager.status().connections[16]
                said = await ssh.run(address.port, "kick(17)\nconnections(role='book')")
                after = loopback.gatherer.manager.status().connections[16]
            finally:
                await loopback.close()
        self.assertEqual(said.code, 0, said)
        first, second, *table = said.out.splitlines()
        self.assertRegex(first, r"^connection 17 is cut; next dial in \d\.\d s$")
        self.assertRegex(second, r"^connection 17 is back after \d\.\d s: \d+ markets held$")
        self.assertEqual((before.reconnects, after.reconnects, after.state), (0, 1, "live"))
        self.assertEqual(table[-1], "144 of 150 connections")
        lines = [formatEvent(event) or "" for event in events]
        self.assertEqual(sum(line.endswith(": kick 17") for line in lines), 1)
        self.assertTrue([line for line in lines if "orderbook_delta-17 lost: kicked by operator" in line])
        down = [record for record, data in loopback.lines() if record.get("marker") == "session_down"]
        kicked = [record for record in down if not record["facts"]["stopped"]]
        self.assertEqual([(r["conn_id"], r["facts"]["reason"]) for r in kicked], [(17, "kicked by operator")])


class SettingsTests(SynchronousTestCase):
    """What keeps it from starting."""

    def make(self, endpoint: str, allow_remote: bool = False) -> ManholeService:
        """A service that was not started."""
        prompting: Any = None
        return ManholeService(endpoint, self.mktemp(), self.mktemp(), prompting, reactor, allow_remote)

    def test_endpoints_that_others_can_reach_are_refused(self) -> None:
        """Without an interface, with a public one, or where the string does not tell, it is not even made."""
        for endpoint in (
            "tcp:2222", "tcp:2222:interface=0.0.0.0", "tcp:2222:interface=192.0.2.1", "tcp6:2222",
            "haproxy:tcp\\:2222", "systemd:domain=INET:index=0", "nonsense",
        ):  # fmt: skip
            error = self.assertRaises(ConfigError, self.make, endpoint)
            self.assertIn("[manhole] listen", str(error))
        self.make("tcp:2222:interface=127.0.0.1")
        self.make("unix:/nowhere/manhole")
        self.make("tcp:2222", allow_remote=True)

    def test_starting_without_keys_is_an_error_at_once(self) -> None:
        """startService itself raises for a file that allows no login; nothing listens."""
        service = self.make(LOOPBACK)
        self.assertRaises(ConfigError, service.startService)
        self.assertFalse(service.running)


class RemoteTests(TestCase):
    """allow_remote."""

    async def test_a_manhole_others_can_reach_is_warned_of(self) -> None:
        """At every start; one on loopback is not."""
        ssh = SshClient(reactor, Path(self.mktemp()).absolute())
        for endpoint, warnings in (("tcp:0", 1), (LOOPBACK, 0)):
            service = ManholeService(
                endpoint, ssh.authorized, ssh.directory / "host", lambda caller: Prompting().prompt, reactor, True
            )  # fmt: skip
            with capturedLogs() as events:
                service.startService()
                await service.when_listening()
                await service.stopService()
            warned = [event for event in events if "allow_remote" in str(event.get("log_format"))]
            self.assertEqual(len(warned), warnings)
