"""The newest events, for people: what the log says at "info" and above, and what `changes` finds."""

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from gatherer.ops.logs import format_json

MOST_ENTRIES = 200
MOST_TEXT = 240
"""Characters of an entry; what the exchange sends may be quoted in one."""
MOST_BYTES = 24_000
"""Of what one message to the page may hold of them."""
NAMESPACE = "gatherer."
NOT_NEWS = ("gatherer.ops.summary", "gatherer.simulator")
"""The pulse is on the page already; the simulated exchange's own troubles are none of the gatherer's."""
LEVELS = ("info", "warn", "error", "critical")
COLUMNS = ("id", "at", "level", "text", "conn_id")
"""Of an entry: rising from 1; Unix time; as in the log; a sentence; a connection's id or null."""

_CONNECTION = re.compile(r"^(?:ticker|trade|market_lifecycle|orderbook_delta)-(\d+)$")
_GAP = "gap"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event."""

    id: int
    at: float
    level: str
    text: str
    conn_id: int | None

    def row(self) -> list[Any]:
        """As `COLUMNS` says."""
        return [self.id, round(self.at, 1), self.level, self.text, self.conn_id]


@implementer(ILogObserver)
class Journal:
    """A ring. The text of a log event is made by the log's own formatter, so what it hides is hidden here as well."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self.last_id = 0

    def __call__(self, event: LogEvent) -> None:
        """See `ILogObserver`. An observer must not raise, and `format_json` does not."""
        level, namespace = event.get("log_level"), str(event.get("log_namespace", ""))
        if level is None or level < LogLevel.info or not namespace.startswith(NAMESPACE):
            return
        if namespace.startswith(NOT_NEWS) or event.get("kind") == _GAP:
            return
        text = str(msgspec.json.decode(format_json(event))["event"])
        self.add(float(event.get("log_time") or 0.0), level.name, text, _connection(event))

    def add(self, at: float, level: str, text: str, conn_id: int | None = None) -> None:
        """`at` in Unix seconds, `level` one of `LEVELS`."""
        self.last_id += 1
        line = " ".join(text.split())
        cut = line if len(line) <= MOST_TEXT else line[: MOST_TEXT - 1] + "…"
        self._entries.append(Entry(self.last_id, at, level, cut, conn_id))

    def since(self, last_id: int, most_bytes: int = MOST_BYTES) -> list[list[Any]]:
        """Rows with a higher id, oldest first; the oldest are left out when it would be too much at once."""
        rows: list[list[Any]] = []
        for entry in reversed(self._entries):
            most_bytes -= len(entry.text.encode()) + 60
            if entry.id <= last_id or most_bytes < 0:
                break
            rows.append(entry.row())
        return rows[::-1]

    def about(self, conn_id: int) -> list[list[Any]]:
        """Rows about one connection, oldest first."""
        return [entry.row() for entry in self._entries if entry.conn_id == conn_id]


def _connection(event: LogEvent) -> int | None:
    conn_id = event.get("conn_id")
    if isinstance(conn_id, int):
        return conn_id
    for field in ("name", "where"):
        found = _CONNECTION.match(str(event.get(field, "")))
        if found:
            return int(found[1])
    return None
