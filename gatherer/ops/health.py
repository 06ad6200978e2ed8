"""What is measured by looking now and then: how late the reactor is, how old messages are, whether the feed flows."""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gatherer.core.health.checks import health
from gatherer.core.health.monitor import HealthMonitor
from gatherer.core.histograms import Measurements
from gatherer.core.wire.codec import decode_time
from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter

PROBE_SECONDS = 0.1
"""A timer ten times a second: each turn of a tenth of a second or more is noticed, shorter ones now and then."""
SAMPLE_PROBES = 10
"""Probes between two samples of the messages' age: once a second and connection."""
LOOK_PROBES = 50
"""Probes between two looks of the vigil."""
LAG_MEMORY = 600
"""Probes whose worst the health page tells: one minute."""
MAX_SAMPLE = 65_536
"""Bytes. A longer message is a book, which has no time of its own and takes long to read."""
AGE_MEMORY = 60.0
"""Seconds after which the age of a connection's last sample says nothing about now."""


class HealthService(Service):
    """One timer for all of it. Lateness is measured with `monotonic`, which no NTP step can move."""

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, monotonic: Callable[[], float], meters: Measurements, manager: Any, registry: Any,
        router: Any, frozen_after: float,
    ) -> None:  # fmt: skip
        """`frozen_after`: see `StaleFeedDetector`. `monotonic` gives seconds since whenever."""
        self.setName("vitals")
        self._clock = clock
        self._monotonic = monotonic
        self.meters = meters
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._vigil = HealthMonitor(frozen_after)
        self._call: IDelayedCall | None = None
        self._due = 0.0
        self._probes = 0
        self._lags: deque[float] = deque(maxlen=LAG_MEMORY)
        self._ages: dict[int, tuple[int, float]] = {}
        """Connection to the time of its last sample, Unix ns, and the age found then, in seconds."""
        self._status = "starting"

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._arm()

    def stopService(self) -> None:
        """No timer is left."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def report(self) -> dict[str, Any]:
        """What `HealthMonitor.report` has, with `lag_seconds`, the worst of the last minute."""
        return {**self._vigil.report(), "lag_seconds": max(self._lags, default=0.0)}

    def health(self) -> dict[str, Any]:
        """The verdict on the figures of this moment; what must last is judged by the looks, 5 s apart."""
        parts = (self._manager.status(), self._registry.status(), self._router.status())
        return health(*parts, self.report())

    def ages(self) -> dict[int, float]:
        """Seconds from the exchange's time to ours, of the latest sample of each connection that has a recent one."""
        oldest = (self._clock.seconds() - AGE_MEMORY) * 1e9
        return {conn_id: age for conn_id, (at, age) in self._ages.items() if at >= oldest}

    def _arm(self) -> None:
        self._due = self._monotonic() + PROBE_SECONDS
        self._call = self._clock.callLater(PROBE_SECONDS, self._probe)

    def _probe(self) -> None:
        late = max(0.0, self._monotonic() - self._due)
        self.meters.reactor_lag.observe(late)
        self._lags.append(late)
        self._probes += 1
        self._arm()
        if self._probes % SAMPLE_PROBES == 0:
            self._sample()
        if self._probes % LOOK_PROBES == 0:
            self._look()

    def _sample(self) -> None:
        for connection in self._manager.connections():
            sample = connection.sample()
            if sample is None or len(sample[0]) > MAX_SAMPLE:
                continue
            data, at = sample
            if self._ages.get(connection.conn_id, (0, 0.0))[0] == at:
                continue  # nothing came since
            sent = decode_time(data)
            if sent is not None:
                age = at / 1e9 - sent
                self._ages[connection.conn_id] = (at, age)
                self.meters.message_age[connection.role].observe(age)

    def _look(self) -> None:
        try:
            figures = (self._manager.status(), self._registry.status(), self._router.status())
            self._vigil.look(self._clock.seconds(), *figures)
            self._tell(health(*figures, self.report()))
        except Exception:  # the health page shows it as well; the timer must go on
            self._log.failure("the look at the vital signs failed")

    def _tell(self, verdict: dict[str, Any]) -> None:
        """One line per change of the verdict."""
        status, before = verdict["status"], self._status
        if status == before:
            return
        self._status = status
        why = "; ".join([*verdict["problems"], *verdict["warnings"]]) or "all is well"
        log = self._log.error if status == "failing" else self._log.warn if status == "degraded" else self._log.info
        log("health was {before}, is {status}: {why}", before=before, status=status, why=why)
