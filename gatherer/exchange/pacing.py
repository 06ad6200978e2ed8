"""The one gate all dials pass, first and repeated: 150 sockets must not knock in the same second."""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

SLOWEST = 10.0
"""Seconds between dials, at most, however often the exchange answers 429."""


class DialPacer:
    """Lets dials through one after the other, `rate` a second. An answer 429, 401 or 403 halves the pace
    of all of them; every upgrade that succeeds brings it half-way back."""

    def __init__(self, clock: IReactorTime, rate: float) -> None:
        self._clock = clock
        self._fastest = 1.0 / rate
        self._interval = self._fastest
        self._next_at = 0.0
        self._queue: deque[Callable[[], object]] = deque()
        self._call: IDelayedCall | None = None

    @property
    def interval(self) -> float:
        """Seconds between two dials at present."""
        return self._interval

    def set_rate(self, rate: float) -> None:
        """So many dials a second from the next one on, whatever the exchange answered so far."""
        self._fastest = self._interval = 1.0 / rate

    def admit(self, dial: Callable[[], object]) -> Callable[[], None]:
        """Call `dial` when it is its turn. Returns what takes it out of the queue again."""
        self._queue.append(dial)
        self._arm()
        return lambda: self._withdraw(dial)

    def slow_down(self) -> None:
        """The exchange said "too many"."""
        self._interval = min(SLOWEST, self._interval * 2)
        self._next_at = max(self._next_at, self._clock.seconds() + self._interval)

    def speed_up(self) -> None:
        """The exchange let one in."""
        self._interval = max(self._fastest, self._interval / 2)

    def _withdraw(self, dial: Callable[[], object]) -> None:
        if dial in self._queue:
            self._queue.remove(dial)
        if not self._queue and self._call is not None:
            self._call.cancel()
            self._call = None

    def _arm(self) -> None:
        if self._queue and self._call is None:
            self._call = self._clock.callLater(max(0.0, self._next_at - self._clock.seconds()), self._turn)

    def _turn(self) -> None:
        self._call = None
        now = self._clock.seconds()
        if now < self._next_at:  # the pace slowed down since the call was made
            return self._arm()
        self._next_at = now + self._interval
        dial = self._queue.popleft()
        self._arm()
        dial()
