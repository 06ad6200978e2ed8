"""Whether the gatherer does its work, decided from the parts' statuses.

The monitor looks at the statuses every few seconds and remembers what shows only over time; the checks turn statuses
and memory into `HealthStatus` and `Readiness`. No clock and no timer may live here: `gatherer.ops.health` has them.
"""

from gatherer.core.health.checks import Observations, health, readiness
from gatherer.core.health.monitor import HealthMonitor

__all__ = ["HealthMonitor", "Observations", "health", "readiness"]
