"""Watches the wall clock, so that a step of it is in the capture and opening times follow it."""

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gatherer.core.clock_steps import ClockStepDetector
from gatherer.interfaces import IMarketRegistry, IMessageRouter
from gatherer.values import Marker

LOOK_SECONDS = 1.0
"""Between two looks at both clocks."""
MAX_DISAGREEMENT = 1.0
"""Seconds that the reactor's clock may be away from CLOCK_MONOTONIC. A reactor on the wall clock is years away."""


class ClockWatch(Service):
    """A step of the wall clock becomes a `clock_step` marker and a log line. The registry looks at its times again."""

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, wall: Callable[[], int], monotonic: Callable[[], float], router: IMessageRouter,
        registry: IMarketRegistry,
    ) -> None:  # fmt: skip
        """`wall` gives Unix time in ns, `monotonic` seconds of CLOCK_MONOTONIC."""
        self._clock = clock
        self._wall = wall
        self._monotonic = monotonic
        self._router = IMessageRouter(router)
        self._registry = IMarketRegistry(registry)
        self._detector = ClockStepDetector(wall(), monotonic())
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        if abs(self._clock.seconds() - self._monotonic()) > MAX_DISAGREEMENT:
            self._log.warn(
                "the timers of this reactor follow the wall clock: a step of it cuts all sockets or delays all dials. "
                "Start twistd without --reactor to use the reactor that does not"
            )
        self._detector = ClockStepDetector(self._wall(), self._monotonic())
        self._call = self._clock.callLater(LOOK_SECONDS, self._look)

    def stopService(self) -> Deferred[None]:
        """No timer is left."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        return succeed(None)

    def _look(self) -> None:
        self._call = self._clock.callLater(LOOK_SECONDS, self._look)
        step = self._detector.look(self._wall(), self._monotonic())
        if step is None:
            return
        self._router.mark(
            Marker("clock_step", 0, self._wall(), {"seconds": round(step.seconds, 6), "since": step.before})
        )
        self._log.warn("the wall clock stepped by {seconds:+.3f} s; timers go on as before", seconds=step.seconds)
        self._registry.clock_stepped()
