"""Signing without holding up the reactor.

A signature takes 0.3 ms with an RSA key of 2,048 bits and 1.6 ms with 4,096. Dials are paced, but after a hiccup of the
network the sockets of many dials come up in the same turn; 150 signatures in it would be a quarter of a second.
"""

from collections import deque
from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

Headers = Mapping[str, str]


class OnePerTurn:
    """Signs on request, first come, first served, one signature in a turn of the reactor."""

    def __init__(self, clock: IReactorTime, sign: Callable[[], Headers]) -> None:
        """`sign` makes the headers of a request that is sent now."""
        self._clock = clock
        self._sign = sign
        self._waiting: deque[Deferred[Headers]] = deque()
        self._call: IDelayedCall | None = None

    def __call__(self) -> Deferred[Headers]:
        """Fires with headers signed in that very turn; fails as `sign` does. Whoever no longer needs them cancels."""
        signed: Deferred[Headers] = Deferred(self._forget)
        self._waiting.append(signed)
        self._arm()
        return signed

    def _arm(self) -> None:
        if self._waiting and self._call is None:
            self._call = self._clock.callLater(0, self._next)

    def _next(self) -> None:
        self._call = None
        signed = self._waiting.popleft()
        self._arm()
        try:
            headers = self._sign()
        except Exception:
            signed.errback()
        else:
            signed.callback(headers)

    def _forget(self, signed: Deferred[Headers]) -> None:
        if signed in self._waiting:
            self._waiting.remove(signed)
        if not self._waiting and self._call is not None:
            self._call.cancel()
            self._call = None
