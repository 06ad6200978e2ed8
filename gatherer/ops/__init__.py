"""How a running gatherer shows itself: metrics, health, summary line, systemd, state dump; `web/` and `manhole/`.

`HealthService.status` reads all parts, and everything else here shows what it returns. Nothing here changes the capture
or the pool, but for the commands of the manhole, which go through `IPoolAdmin`.
"""

from gatherer.ops.health import HealthService
from gatherer.ops.state_dump import StateDump
from gatherer.ops.summary import Summary
from gatherer.ops.systemd import NotifySocket, SystemdService, notify_address, watchdog_seconds

__all__ = [
    "HealthService",
    "NotifySocket",
    "StateDump",
    "Summary",
    "SystemdService",
    "notify_address",
    "watchdog_seconds",
]  # fmt: skip
