"""How gatherer writes its log: text or JSON lines, levels, and no flood of equal lines.

Observers for `twisted.logger`, and `Throttle` for code that would log too often. Events come from every package and
leave through one stream. Nothing here knows what an event means.
"""

from gatherer.log.levels import LevelControl
from gatherer.log.observer import LineObserver, format_json, format_text, is_journal, make_observer
from gatherer.log.repeats import RepeatSuppressor
from gatherer.log.throttle import Throttle

__all__ = [
    "LevelControl",
    "LineObserver",
    "RepeatSuppressor",
    "Throttle",
    "format_json",
    "format_text",
    "is_journal",
    "make_observer",
]
