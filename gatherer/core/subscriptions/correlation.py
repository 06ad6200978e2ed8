"""Command id to Deferred. The only module of the core that knows Deferreds."""

from itertools import count
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.interfaces import ICommandCorrelator


@implementer(ICommandCorrelator)
class PendingCommands:
    """Match each reply of the exchange to the command that asked for it.

    One per session: ids are unique per connection (protocol section 3) and start at 1,
    because the exchange takes 0 for "no id".
    """

    __slots__ = ("_ids", "_waiting", "strays")

    def __init__(self) -> None:
        self._ids = count(1)
        self._waiting: dict[int, Deferred[Any]] = {}
        self.strays = 0

    @property
    def pending(self) -> int:
        """See `ICommandCorrelator`."""
        return len(self._waiting)

    def issue(self) -> tuple[int, Deferred[Any]]:
        """See `ICommandCorrelator`."""
        command_id = next(self._ids)
        reply: Deferred[Any] = Deferred(lambda _: self._forget(command_id))
        self._waiting[command_id] = reply
        return command_id, reply

    def resolve(self, command_id: int, reply: Any) -> bool:
        """See `ICommandCorrelator`."""
        return self._settle(command_id, reply)

    def fail(self, command_id: int, error: Exception) -> bool:
        """See `ICommandCorrelator`."""
        return self._settle(command_id, Failure(error))

    def fail_all(self, error: Exception) -> None:
        """See `ICommandCorrelator`."""
        waiting, self._waiting = self._waiting, {}  # an errback may issue again: it must not be swept away
        for reply in waiting.values():
            reply.errback(Failure(error))

    def _forget(self, command_id: int) -> None:
        del self._waiting[command_id]

    def _settle(self, command_id: int, outcome: Any) -> bool:
        waiting = self._waiting.pop(command_id, None)
        if waiting is None:
            self.strays += 1
            return False
        waiting.callback(outcome)
        return True


K = TypeVar("K")
V = TypeVar("V")


class Waiters(Generic[K, V]):
    """Each caller gets a Deferred of its own. One that is cancelled (a timeout, say) is forgotten."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[K, list[Deferred[V]]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._waiting

    def wait(self, key: K) -> Deferred[V]:
        """Fires with what `fire` gives, fails with what `fail_all` gives."""
        promise: Deferred[V] = Deferred(lambda _: self._forget(key, promise))
        self._waiting.setdefault(key, []).append(promise)
        return promise

    def fire(self, key: K, value: V) -> None:
        """It happened, for all who wait for it now."""
        for promise in self._waiting.pop(key, []):
            promise.callback(value)

    def fail_all(self, error: Exception) -> None:
        """None of it will happen."""
        waiting, self._waiting = self._waiting, {}
        for promises in waiting.values():
            for promise in promises:
                promise.errback(Failure(error))

    def _forget(self, key: K, promise: Deferred[V]) -> None:
        others = [other for other in self._waiting.get(key, []) if other is not promise]
        if others:
            self._waiting[key] = others
        else:
            self._waiting.pop(key, None)
