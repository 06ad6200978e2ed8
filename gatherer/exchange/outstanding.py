"""The commands of one session whose reply has not come, in time or late."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gatherer.core.histograms import Histogram
from gatherer.core.subscriptions.commands import Action, Command
from gatherer.core.subscriptions.correlation import PendingCommands
from gatherer.core.subscriptions.reply_deadline import ReplyDeadline
from gatherer.errors import CommandTimeout, GathererError
from gatherer.exchange.counters import Counters
from gatherer.interfaces import ICommandCorrelator

MAX_LATE = 16
"""Commands past their deadline that are remembered. One command is sent at a time, so these are minutes."""


class Outstanding:
    """Gives each command an id and a deadline, and finds the command of each reply.

    A command past its deadline is *late*. Its result counts as unknown, but its reply may still come, and then it says
    what happened. The reply to a later command overtakes it: what the earlier command did is not the state any more.
    """

    def __init__(
        self, clock: IReactorTime, shortest_deadline: float, counters: Counters, latency: Histogram
    ) -> None:  # fmt: skip
        """`shortest_deadline` in seconds: see `ReplyDeadline`."""
        self._clock = clock
        self._counters = counters
        self._latency = latency
        self._pending = ICommandCorrelator(PendingCommands())
        self._deadline = ReplyDeadline(shortest_deadline)
        self._sent: dict[int, tuple[Command, float]] = {}
        """By id, every command that waits or is late, and when it was sent."""

    @property
    def pending(self) -> int:
        """Commands that wait for a reply in time."""
        return int(self._pending.pending)

    @property
    def is_silent(self) -> bool:
        """Whether commands go out and no reply has come for so long that the exchange does not hear us any more."""
        return self._deadline.is_silent(self._clock.seconds())

    @property
    def unanswered_seconds(self) -> float:
        """How long ago the first command was sent that had no reply, nor any after it."""
        return self._deadline.silence(self._clock.seconds())

    def issue(self, command: Command) -> tuple[int, Deferred[Any]]:
        """The command's id, and a Deferred that fires with the sid of its acknowledgement. It fails with the error of
        `fail` or `close`, or with `CommandTimeout`."""
        now = self._clock.seconds()
        seconds = self._deadline.seconds(now)
        if command.action is not Action.SNAPSHOT:  # silent markets answer nothing
            self._deadline.asked(now)
        command_id, reply = self._pending.issue()
        self._sent[command_id] = command, now
        reply.addTimeout(seconds, self._clock, self._timeout(command_id, seconds))
        return command_id, reply

    def resolve(self, command_id: int, sid: int) -> bool:
        """A reply acknowledges a command. False if none of that id waits."""
        self._measure(command_id)
        return bool(self._pending.resolve(command_id, sid))

    def fail(self, command_id: int, error: GathererError) -> bool:
        """A reply rejects a command. False if none of that id waits."""
        self._measure(command_id)
        return bool(self._pending.fail(command_id, error))

    def age(self, command_id: int) -> float:
        """Seconds since the command was sent; 0 if its reply came."""
        sent = self._sent.get(command_id)
        return 0.0 if sent is None else self._clock.seconds() - sent[1]

    def take(self, command_id: int) -> Command | None:
        """The command that a reply is about, None if no such command waits or is late. Later it is unknown, and so are
        those that were sent before it."""
        known = self._sent.get(command_id)
        if known is None:
            return None
        for earlier in [each for each in self._sent if each <= command_id]:
            del self._sent[earlier]
        return known[0]

    def forget_late(self) -> None:
        """A subscription is over: what late replies say of it does not hold any more."""
        waiting = list(self._sent.items())[-1:] if self.pending else []  # one command at a time: the latest
        self._sent = dict(waiting)

    def close(self, error: GathererError) -> None:
        """The socket is gone: every command that waits fails."""
        self._sent.clear()
        self._pending.fail_all(error)

    def _measure(self, command_id: int) -> None:
        if command_id in self._sent:
            seconds = self.age(command_id)
            self._deadline.replied(seconds)
            self._counters.replies += 1
            self._counters.reply_seconds += seconds
            self._latency.observe(seconds)

    def _timeout(self, command_id: int, seconds: float) -> Callable[[object, float], Failure]:
        def expire(value: object, timeout: float) -> Failure:
            command, _ = self._sent[command_id]
            if command.action is Action.SNAPSHOT:
                del self._sent[command_id]  # it has no acknowledgement that could come late
            else:
                self._deadline.expired()
            for oldest in list(self._sent)[:-MAX_LATE]:
                del self._sent[oldest]
            return Failure(CommandTimeout(command_id, seconds))

        return expire
