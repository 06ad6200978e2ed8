"""What is measured now and then: how late the reactor is, how old messages are, whether the feed flows.

`HealthService.status` is the one place where the statuses of all parts come together.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gatherer.core.health import HealthMonitor, Observations, health, readiness
from gatherer.core.histograms import Measurements
from gatherer.core.wire.codec import decode_time
from gatherer.interfaces import GathererStatus, HealthStatus, IConnectionManager, IMarketRegistry, IMessageRouter

PROBE_SECONDS = 0.1
"""A timer ten times a second: each turn of a tenth of a second or more is noticed, shorter ones now and then."""
SAMPLE_PROBES = 10
"""Probes between two samples of the messages' age: once a second and connection."""
LOOK_PROBES = 50
"""Probes between two looks of the monitor."""
LAG_MEMORY = 600
"""Probes of which the health page shows the worst: one minute."""
MAX_SAMPLE = 65_536
"""Bytes. A longer message is a book, which has no time of its own and takes long to read."""
AGE_MEMORY = 60.0
"""Seconds after which the age of a connection's last sample is out of date."""


class HealthService(Service):
    """One timer for all of it. Lateness is measured with `monotonic`, which no NTP step moves."""

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, wall: Callable[[], int], monotonic: Callable[[], float], meters: Measurements,
        manager: IConnectionManager, registry: IMarketRegistry, router: IMessageRouter, frozen_after: float,
    ) -> None:  # fmt: skip
        """`frozen_after`: see `StaleFeedDetector`. `wall` gives Unix time in ns, `monotonic`
        seconds of a clock that is never set."""
        self.setName("health")
        self._clock = clock
        self._wall = wall
        self._monotonic = monotonic
        self.meters = meters
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._monitor = HealthMonitor(frozen_after)
        self._call: IDelayedCall | None = None
        self._due = 0.0
        self._probes = 0
        self._lags: deque[float] = deque(maxlen=LAG_MEMORY)
        self._ages: dict[int, tuple[int, float]] = {}
        """Connection to the time of its last sample, Unix ns, and the age found then, in seconds."""
        self._status = "starting"

    def startService(self) -> None:
        """Start the timer."""
        super().startService()
        self._arm()

    def stopService(self) -> None:
        """No timer is left."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def observations(self) -> Observations:
        """What the last look found, with the worst lateness of the last minute."""
        return replace(self._monitor.report(), lag_seconds=max(self._lags, default=0.0))

    def status(self) -> GathererStatus:
        """All parts at this moment and the verdict on them; what must last is judged by the looks, 5 s apart."""
        pool, registry, router = self._manager.status(), self._registry.status(), self._router.status()
        observed = self.observations()
        return GathererStatus(
            pool=pool,
            registry=registry,
            router=router,
            health=health(pool, registry, router, observed),
            readiness=readiness(pool, registry, router, observed),
        )

    def ages(self) -> dict[int, float]:
        """Seconds from the exchange's time to ours, of the latest sample of each connection that has a recent one."""
        oldest = self._wall() - AGE_MEMORY * 1e9
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
            read = connection.latest_read()
            if read is None or len(read[0][0]) > MAX_SAMPLE:
                continue
            data, at = read[0][0], read[1]
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
            self._monitor.look(self._clock.seconds(), self._wall() / 1e9, *figures)
            self._log_change(health(*figures, self.observations()))
        except Exception:  # the health page shows the error as well; the timer must go on
            self._log.failure("the look at the figures failed")

    def _log_change(self, verdict: HealthStatus) -> None:
        """One line per change of the verdict."""
        status, before = verdict.status, self._status
        if status == before:
            return
        self._status = status
        why = "; ".join([*verdict.problems, *verdict.warnings]) or "all is well"
        log = self._log.error if status == "failing" else self._log.warn if status == "degraded" else self._log.info
        log("health was {before}, is {status}: {why}", before=before, status=status, why=why)
