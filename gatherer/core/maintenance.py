"""When the exchange rests by its own schedule (protocol section 6): Thursdays, 03:00 to 05:00 in New York."""

from datetime import datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
THURSDAY = 3
BEGIN, END = 3, 5
"""Hours of the local day. What lasts longer is told by the exchange's status."""


def in_maintenance(now: float) -> bool:
    """Whether Unix time `now` lies in the weekly window. A zone, not an offset: the window moves with summer time."""
    local = datetime.fromtimestamp(now, NEW_YORK)
    return local.weekday() == THURSDAY and BEGIN <= local.hour < END
