"""Deferreds that wait for a reply (by command id) or an event (by key). No other module of core knows Deferreds."""

from itertools import count
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.interfaces import ICommandCorrelator

K = TypeVar("K")
V = TypeVar("V")


@implementer(ICommandCorrelator)
class PendingCommands:
    """Match each reply of the exchange to the command that asked for it.

    Each session has its own. Ids are unique on a connection (protocol section 3). They start at 1, because the exchange
    takes 0 for "no id". A reply is of any type: the callers of `issue` and `resolve` agree on it.
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
        waiting, self._waiting = self._waiting, {}  # an errback may issue a new command, which must not fail
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


class Waiters(Generic[K, V]):
    """Each caller gets its own Deferred. A cancelled one (after a timeout, say) is forgotten."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[K, list[Deferred[V]]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._waiting

    def wait(self, key: K) -> Deferred[V]:
        """A Deferred that fires with the value of `fire` and fails with the error of `fail_all`."""
        deferred: Deferred[V] = Deferred(lambda _: self._forget(key, deferred))
        self._waiting.setdefault(key, []).append(deferred)
        return deferred

    def fire(self, key: K, value: V) -> None:
        """Fire the Deferreds that wait for this key now."""
        for deferred in self._waiting.pop(key, []):
            deferred.callback(value)

    def fail_all(self, error: Exception) -> None:
        """Fail every Deferred: no event will come."""
        waiting, self._waiting = self._waiting, {}
        for deferreds in waiting.values():
            for deferred in deferreds:
                deferred.errback(Failure(error))

    def _forget(self, key: K, deferred: Deferred[V]) -> None:
        others = [other for other in self._waiting.get(key, []) if other is not deferred]
        if others:
            self._waiting[key] = others
        else:
            self._waiting.pop(key, None)
