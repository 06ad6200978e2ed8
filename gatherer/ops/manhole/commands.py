"""The commands of the manhole's prompt. Thin: the pool's admin acts, the views make the text.

`Any` stands for what operators may type: a command checks its arguments itself.
"""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gatherer.errors import AdminError
from gatherer.interfaces import GathererStatus, IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.log.levels import LevelControl
from gatherer.ops.explain import explain, verdict
from gatherer.ops.manhole import views
from gatherer.text import clock_time, counted, parse_span, span
from gatherer.values import Facts

MAX_TICKERS = 40
"""Tickers that TAB offers."""
MAX_LOOKED_AT = 300_000
"""Markets that one TAB searches: so many take the reactor about 25 ms."""


class Text(str):
    """Shown as it is, not in quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a prompt, and how to reach them."""

    by: str
    """For the log."""
    say: Callable[[str], None]
    """Show a line now."""
    width: Callable[[], int | None]
    """Columns of the terminal; None without a terminal."""


class PromptCommand:
    """A function that explains itself, rejects wrong arguments in plain words, and may answer later."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._signature = inspect.signature(function)
        parameters = (each.replace(annotation=each.empty) for each in self._signature.parameters.values())
        self.usage = f"{function.__name__}({', '.join(map(str, parameters))})"
        self.help = inspect.getdoc(function) or ""
        self.opening = '("' if "ticker" in self._signature.parameters else "(" if self._signature.parameters else "()"
        """What TAB adds to the name."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The answer, or a Deferred of it. `AdminError` for arguments that do not fit."""
        try:
            self._signature.bind(*arguments, **named)
        except TypeError as error:
            raise AdminError(f"{error}; it is {self.usage}") from None
        answer = self._function(*arguments, **named)
        return Deferred.fromCoroutine(answer) if isinstance(answer, Coroutine) else answer

    def __repr__(self) -> str:
        return f"{self.usage}\n{self.help}"


class Prompt:
    """The commands of one session."""

    _log = Logger()

    def __init__(
        self,
        manager: IConnectionManager,
        registry: IMarketRegistry,
        router: IMessageRouter,
        status: Callable[[], GathererStatus],
        levels: LevelControl,
        clock: IReactorTime,
        wall: Callable[[], int],
        caller: Caller,
    ) -> None:
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._admin = self._manager.admin
        self._status = status
        self._levels = levels
        self._clock = clock
        self._wall = wall
        self._caller = caller

    def _now(self) -> float:
        """Unix time in seconds, for people."""
        return self._wall() / 1e9

    def namespace(self) -> dict[str, Any]:
        """The names at the prompt."""
        functions = (
            self.status, self.connections, self.explain, self.where, self.pending, self.gaps, self.kick, self.drain,
            self.undrain, self.pause, self.resume, self.snapshot, self.log_level, self.help,
        )  # fmt: skip
        self._commands = {function.__name__: PromptCommand(function) for function in functions}
        return {**self._commands, "manager": self._manager, "registry": self._registry, "router": self._router}

    def tickers(self, prefix: str) -> list[str]:
        """Some of the carried markets whose ticker begins so, for TAB."""
        found: list[str] = []
        looked_at = 0
        for connection in self._manager.connections():
            found += [ticker for ticker in connection.wanted if ticker.startswith(prefix)][: MAX_TICKERS - len(found)]
            looked_at += len(connection.wanted)
            if len(found) >= MAX_TICKERS or looked_at >= MAX_LOOKED_AT:
                break
        return found

    # -- looking ----------------------------------------------------------------------------------

    def status(self) -> Text:
        """The whole in a few lines: connections, markets, feed, registry, capture, and what is unusual."""
        return _text(views.status_lines(self._status(), self._now()))

    def connections(self, role: str | None = None, state: str | None = None) -> Text:
        """A table of the connections: what they hold, when they last heard something, what is odd about them.

        role="orderbook" or state="backoff" show a part of them; a part of the name will do. Besides the states of a
        connection there are "down" (all but live) and "draining".
        """
        everyone = self._manager.status().connections
        return _text(views.connection_lines(everyone, role, state, self._now(), self._caller.width()))

    def explain(self, ticker: str) -> Text:
        """All that is known of one market, and a verdict: why it is silent, or what is waited for.

        Its deltas are watched from the first question on, so a second one a little later knows more.
        """
        return _text(explain(self._manager.explain(_ticker(ticker)), self._now()))

    def where(self, ticker: str) -> int:
        """The id of the connection that carries a market."""
        conn_id = self._admin.where(_ticker(ticker))
        if conn_id is None:
            why = verdict(self._manager.explain(ticker), self._now())
            raise AdminError(f"{ticker} is on no connection: {why}")
        return conn_id

    def pending(self) -> Text:
        """Commands the exchange has not answered so far, with their connection and age, and what is left to ask."""
        divergence = self._manager.status().divergence
        return _text(views.pending_lines(self._admin.pending(), divergence, self._caller.width()))

    def gaps(self, last: str = "10m") -> Text:
        """Gaps in the sequence numbers in the last minutes: when, where, how many numbers, and what became of it.

        last is a duration such as "90s", "10m" or "2h"; a hundred gaps of each connection are remembered.
        """
        try:
            seconds, now = parse_span(last), self._now()
        except ValueError as error:
            raise AdminError(str(error)) from None
        return _text(views.gap_lines(self._admin.gaps(now - seconds), seconds, now, self._caller.width()))

    # -- changing ---------------------------------------------------------------------------------

    async def kick(self, conn_id: int) -> Text:
        """Cut the socket of a connection. It dials again after its backoff and takes up all its markets.

        The answer comes in two parts: when it dials next, and that it is back. The prompt can be used meanwhile. The
        capture marks the hole: session_down, "kicked by operator".
        """
        gone = await self._admin.kick(conn_id, self._caller.by)
        cut_at, wait = self._clock.seconds(), gone["next_dial_in"]
        self._caller.say(f"connection {conn_id} is cut" + ("" if wait is None else f"; next dial in {span(wait)}"))
        back = await self._admin.when_back(conn_id)
        return Text(f"connection {conn_id} is back after {span(self._clock.seconds() - cut_at)}{self._held(back)}")

    def drain(self, conn_id: int) -> Text:
        """Move all markets of an order book connection to the others and give it no new ones until undrain(conn_id).

        It carries each until the book came on the other connection, so nothing is missed. What finds no room elsewhere
        stays, and moves as soon as there is some.
        """
        facts = self._admin.drain(conn_id, self._caller.by)
        left = f", {facts['left']:,} stay until the others have room" if facts["left"] else ""
        return Text(f"{counted(facts['moved'], 'market')} of connection {conn_id} on their way to others{left}")

    def undrain(self, conn_id: int) -> Text:
        """Let a connection take markets again. Those that moved stay where they are; new ones go to the emptiest."""
        self._admin.undrain(conn_id, self._caller.by)
        return Text(f"connection {conn_id} takes new markets again")

    def pause(self) -> Text:
        """Send the exchange no commands for order books until resume(): adds, deletes and fresh books wait.

        Nothing is forgotten and what is subscribed goes on. A socket that is lost meanwhile dials again, but its order
        books stay unsubscribed until resume().
        """
        self._admin.pause(self._caller.by)
        return Text("commands wait until resume(); what is subscribed goes on")

    def resume(self) -> Text:
        """Send the commands that waited since pause()."""
        self._admin.resume(self._caller.by)
        divergence = self._manager.status().divergence
        return Text(f"commands go on; {counted(divergence, 'market')} to add or delete")

    async def snapshot(self, ticker: str) -> Text:
        """Ask for a fresh book of one market now, and show it when it came."""
        book = await self._admin.snapshot(_ticker(ticker), self._caller.by)
        return Text(
            f"book of {ticker} on connection {book['conn_id']}, sid {book['sid']}, number {book['seq']:,}: "
            f"{book['yes']} yes and {book['no']} no levels, came {clock_time(book['at'], self._now())} "
            f"after {span(book['seconds'])}"
        )

    def log_level(self, level: str | None = None, component: str | None = None) -> Text:
        """The least important level that is logged; given one ("debug", "info", ...), change to it until the stop.

        component="gatherer.exchange" changes it for that part only. Without arguments it shows the levels in force.
        """
        if level is not None or component is not None:
            LevelControl(level or "info")  # a wrong one is refused before anything is logged
            of, new = f" of {component}" if component else "", level or "as the others"
            self._log.warn("{by}: log level{of} {new}", by=self._caller.by, of=of, new=new)
            self._levels.set(level, component)
        return Text(self._levels.describe())

    def help(self, command: Any = None) -> Text:
        """The list of commands; help(kick) explains one."""
        if command is None:
            said = ((each.usage, each.help.partition("\n")[0]) for each in self._commands.values())
            return _text(views.help_lines(said, _PARTS, self._caller.width()))
        command = self._commands.get(command, command) if isinstance(command, str) else command
        if not isinstance(command, PromptCommand):
            raise AdminError(f"no command {command!r:.40}: help() lists them")
        return Text(repr(command))

    def _held(self, back: Facts) -> str:
        if back["held"] < back["wanted"]:
            return f": {back['held']:,} of {counted(back['wanted'], 'market')} held; commands are paused"
        return f": {counted(back['held'], 'market')} held" if back["wanted"] else ""


_PARTS = (
    ("manager", "the pool: status(), explain(ticker), connections(), admin"),
    ("registry", "the list of markets: status(), describe(ticker), active()"),
    ("router", "the capture: status(), backlog()"),
)


def _text(lines: list[str]) -> Text:
    return Text("\n".join(lines))


def _ticker(ticker: object) -> str:
    if not isinstance(ticker, str) or not ticker:
        raise AdminError(f'{ticker!r:.40} is not a ticker: write it in quotes, as in explain("KXDEMO-1")')
    return ticker
