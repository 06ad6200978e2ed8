"""The half of a session that sends: one command in flight, and a deadline for every reply."""

from collections.abc import Callable
from enum import Enum

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.core.histograms import Histogram
from gatherer.core.subscriptions.book_planner import BookPlanner
from gatherer.core.subscriptions.channel_planner import ChannelPlanner
from gatherer.core.subscriptions.commands import TERMINAL, Action, Command, Reaction, reaction_to
from gatherer.core.wire.codec import ControlBody, Envelope, decode_body, encode
from gatherer.errors import CommandRejected, GathererError, SessionLost
from gatherer.exchange.context import CommandSettings
from gatherer.exchange.counters import Counters
from gatherer.exchange.interfaces import ISessionOwner
from gatherer.exchange.outstanding import Outstanding
from gatherer.exchange.reports import Planner, ProgressReports
from gatherer.values import Facts


class QueueState(Enum):
    """Whether commands are sent. A stopped queue only closes, and a closed one stays closed."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CLOSED = "closed"


class CommandQueue:
    """Sends the planner's commands until the exchange holds what is wanted."""

    _log = Logger()

    def __init__(
        self, name: str, planner: Planner, send: Callable[[bytes], None], owner: ISessionOwner, counters: Counters,
        mark: Callable[..., None], clock: IReactorTime, wall: Callable[[], int], settings: CommandSettings,
        latency: Histogram,
    ) -> None:  # fmt: skip
        """`wall` gives Unix time in nanoseconds. It only stamps markers."""
        self._name = name
        self.planner = planner
        self._send_bytes = send
        self._owner = ISessionOwner(owner)
        self._counters = counters
        self._mark = mark
        self._clock = clock
        self._wall = wall
        self._settings = settings
        self._outstanding = Outstanding(clock, settings.command_timeout, counters, latency)
        self._reports = ProgressReports(name, planner, self._owner, counters, mark)
        self._call: IDelayedCall | None = None
        self._command_id = self._snapshot_id = 0
        self._sent_at_ns = 0
        self._state = QueueState.RUNNING
        self._ended: set[int] = set()
        """Sids that ended before the command in flight was answered: a late answer does not revive them."""

    @property
    def pending(self) -> int:
        """Commands that wait for a reply."""
        return self._outstanding.pending

    def in_flight(self) -> Facts | None:
        """The command that waits for its reply: `id`, `action`, `sid`, `markets`, `first`, `age` in seconds."""
        command = self.planner.in_flight
        if command is None:
            return None
        return {
            "id": self._command_id, "action": command.action.value, "sid": command.sid, "markets": len(command.tickers),
            "first": command.tickers[0] if command.tickers else None,
            "age": self._outstanding.age(self._command_id),
        }  # fmt: skip

    def pause(self, paused: bool) -> None:
        """Send no more commands, or continue. The command in flight still gets its reply."""
        self._enter(QueueState.PAUSED if paused else QueueState.RUNNING)
        self.wake()

    def wake(self) -> None:
        """There may be work. The queue looks once, at the end of this reactor turn, whatever happens in the turn."""
        self._arm(0.0)

    def stop(self) -> None:
        """Send no more commands on this socket: it closes."""
        self._enter(QueueState.STOPPED)

    def close(self, error: GathererError) -> None:
        """The socket is gone."""
        self._enter(QueueState.CLOSED)
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._outstanding.close(error)

    def answered(self, command_id: int) -> None:
        """A snapshot carries the id of the `get_snapshot` in flight. It has no other acknowledgement."""
        if command_id == self._snapshot_id:
            self._snapshot_id = 0
            self._resolve(command_id, 0)

    def control(self, envelope: Envelope, data: bytes) -> int:
        """Handle a reply, or an end that the exchange began. Returns the sid that is over now, else 0.

        Raises `RemoteProtocolError` for a body of an unknown shape.
        """
        body = decode_body(data)
        if envelope.type == "error":
            return self._error(envelope, body)
        if envelope.type == "unsubscribed":
            return self._unsubscribed(envelope, body)
        self._resolve(envelope.id, envelope.sid or body.sid)
        return 0

    def mark_removed(self, tickers: list[str], sid: int = 0, **facts: object) -> None:
        """Mark that markets are not carried here any more. `sid` 0: no acknowledgement confirms it."""
        if tickers:
            self._mark("markets_removed", sid=sid, tickers=tickers, **facts)

    # -- replies ------------------------------------------------------------------------------

    def _error(self, envelope: Envelope, body: ControlBody) -> int:
        self._counters.errors[body.code] += 1
        over, sid, terminal = 0, envelope.sid or body.sid, body.code in TERMINAL
        if terminal and (sid or not envelope.id):
            over = self._ended_sid(sid)
            self._subscription_over(over, body.code, body.msg)
        error = CommandRejected(body.code, body.msg, sid)
        waits = bool(envelope.id) and self._outstanding.fail(envelope.id, error)
        self._outstanding.take(envelope.id)
        if not waits:
            self._counters.strays += bool(envelope.id)
            if not over:  # an end has its line already
                self._log.warn("{name}: error without a waiting command: {error}", name=self._name, error=error)
            if terminal and not over:
                self._owner.restart(f"a late code {body.code} that names no subscription")
        return over

    def _unsubscribed(self, envelope: Envelope, body: ControlBody) -> int:
        sid = envelope.sid or body.sid
        if not self._resolve(envelope.id, sid):
            self._subscription_over(sid, 0, "unsubscribed by the exchange")
        return sid

    def _resolve(self, command_id: int, sid: int) -> bool:
        """False for the reply to an unknown command."""
        waits = self._outstanding.resolve(command_id, sid)
        command = self._outstanding.take(command_id)
        if not waits:
            self._counters.strays += 1
            if command is None or command.action is Action.UNSUBSCRIBE:
                return False
            self._acknowledged_late(sid, command, command_id)
        return True

    def _ended_sid(self, sid: int) -> int:
        """The sid a terminal error is about. Without a sid it can only be the one subscription there is."""
        if sid:
            return sid
        return self.planner.sid if isinstance(self.planner, ChannelPlanner) else self.planner.held.some_sid()

    def _subscription_over(self, sid: int, code: int, text: str) -> None:
        self._ended.add(sid)
        self._outstanding.forget_late()
        self._counters.gap_log.over("subscription over", sid)
        lost = self.planner.sid_over(sid, self._clock.seconds())
        self._log.warn(
            "{name}: subscription {sid} over with {lost} markets: code {code}, {text}",
            name=self._name, sid=sid, lost=len(lost), code=code, text=text,
        )  # fmt: skip
        self._mark("terminal_error", sid=sid, code=code, text=text)
        self.mark_removed(self.planner.unwanted(lost))
        self._reports.unsettled()
        self._owner.changed()
        self.wake()

    # -- commands -----------------------------------------------------------------------------

    def _run(self) -> None:
        self._call = None
        now = self._clock.seconds()
        if self._state is QueueState.RUNNING:
            self._send_next(now)
        self._reports.look(now)

    def _send_next(self, now: float) -> None:
        silent = self.planner.overdue(now)
        if silent:
            self._owner.silent(silent)
        command = self.planner.next_command(now)
        if command is not None:
            self._ask(command)
        due = self.planner.wake_at()
        if due is not None:
            self._arm(due - now)

    def _ask(self, command: Command) -> None:
        self._ended.clear()
        command_id, reply = self._outstanding.issue(command)
        self._command_id = command_id
        self._snapshot_id = command_id if command.action is Action.SNAPSHOT else 0
        self._sent_at_ns = self._wall()
        self._send_bytes(encode(command, command_id, self._settings.use_yes_price))
        reply.addCallbacks(self._acknowledged, self._failed, callbackArgs=(command, command_id), errbackArgs=(command,))
        reply.addErrback(
            lambda failure: self._log.failure("{name}: bug while handling a reply", failure, name=self._name)
        )

    def _acknowledged(self, sid: int, command: Command, command_id: int) -> None:
        if command.action in (Action.SUBSCRIBE, Action.ADD) and (sid or command.sid) in self._ended:
            self.planner.unknown(self._clock.seconds())
            return self.wake()
        if command.action is Action.SUBSCRIBE and not sid:
            self._log.warn("{name}: a subscribe was acknowledged without a sid: it is repeated", name=self._name)
            self.planner.unknown(self._clock.seconds())
            return self.wake()
        self.planner.acknowledged(sid, self._clock.seconds(), command_id)
        if command.action in (Action.SUBSCRIBE, Action.ADD):
            self._mark("markets_added", sid=sid or command.sid, channel=command.channel, tickers=list(command.tickers))
        elif command.action is not Action.SNAPSHOT:
            # It took effect between the command and this reply, which may be slow. Nothing was sent after that.
            self.mark_removed(list(command.tickers), command.sid, since=self._sent_at_ns, ended=command.ended_sid)
        self.wake()

    def _acknowledged_late(self, sid: int, command: Command, command_id: int) -> None:
        """The deadline had passed, so the result counted as unknown."""
        if command.action is Action.SUBSCRIBE and not sid:
            return
        tickers = self.planner.acknowledged_late(command, sid, self._clock.seconds(), command_id)
        if command.action is not Action.DELETE and bool(tickers) == bool(command.tickers):
            self._mark("markets_added", sid=sid or command.sid, channel=command.channel, tickers=list(tickers))
        self.wake()

    def _failed(self, failure: Failure, command: Command) -> None:
        if command.action in (Action.DELETE, Action.UNSUBSCRIBE):
            # It may have taken effect when it was sent. Then no message of these markets has come since.
            self.mark_removed(list(command.tickers), since=self._sent_at_ns, ended=command.ended_sid)
        if self._state is QueueState.CLOSED or failure.check(SessionLost):
            return
        error = failure.value
        if not isinstance(error, CommandRejected):
            return self._timed_out(failure, command)
        self._log.warn(
            "{name}: {action} of {n} markets rejected: {error}",
            name=self._name, action=command.action.value, n=len(command.tickers), error=error,
        )  # fmt: skip
        self._react(reaction_to(error.code), error.code, command)
        if error.code in TERMINAL and command.sid and not error.sid:
            self._subscription_over(command.sid, error.code, error.text)
        self.wake()

    def _react(self, reaction: Reaction, code: int, command: Command) -> None:
        now = self._clock.seconds()
        if reaction is Reaction.BAD_MARKET:
            if self.planner.bad_market(code, now):
                self._owner.restart(f"code {code} about a market that may be subscribed already")
        elif reaction is Reaction.OVER_LIMIT and len(self.planner.held):  # with none held, the batch alone was too big
            surplus, may_be_held = self.planner.over_limit(now)
            self._owner.over_limit(surplus, len(self.planner.held))
            if may_be_held:
                self._owner.restart("code 26 about markets that may be subscribed already")
        else:
            self.planner.unknown(now)
            if reaction is Reaction.START_OVER and self.planner.held.count(command.sid):
                self._owner.restart(f"the exchange does not know sid {command.sid}, which has markets of ours")

    def _timed_out(self, failure: Failure, command: Command) -> None:
        if command.action is Action.SNAPSHOT and isinstance(self.planner, BookPlanner):
            self.planner.unanswered()
            return self.wake()
        self._log.warn("{name}: {error}", name=self._name, error=failure.value)
        if self._ended:
            self._outstanding.forget_late()  # a sid ended after it was sent: its late answer would revive it
        self.planner.unknown(self._clock.seconds())
        if self._outstanding.is_silent:
            self._owner.restart(f"no reply to any command for {self._outstanding.unanswered_seconds:.0f} s")
        else:
            self.wake()

    def _arm(self, delay: float) -> None:
        if self._state is QueueState.CLOSED:
            return
        at = self._clock.seconds() + max(0.0, delay)
        if self._call is None:
            self._call = self._clock.callLater(max(0.0, delay), self._run)
        elif at < self._call.getTime():
            self._call.reset(max(0.0, delay))

    def _enter(self, state: QueueState) -> None:
        """Change the state; nothing else does."""
        if state is QueueState.CLOSED or self._state in (QueueState.RUNNING, QueueState.PAUSED):
            self._state = state
