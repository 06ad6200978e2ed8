"""Each command at the prompt, on a pool in memory."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import AdminError, ConfigError
from tests.ops.manhole.prompting import BY, Prompting


class PromptTestCase(SynchronousTestCase):
    """A prompt on three order book connections (4 to 6) with 30 markets."""

    def setUp(self) -> None:
        self.prompting = Prompting()
        self.pool = self.prompting.pool
        self.addCleanup(self.pool.stop)
        self.ticker = self.pool.tickers[0]

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Run a command."""
        return self.prompting.names[name](*arguments, **named)

    def lines(self, name: str, *arguments: Any, **named: Any) -> list[str]:
        """What it shows, as it shows it."""
        return repr(self.call(name, *arguments, **named)).splitlines()

    def refused(self, name: str, *arguments: Any, **named: Any) -> str:
        """The mistake."""
        return str(self.assertRaises(AdminError, self.call, name, *arguments, **named))


class LookingTests(PromptTestCase):
    """Commands that change nothing."""

    def test_status(self) -> None:
        """A line for each part, and none for what is usual."""
        lines = self.lines("status")
        self.assertEqual([line.split()[0] for line in lines],
                         ["gatherer", "connections", "markets", "feed", "registry", "capture"])  # fmt: skip
        self.assertEqual(lines[1], "connections  6 of 6 live (1 needed)")
        self.assertEqual(lines[2], "markets      30 wanted, 30 held with their book, 0 without")
        self.assertIn("200 of 300 markets active", lines[4])
        self.assertIn("trading NOT ACTIVE", lines[4])
        self.assertEqual(lines[5], "capture      90 messages written, 6 wait for the disk, 4 dropped")

    def test_status_when_something_is_unusual(self) -> None:
        """Connections that are down, what is missing, a pause and a drain are shown."""
        self.call("drain", 4)
        self.pool.step(1)
        self.call("pause")
        kicked = self.call("kick", 5)
        lines = self.lines("status")
        self.assertEqual(lines[1], "connections  5 of 6 live (1 needed), 1 backoff")
        self.assertIn("15 to add or delete", lines[2])
        self.assertRegex(lines[-2], r"^paused       commands wait since .* \(0\.00 s ago\); resume\(\) ends it$")
        self.assertEqual(lines[-1], "draining     4; undrain(id) ends it")
        self.pool.step(2)
        self.successResultOf(kicked)

    def test_connections(self) -> None:
        """By role and state, each with a part of its name; the last line counts."""
        self.assertEqual(self.lines("connections")[-1], "6 of 6 connections")
        lines = self.lines("connections", role="orderbook")
        self.assertEqual([line.split()[:4] for line in lines[1:4]],
                         [[str(n), "orderbook_delta", "live", "10"] for n in (4, 5, 6)])  # fmt: skip
        self.assertEqual(self.lines("connections", state="down")[1:], ["0 of 6 connections"])
        kicked = self.call("kick", 5)
        down = self.lines("connections", state="down")
        self.assertEqual(down[1].split()[:3], ["5", "orderbook_delta", "backoff"])
        self.assertTrue(down[1].endswith("next dial in 1.0 s; 10 markets wait; 1 reconnect"), down)
        self.assertEqual(len(self.lines("connections", "orderbook", "live")), 4)
        self.pool.step(2)
        self.successResultOf(kicked)

    def test_words_that_are_no_role_or_state(self) -> None:
        """The error lists those there are."""
        self.assertEqual(
            self.refused("connections", "book keeping"),
            "no role 'book keeping': there are market_lifecycle, orderbook_delta, ticker, trade",
        )
        self.assertIn("down, draining, live", self.refused("connections", state="broken"))
        self.assertIn("no role 7", self.refused("connections", 7))
        self.assertIn("no role ''", self.refused("connections", ""))

    def test_tables_keep_to_the_width_of_the_terminal(self) -> None:
        """Of the moment, not of the login."""
        self.prompting.width = 70
        self.assertLessEqual(max(map(len, self.lines("connections"))), 70)
        self.assertLessEqual(max(map(len, self.lines("help"))), 90)

    def test_explain(self) -> None:
        """What is known of the market, with the verdict at the end; an unknown ticker has a verdict too."""
        lines = self.lines("explain", self.ticker)
        self.assertEqual(lines[0], self.ticker)
        self.assertIn("on connection 4: least loaded when it was added", lines)
        self.assertRegex(lines[-1], r"^verdict: held on sid 1 since .*, book came ")
        self.assertRegex(self.lines("explain", "NOPE")[-1], "^verdict: unknown: the registry does not know it")

    def test_a_ticker_is_a_text(self) -> None:
        """Anything else is an error that shows how to write one."""
        for name in ("explain", "where"):
            self.assertEqual(self.refused(name, 7), '7 is not a ticker: write it in quotes, as in explain("KXDEMO-1")')

    def test_where(self) -> None:
        """An id, fit for kick; for a market that is nowhere the error says why."""
        self.assertEqual(self.call("where", self.ticker), 4)
        self.assertIn("NOPE is on no connection: unknown", self.refused("where", "NOPE"))

    def test_pending(self) -> None:
        """A table of what is not answered, and how much is left to ask."""
        self.assertEqual(self.lines("pending"), ["no command waits for a reply"])
        self.pool.session_of(4).go_half_open()
        self.pool.remove([self.ticker])
        self.pool.step(1)
        header, row, left = self.lines("pending")
        self.assertEqual(header.split()[:3], ["id", "command", "kind"])
        self.assertEqual(row.split(), ["4", "2", "delete_markets", "1", "1", "1.0", "s", self.ticker])
        self.assertEqual(left, "1 market in all to be added or deleted")

    def test_gaps(self) -> None:
        """When, where, how much, what became of it, and a sum; durations are checked."""
        self.assertEqual(self.lines("gaps", last="90s"), ["no gaps in the last 90 s"])
        self.pool.exchange.faults.skip_seq()
        while not self.pool.markers("gap"):
            self.pool.exchange.emit(5)
            self.pool.step()
        self.pool.step(1)
        lines = self.lines("gaps")
        self.assertEqual(lines[0].split(), ["time", "id", "sid", "numbers", "outcome", "took"])
        self.assertIn("recovered", lines[1])
        self.assertRegex(lines[-1], r"^1 gap, \d+ numbers? missing, 0 not recovered$")
        self.pool.step(700)
        self.assertEqual(self.lines("gaps"), ["no gaps in the last 10 min"])
        self.assertIn('is not a duration such as "90s"', self.refused("gaps", "10 minutes"))

    def test_help(self) -> None:
        """Every command is listed with a sentence; each tells its own; what is none is an error."""
        listed = self.lines("help")
        for name in ("status", "kick", "undrain", "log_level", "manager"):
            self.assertTrue(any(line.startswith(name) for line in listed), name)
        self.assertEqual(self.lines("help", "kick"), self.lines("help", self.prompting.names["kick"]))
        self.assertEqual(self.lines("help", "kick")[0], "kick(conn_id)")
        self.assertIn("no command 'fly'", self.refused("help", "fly"))
        self.assertIn("no command 42", self.refused("help", 42))

    def test_a_command_without_its_parentheses(self) -> None:
        """Tells what it does instead of an address in memory."""
        self.assertEqual(repr(self.prompting.names["where"]).splitlines()[0], "where(ticker)")

    def test_wrong_arguments(self) -> None:
        """The error shows how the command is called."""
        for arguments, named in (((), {}), ((1, 2), {}), ((), {"connection": 1})):
            self.assertTrue(self.refused("kick", *arguments, **named).endswith("; it is kick(conn_id)"))

    def test_tickers_for_completion(self) -> None:
        """Some that begin so, of those that are carried."""
        self.assertEqual(self.prompting.prompt.tickers(self.ticker), [self.ticker])
        self.assertEqual(len(self.prompting.prompt.tickers("")), 30)
        self.assertEqual(self.prompting.prompt.tickers("NOPE"), [])


class SteeringTests(PromptTestCase):
    """Commands that change something."""

    def test_kick(self) -> None:
        """Says at once what happens next, and later that it happened."""
        answer: Deferred[Any] = self.call("kick", 5)
        self.assertEqual(self.prompting.said, ["connection 5 is cut; next dial in 1.0 s"])
        self.pool.step(2)
        self.assertEqual(repr(self.successResultOf(answer)), "connection 5 is back after 1.0 s: 10 markets held")

    def test_kick_of_a_global_channel(self) -> None:
        """It has no markets to count."""
        answer: Deferred[Any] = self.call("kick", 1)
        self.pool.step(2)
        self.assertEqual(repr(self.successResultOf(answer)), "connection 1 is back after 1.0 s")

    def test_kick_of_nothing(self) -> None:
        """The error is the answer, at once."""
        failure = self.failureResultOf(self.call("kick", 171), AdminError)
        self.assertEqual(failure.getErrorMessage(), "no connection 171: ids are 1 to 6")

    def test_drain(self) -> None:
        """How many move, how many stay; undrain ends it."""
        self.assertEqual(repr(self.call("drain", 5)), "10 markets of connection 5 on their way to others")
        self.assertEqual(self.lines("connections", state="draining")[1].split()[0], "5")
        self.assertEqual(repr(self.call("undrain", 5)), "connection 5 takes new markets again")

    def test_pause(self) -> None:
        """While paused a kick says that the markets wait; resume says how many."""
        self.assertEqual(repr(self.call("pause")), "commands wait until resume(); what is subscribed goes on")
        answer: Deferred[Any] = self.call("kick", 5)
        self.pool.step(2)
        self.assertEqual(
            repr(self.successResultOf(answer)),
            "connection 5 is back after 1.0 s: 0 of 10 markets held; commands are paused",
        )
        self.assertEqual(repr(self.call("resume")), "commands go on; 10 markets to add or delete")

    def test_snapshot(self) -> None:
        """Where the book came from, its number, its levels and how long it took."""
        answer: Deferred[Any] = self.call("snapshot", self.ticker)
        self.pool.step()
        self.assertRegex(
            repr(self.successResultOf(answer)),
            rf"^book of {self.ticker} on connection 4, sid 1, number \d+: \d+ yes and \d+ no levels, "
            r"came \d\d:\d\d:\d\d after 0\.00 s$",
        )
        self.failureResultOf(self.call("snapshot", None), AdminError)

    def test_log_level(self) -> None:
        """For all or for one component, logged with the name of the user; a wrong word changes and logs nothing."""
        self.assertEqual(repr(self.call("log_level")), "info")
        with capturedLogs() as events:
            self.assertEqual(repr(self.call("log_level", "warn")), "warn")
            self.call("log_level", "debug", component="gatherer.exchange")
            self.assertEqual(repr(self.call("log_level")), "warn; debug for gatherer.exchange")
            self.assertEqual(repr(self.call("log_level", component="gatherer.exchange")), "warn")
            self.assertRaises(ConfigError, self.call, "log_level", "loud")
        self.assertEqual([formatEvent(event) for event in events], [
            f"{BY}: log level warn", f"{BY}: log level of gatherer.exchange debug",
            f"{BY}: log level of gatherer.exchange as the others",
        ])  # fmt: skip

    def test_every_change_is_one_line_that_says_who(self) -> None:
        """Kick, drain, undrain, pause, resume and snapshot."""
        with capturedLogs() as events:
            kicked = self.call("kick", 5)
            self.pool.step(2)
            for name, arguments in (("drain", [5]), ("undrain", [5]), ("pause", []), ("resume", [])):
                self.call(name, *arguments)
            self.call("snapshot", self.pool.tickers[0])
            self.pool.step(1)
        self.successResultOf(kicked)
        said = [str(formatEvent(event)) for event in events if event.get("by") == BY]
        words = [line.removeprefix(f"{BY}: ").split()[0].rstrip(":") for line in said]
        self.assertEqual(words, ["kick", "drain", "undrain", "pause", "resume", "snapshot"])
