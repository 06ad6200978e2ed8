"""The newest events, for people: log lines of "info" and above, and what `changes` finds."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from twisted.application.service import Service
from twisted.logger import ILogObserver, LogEvent, LogLevel, LogPublisher
from zope.interface import implementer

from gatherer.interfaces import ConnectionStatus, PoolStatus
from gatherer.log.observer import format_json

MAX_SINGLE = 4
"""Changes of one kind in one look that are described one by one."""

Change = tuple[str, str, int | None]
"""Level as in the log, sentence, connection id or None when it is about several."""


def changes(before: PoolStatus, after: PoolStatus) -> Iterator[Change]:
    """What happened between two statuses of the pool."""
    then = {each.conn_id: each for each in before.connections}
    pairs = [(then[each.conn_id], each) for each in after.connections if each.conn_id in then]
    up = [now for was, now in pairs if now.is_live and not was.is_live]
    yield from _described("info", up, [_up(each) for each in up], f"{len(up)} connections are live")
    holed = [(was, now) for was, now in pairs if now.gaps > was.gaps]
    gaps = sum(now.gaps - was.gaps for was, now in holed)
    skipped = sum(now.skipped - was.skipped for was, now in holed)
    yield from _described(
        "warn",
        [now for _, now in holed],
        [_gap(was, now) for was, now in holed],
        f"{gaps} gaps on {len(holed)} connections, {skipped} messages missing",
    )


def _described(
    level: str, connections: list[ConnectionStatus], sentences: list[str], together: str
) -> Iterator[Change]:
    if len(sentences) > MAX_SINGLE:
        yield level, together, None
    else:
        yield from ((level, text, each.conn_id) for each, text in zip(connections, sentences, strict=True))


def _name(status: ConnectionStatus) -> str:
    return f"{status.role.value}-{status.conn_id}"


def _up(now: ConnectionStatus) -> str:
    return f"{_name(now)} is live" + (" again" if now.reconnects else "")


def _gap(was: ConnectionStatus, now: ConnectionStatus) -> str:
    gaps, skipped = now.gaps - was.gaps, now.skipped - was.skipped
    plural = "gap" if gaps == 1 else "gaps"
    return f"{_name(now)}: {gaps} {plural}, {skipped} {'message' if skipped == 1 else 'messages'} missing"


MAX_ENTRIES = 200
MAX_TEXT = 240
"""Characters of an entry; what the exchange sends may be quoted in one."""
MAX_BYTES = 24_000
"""Of what one message to the page may hold of them."""
NAMESPACE = "gatherer."
IGNORED = ("gatherer.ops.summary", "gatherer.simulator")
"""The page shows what the summary says already; the simulated exchange is not the gatherer."""
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

    def row(self) -> list[object]:
        """As `COLUMNS` says."""
        return [self.id, round(self.at, 1), self.level, self.text, self.conn_id]


@implementer(ILogObserver)
class EventLog(Service):
    """A ring, fed by the log while it runs.

    The log's own formatter makes the text of an event, so what it hides is hidden here as well.
    """

    def __init__(self, publisher: LogPublisher) -> None:
        self._publisher = publisher
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self.last_id = 0

    def privilegedStartService(self) -> None:
        """Take events before any other part starts: the first ones are about the capture directory."""
        super().privilegedStartService()
        self._publisher.addObserver(self)

    def startService(self) -> None:
        """Take events, where nothing called `privilegedStartService`."""
        super().startService()
        self._publisher.addObserver(self)

    def stopService(self) -> None:
        """Take no more events; what is here stays."""
        super().stopService()
        self._publisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """See `ILogObserver`. An observer must not raise, and `format_json` does not."""
        level, namespace = event.get("log_level"), str(event.get("log_namespace", ""))
        if level is None or level < LogLevel.info or not namespace.startswith(NAMESPACE):
            return
        if namespace.startswith(IGNORED) or event.get("kind") == _GAP:
            return
        text = str(msgspec.json.decode(format_json(event))["event"])
        self.add(float(event.get("log_time") or 0.0), level.name, text, _connection(event))

    def add(self, at: float, level: str, text: str, conn_id: int | None = None) -> None:
        """`at` in Unix seconds, `level` one of `LEVELS`."""
        self.last_id += 1
        line = " ".join(text.split())
        cut = line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
        self._entries.append(Entry(self.last_id, at, level, cut, conn_id))

    def since(self, last_id: int, most_bytes: int = MAX_BYTES) -> list[list[object]]:
        """Rows with a higher id, oldest first; the oldest are left out when it would be too much at once."""
        rows: list[list[object]] = []
        for entry in reversed(self._entries):
            most_bytes -= len(entry.text.encode()) + 60
            if entry.id <= last_id or most_bytes < 0:
                break
            rows.append(entry.row())
        return rows[::-1]

    def about(self, conn_id: int) -> list[list[object]]:
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
