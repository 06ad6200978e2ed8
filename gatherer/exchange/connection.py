"""One connection of the fixed plan. It outlives its sockets and owns the wanted set."""

from collections.abc import Callable, Set

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.core.backoff import Backoff
from gatherer.core.layout import Slot
from gatherer.core.subscriptions.book_planner import BookPlanner
from gatherer.core.subscriptions.channel_planner import ChannelPlanner
from gatherer.errors import AdminError, CutByOperator, RemoteProtocolError, SessionLost, UpgradeRefused
from gatherer.exchange.context import ConnectionSettings, SessionContext
from gatherer.exchange.counters import Counters
from gatherer.exchange.interfaces import ISessionOwner, IWebSocketClient, IWebSocketListener
from gatherer.exchange.reports import Planner
from gatherer.exchange.session import Session
from gatherer.exchange.socket_timers import SocketTimers
from gatherer.interfaces import ConnectionStatus, IConnection, IConnectionOwner
from gatherer.values import Facts, Marker, Role


@implementer(IConnection, ISessionOwner, IWebSocketListener)
class Connection(Service):
    """The state that must survive a socket. The session has everything else."""

    _log = Logger()

    def __init__(
        self, slot: Slot, owner: IConnectionOwner,
        make_client: Callable[[IWebSocketListener], IWebSocketClient], make_backoff: Callable[[], Backoff],
        context: SessionContext, settings: ConnectionSettings,
    ) -> None:  # fmt: skip
        self._slot = slot
        self._owner = IConnectionOwner(owner)
        self._make_backoff = make_backoff
        self._context = context
        self._error_log = context.error_log
        self._settings = settings
        self._wanted: dict[str, None] = {}
        self.wanted: Set[str] = self._wanted.keys()
        """A view of a dict, which takes 28 bytes a market and keeps the order of arrival. A set of 7,500 takes 70."""
        self.counters = Counters()
        self._session: Session | None = None
        self._next: tuple[SessionContext, ConnectionSettings] = (context, settings)
        self._planner: Planner = self._new_planner()
        self._timers: SocketTimers | None = None
        self._dials_failed = 0
        self._paused = False
        self.last_error: str | None = None
        self.received: Callable[[list[bytes], int], None] = _ignore
        """See `IWebSocketListener`. During a session it is the session's own method: one call less for each read."""
        self._client = IWebSocketClient(make_client(self))

    # -- IConnection --------------------------------------------------------------------------

    @property
    def conn_id(self) -> int:
        """See `IConnection`."""
        return self._slot.conn_id

    @property
    def role(self) -> Role:
        """See `IConnection`."""
        return self._slot.role

    @property
    def is_live(self) -> bool:
        """See `IConnection`."""
        return self._session is not None and (not self._slot.role.is_global or self._planner.is_settled)

    def want(self, ticker: str) -> None:
        """See `IConnection`."""
        self._wanted[ticker] = None
        if self._session is not None:
            self._session.want(ticker)

    def unwant(self, ticker: str, moved: bool = False) -> None:
        """See `IConnection`."""
        self._wanted.pop(ticker, None)
        if self._session is None or ticker not in self._planner.held:
            # No acknowledgement will come, and without this marker a hole in the capture would never end.
            facts = {"sid": 0, "tickers": [ticker], "moved": moved}
            self._context.router.mark(Marker("markets_removed", self.conn_id, self._context.wall(), facts))
        if self._session is not None:
            self._session.unwant(ticker)

    def refresh(self, ticker: str) -> None:
        """See `IConnection`."""
        if self._session is not None:
            self._session.refresh(ticker)

    def has_book(self, ticker: str) -> bool:
        """See `IConnection`."""
        held = self._planner.held.get(ticker) if self._session is not None else None
        return held is not None and held.book_at > 0

    def fresh_book(self, ticker: str) -> Deferred[Facts]:
        """See `IConnection`."""
        return fail(SessionLost(self._no_socket())) if self._session is None else self._session.fresh_book(ticker)

    def pending(self) -> list[Facts]:
        """See `IConnection`."""
        command = None if self._session is None else self._session.commands.in_flight()
        return [] if command is None else [command]

    def gaps(self, since: float) -> list[Facts]:
        """See `IConnection`."""
        return self.counters.gap_log.since(since)

    def pause(self, paused: bool) -> None:
        """See `IConnection`."""
        self._paused = paused
        if self._session is not None:
            self._session.commands.pause(paused)

    def kick(self, reason: str) -> None:
        """See `IConnection`."""
        if self._session is None:
            raise AdminError(f"connection {self.conn_id} has no socket to cut: {self._no_socket()}")
        self._client.abort(CutByOperator(reason))

    def reconfigure(self, context: SessionContext, settings: ConnectionSettings) -> None:
        """Use these for the next session. The open session keeps its own."""
        self._next = (context, settings)

    def startService(self) -> None:
        """See `IConnection`."""
        super().startService()
        self._error_log.hold()
        self._client.start()

    def stopService(self) -> Deferred[None]:
        """See `IConnection`."""
        was_running = bool(self.running)
        super().stopService()
        if self._session is not None:
            self._session.commands.stop()  # nothing can be sent on a socket that closes
        stopped = self._client.stop()
        if was_running:
            stopped.addCallback(lambda _: self._error_log.release())
        return stopped

    def describe(self, ticker: str) -> Facts:
        """What this connection knows of one of its markets, JSON-ready."""
        known = self._session.describe(ticker) if self._session is not None else {"held": False}
        heard = self.counters.last_message
        return {
            "conn_id": self.conn_id, "state": self.state, "wanted": ticker in self.wanted,
            "gaps": self.gaps(0.0), "last_message": heard / 1e9 if heard else None,
            "next_dial_in": self._client.next_dial_in(), "last_error": self.last_error, **known,
        }  # fmt: skip

    @property
    def state(self) -> str:
        """`live`, `subscribing` until a global channel is acknowledged, or without a socket the state of the client."""
        if self._session is None:
            return str(self._client.state)
        return "live" if self.is_live else "subscribing"

    def latest_read(self) -> tuple[list[bytes], int] | None:
        """See `IConnection`."""
        return (self.counters.latest_read, self.counters.last_message) if self.counters.last_message else None

    def changes(self) -> int:
        """See `IConnection`."""
        return self.counters.forwarded - self.counters.snapshots

    def status(self) -> ConnectionStatus:
        """See `IConnection`."""
        session, planner, counters = self._session, self._planner, self.counters
        up = session is not None
        return ConnectionStatus(
            conn_id=self.conn_id, role=self._slot.role, state=self.state, wanted=len(self.wanted),
            held=len(planner.held) if up else 0, owed=len(planner.owed) if up else 0,
            without_book=planner.owed.late if up else 0, divergence=self._divergence(),
            subscriptions=self._subscriptions(), rejected=len(planner.rejected) if up else 0,
            pending=session.commands.pending if session is not None else 0,
            received=counters.received, forwarded=counters.forwarded, snapshots=counters.snapshots,
            bytes_received=counters.bytes_received, gaps=counters.gaps, skipped=counters.skipped,
            repeats=self._repeats(), strays=counters.strays, reconnects=counters.reconnects,
            recoveries=counters.recoveries, last_recovery=counters.last_recovery, replies=counters.replies,
            reply_seconds=counters.reply_seconds, last_ping=counters.last_ping, errors=dict(counters.errors),
            ws_errors=dict(counters.ws_errors), unknown_types=dict(counters.unknown_types),
            last_message=counters.last_message / 1e9 if counters.last_message else None,
            next_dial_in=self._client.next_dial_in(),
        )  # fmt: skip

    # -- IWebSocketListener -------------------------------------------------------------------

    def opened(self) -> None:
        """See `IWebSocketListener`."""
        self._dials_failed = 0
        self._context, self._settings = self._next
        self._planner = self._new_planner()
        planner = self._planner
        self._timers = SocketTimers(self._context.clock, self._client, self._settings, lambda: planner.is_settled)
        self._session = Session(self._slot, self._planner, self._client.send, self, self.counters, self._context)
        self.received = self._session.received
        self._session.commands.pause(self._paused)
        self._log.debug("{name} open", name=self._slot.name)
        self._owner.upgrade_accepted()
        self.changed()

    def undecodable(self, payload: bytes, reason: str, received_at: int) -> None:
        """See `IWebSocketListener`."""
        if self._session is not None:
            self._session.undecodable(payload, reason, received_at)

    def pinged(self) -> None:
        """See `IWebSocketListener`."""
        self.counters.pinged(self._context.wall())
        if self._timers is not None:
            self._timers.pinged()

    def closed(self, reason: Failure) -> None:
        """See `IWebSocketListener`."""
        if self._timers is not None:
            self._timers.stop()
        session, self._session = self._session, None
        self.received = _ignore
        self.last_error = _why(reason)
        self.counters.ws_errors[type(reason.value).__name__] += 1
        self._dials_failed += session is None
        if session is not None:
            self.counters.reconnects += 1
            self.counters.repeats += session.repeats
            session.close(SessionLost(self.last_error), stopped=not self.running)
        if isinstance(reason.value, UpgradeRefused):
            self._owner.upgrade_refused(reason.value)
        wait = self._client.next_dial_in()
        if wait is not None:
            self._error_log.lost(self._slot.name, self.last_error, wait, self._dials_failed)
        self.changed()

    # -- ISessionOwner ------------------------------------------------------------------------

    def changed(self) -> None:
        """See `ISessionOwner`."""
        self._owner.connection_changed(self)

    def lifecycle(self, payloads: list[bytes]) -> None:
        """See `ISessionOwner`."""
        self._owner.lifecycle(payloads)

    def gap(self, size: int) -> None:
        """See `ISessionOwner`. Only a lifecycle gap concerns the manager: its messages are not sent again."""
        if self._slot.role.channel == "market_lifecycle_v2":
            self._owner.lifecycle_gap()

    def silent(self, tickers: list[str]) -> None:
        """See `ISessionOwner`."""
        self._owner.silent(tickers)

    def over_limit(self, tickers: list[str], capacity: int) -> None:
        """See `ISessionOwner`."""
        self._owner.over_limit(self, tickers, capacity)

    def restart(self, reason: str) -> None:
        """See `ISessionOwner`."""
        self._client.abort(RemoteProtocolError(reason))

    # -- helpers ------------------------------------------------------------------------------

    def _new_planner(self) -> Planner:
        if self._slot.role.is_global:
            return ChannelPlanner(self._slot.role.channel, self._make_backoff())
        settings = self._settings
        return BookPlanner(self.wanted, settings.batch_size, settings.snapshot_deadline, self._make_backoff())

    def _no_socket(self) -> str:
        wait = self._client.next_dial_in()
        return f"it is in state {self.state}" + ("" if wait is None else f", next dial in {wait:.1f} s")

    def _divergence(self) -> int:
        if self._slot.role.is_global:
            return 0
        return self._planner.missing + self._planner.surplus if self._session is not None else len(self.wanted)

    def _repeats(self) -> int:
        return self.counters.repeats + (self._session.repeats if self._session is not None else 0)

    def _subscriptions(self) -> int:
        if self._session is None:
            return 0
        return int(self._planner.is_settled) if self._slot.role.is_global else len(self._planner.held)


def _why(reason: Failure) -> str:
    return reason.getErrorMessage() or type(reason.value).__name__


def _ignore(payloads: list[bytes], received_at: int) -> None:
    """Drop the messages that the socket still brings after the end of the session."""
