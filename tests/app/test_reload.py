"""Tests for `gatherer.app.reload` and `Builder.apply`: what SIGHUP changes, what it does not, and what it says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gatherer.app.builder import Builder
from gatherer.app.reload import Reloader, changed_keys, in_force
from gatherer.config import load_settings
from gatherer.config.settings import Key, Reload, Settings, every_key
from gatherer.errors import ConfigError
from gatherer.exchange.auth import Signer, load_signer
from gatherer.log.levels import LevelControl
from gatherer.router.memory import MemoryRouter
from tests.support.processes import write_key


def another(key: Key) -> Any:
    """A valid value of a key that is not its default."""
    spec = key.spec
    if key.kind is bool:
        return not key.default
    if spec.choices:
        return next((choice for choice in spec.choices if choice != key.default), None)
    if key.kind is str:
        return f"/another/{key.name}"
    assert spec.low is not None and spec.high is not None
    return key.kind((key.default + (spec.low if key.default != spec.low else spec.high)) / 2)


def changed(settings: Settings, key: Key, value: Any) -> Settings:
    """The settings with another value of one key."""
    return replace(settings, **{key.table: replace(getattr(settings, key.table), **{key.name: value})})


@implementer(ILogObserver)
class Lines:
    """What is logged, as level and text."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.lines: list[tuple[str, str]] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        level: LogLevel = event["log_level"]
        self.lines.append((level.name, str(event["log_format"]).format(**event)))


class InForceTests(SynchronousTestCase):
    """Pure: which values count."""

    def test_each_key_as_its_description_says(self) -> None:
        """For every key there is: a new value is in force unless the description says that it takes a restart."""
        for key in every_key():
            value = another(key)
            if value is None:
                continue
            asked = changed(Settings(), key, value)
            self.assertEqual([found.name for found in changed_keys(Settings(), asked)], [key.name])
            counts = getattr(getattr(in_force(Settings(), asked), key.table), key.name) == value
            self.assertEqual(counts, key.spec.reload is not Reload.RESTART, key)

    def test_nothing_changed(self) -> None:
        """Equal settings have no difference, whatever file they came from."""
        self.assertEqual(list(changed_keys(Settings(), replace(Settings(), source="elsewhere"))), [])


class ReloaderTests(SynchronousTestCase):
    """A real settings file and key file; what is applied lands in a list."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.key = write_key(self.folder).absolute()
        self.path = self.folder / "gatherer.toml"
        self.write()
        self.applied: list[tuple[Settings, Any]] = []
        self.reloader = Reloader(
            self.load(), self.load, lambda settings: load_signer("id", settings.exchange.private_key_file),
            lambda settings, signer: self.applied.append((settings, signer)), maybeDeferred,
        )  # fmt: skip
        self.log = Lines(self)

    def write(self, text: str = "") -> None:
        """Another content of the settings file."""
        self.path.write_text(f'[exchange]\nkey_id = "id"\nprivate_key_file = "{self.key}"\n{text}')

    def load(self) -> Settings:
        """As `twistd gatherer --config` does."""
        return load_settings(str(self.path), {})

    def reload(self) -> str:
        """One SIGHUP."""
        return self.successResultOf(Deferred.fromCoroutine(self.reloader.reload()))

    def test_every_change_has_its_line(self) -> None:
        """With old and new value and what became of it; those that need a restart are warnings."""
        self.write(
            "[pool]\ndial_rate = 20\nticker = 1\n[orderbook]\nbatch_size = 100\n"
            '[web]\nlisten = ""\n[log]\nlevel = "warn"\n'
        )
        outcome = self.reload()
        self.assertIn("3 changes taken over, 2 need a restart", outcome)
        self.assertEqual(
            self.log.lines[:-1],
            [
                ("warn", "[pool] ticker: 2 -> 1 needs a restart; the old value stays in force"),
                ("info", "[pool] dial_rate: 10.0 -> 20.0 is in effect now"),
                ("info", "[orderbook] batch_size: 500 -> 100 is in effect from the next session of each connection"),
                (
                    "warn",
                    '[web] listen: "tcp:9090:interface=127.0.0.1" -> "" needs a restart; the old value stays in force',
                ),
                ("info", '[log] level: "info" -> "warn" is in effect now'),
            ],
        )
        self.assertEqual(self.log.lines[-1], ("info", outcome))
        (settings, _), = self.applied  # fmt: skip
        self.assertEqual((settings.pool.dial_rate, settings.orderbook.batch_size), (20.0, 100))
        self.assertEqual((settings.pool.ticker, settings.web), (2, Settings().web))

    def test_what_needs_a_restart_is_said_each_time(self) -> None:
        """The file still asks for something that is not in force; what is in force is not logged again."""
        self.write("[pool]\ndial_rate = 20\nticker = 1\n")
        self.reload()
        self.log.lines.clear()
        self.assertIn("0 changes taken over, 1 need a restart", self.reload())
        self.assertEqual([text[:13] for _, text in self.log.lines[:-1]], ["[pool] ticker"])

    def test_a_bad_file_changes_nothing(self) -> None:
        """Whatever is wrong with it: one line says what, and nothing is applied, not even what was right."""
        for text in ("[pool]\ndial_rate = 20\ntickr = 3\n", "[pool\n", "[pool]\ndial_rate = -1\n"):
            self.write(text)
            self.log.lines.clear()
            outcome = self.reload()
            self.assertIn("nothing has changed", outcome)
            self.assertIn("gatherer.toml", outcome)
            self.assertEqual(self.log.lines, [("error", outcome)])
        self.path.unlink()
        self.assertIn("No such file", self.reload())
        self.assertEqual((self.applied, self.reloader.settings.pool.dial_rate), ([], 10.0))

    def test_the_key_is_read_anew_under_the_same_name(self) -> None:
        """A key that was replaced in its file counts; one that others can read, or that is none, changes nothing."""
        self.reload()
        before = self.applied[-1][1].private_key.public_key()
        write_key(self.folder)
        self.reload()
        self.assertNotEqual(self.applied[-1][1].private_key.public_key(), before)
        self.key.chmod(0o644)
        self.assertIn("nothing has changed", self.reload())
        self.key.write_text(
            "\n".join((f"-----BEGIN {'PRIVATE'} KEY-----", "c2VjcmV0", "-----END PRIVATE KEY-----", ""))
        )
        self.key.chmod(0o600)
        self.assertIn("nothing has changed", self.reload())
        self.assertEqual(len(self.applied), 2)
        self.assertNotIn("c2VjcmV0", str(self.log.lines))

    def test_two_signals_are_two_reloads_in_turn(self) -> None:
        """The second one reads the file when the first is done, so the last word is the file's."""
        works: list[tuple[Any, Deferred[Any]]] = []

        def later(work: Any) -> Deferred[Any]:
            works.append((work, Deferred()))
            return works[-1][1]

        self.patch(self.reloader, "_run", later)
        for _ in range(2):
            Deferred.fromCoroutine(self.reloader.reload())
        self.assertEqual(len(works), 1)
        for rate in (20, 30):
            self.write(f"[pool]\ndial_rate = {rate}\n")
            work, done = works.pop()
            done.callback(work())
        self.assertEqual([settings.pool.dial_rate for settings, _ in self.applied], [20.0, 30.0])

    def test_a_key_of_another_kind_is_refused(self) -> None:
        """An error of the key is reported like one of the file."""
        self.key.write_text("nonsense")
        self.assertIn(str(self.key), self.reload())


class ApplyTests(SynchronousTestCase):
    """The real parts, not started: each key that needs no restart gets to where it is used."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.levels = LevelControl()
        self.key = Ed25519PrivateKey.generate()
        self.before = replace(Settings(), pool=replace(Settings().pool, ticker=1, trade=0, lifecycle=1, orderbook=1))
        self.builder = Builder(
            self.before, Signer("old", self.key), self.reactor, lambda: 0.5, self.fail, self.levels
        )  # fmt: skip
        self.gatherer: Any = self.builder.gatherer(MemoryRouter())

    def apply(self, **tables: dict[str, Any]) -> None:
        """Other values of some keys."""
        settings = self.before
        for table, values in tables.items():
            settings = replace(settings, **{table: replace(getattr(settings, table), **values)})
        self.builder.apply(self.gatherer, settings, Signer("new", self.key))

    def test_the_key_signs_from_now_on(self) -> None:
        """Dials and requests share the one that was replaced."""
        self.apply()
        signer = self.builder._signer
        self.assertEqual(signer.headers("GET", "/", 1)["KALSHI-ACCESS-KEY"], "new")
        self.assertIs(self.gatherer.rest._signer, signer)

    def test_sessions_get_their_numbers(self) -> None:
        """The next session is made with them: the one that is open, and its watchdog, stay as they are."""
        connection = self.gatherer.manager.connections()[2]
        self.apply(
            pool={"ping_timeout": 44.0}, reconnect={"healthy_after": 3.0},
            orderbook={
                "batch_size": 7, "command_timeout": 2.5, "snapshot_deadline": 9.0, "on_gap": "log",
                "use_yes_price": True,
            },
        )  # fmt: skip
        self.assertEqual(connection._settings.batch_size, 500)
        connection.opened()
        self.addCleanup(connection.closed, Failure(ConnectionDone()))
        own, context = connection._settings, connection._context
        self.assertEqual(
            (own.ping_timeout, own.healthy_after, own.batch_size, own.snapshot_deadline), (44.0, 3.0, 7, 9.0)
        )
        commands = context.command_settings
        self.assertEqual(
            (context.ping_timeout, context.recover_gaps, commands.command_timeout, commands.use_yes_price),
            (44.0, False, 2.5, True),
        )

    def test_waits_and_intervals(self) -> None:
        """Every connection's next wait, the pace of the dials, the rhythm of the registry, the level of the log."""
        self.apply(
            reconnect={"initial_delay": 4.0, "max_delay": 4.5, "factor": 1.0, "jitter": 0.0},
            registry={"reconcile_interval": 77.0, "status_interval": 7.0}, pool={"dial_rate": 2.0},
            log={"level": "error"},
        )  # fmt: skip
        self.assertEqual([backoff.next() for backoff in self.builder._backoffs], [4.0] * 3)
        self.assertEqual(self.builder._pacer.interval, 0.5)
        self.assertEqual(self.gatherer.registry._reconcile_interval, 77.0)
        self.assertEqual(self.gatherer.registry._exchange._interval, 7.0)
        self.assertEqual(self.levels.level, "error")

    def test_what_was_set_meanwhile_stays(self) -> None:
        """A level somebody set at the prompt, and a pace the exchange asked for, survive a reload of the same file."""
        self.levels.set("debug")
        self.builder._pacer.slow_down()
        self.apply()
        self.assertEqual((self.levels.level, self.builder._pacer.interval), ("debug", 0.2))

    def test_no_key_is_forgotten(self) -> None:
        """The keys that are said to need no restart are those that the tests here have applied."""
        tested = {
            "key_id", "private_key_file", "ping_timeout", "healthy_after", "batch_size", "command_timeout",
            "snapshot_deadline", "on_gap", "use_yes_price", "initial_delay", "max_delay", "factor", "jitter",
            "reconcile_interval", "status_interval", "dial_rate", "level",
        }  # fmt: skip
        self.assertEqual({key.name for key in every_key() if key.spec.reload is not Reload.RESTART}, tested)

    def fail(self, reason: Any = None) -> None:  # type: ignore[override]
        """Nothing here gives up."""
        raise ConfigError(str(reason))
