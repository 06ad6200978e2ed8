"""Who waits for what: many Deferreds on many keys, each with one owner."""

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

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
