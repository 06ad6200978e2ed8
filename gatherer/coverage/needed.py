"""Which segments an answer about a range of time depends on. Neither rule changes the answer; both save reading."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gatherer.capture_format import OPEN_SUFFIX, SUFFIX, segment_time
from gatherer.coverage.connections import ConnectionState
from gatherer.coverage.records import Start
from gatherer.coverage.scan import first_record

SUBSCRIPTION = re.compile(
    rb'^\{"received_at":(\d+),"conn_id":(\d+),"seq_gap":[^\n]{1,120}?"sid":\s*(\d+)', re.MULTILINE
)
"""Time, connection and sid of a message."""


def first_needed(paths: Sequence[Path], start: int) -> int:
    """The index of the first segment of the run before the one that holds a time.

    What is carried follows from all records of a run, and what is missing after a restart from the run before. Earlier
    runs have no influence.
    """
    index = max((number for number, path in enumerate(paths) if (segment_time(path.name) or 0) <= start), default=0)
    runs: list[str] = []
    while index > 0:
        begins = _start_of(paths[index])
        if begins is not None and begins.run not in runs:
            runs.append(begins.run)
        if begins is not None and begins.number == 1 and len(runs) == 2:
            return index
        index -= 1
    return 0


def current(path: Path) -> Path:
    """An open segment may have been finished since the directory was read."""
    if path.name.endswith(OPEN_SUFFIX) and not path.exists():
        return path.with_name(path.name.removesuffix(OPEN_SUFFIX) + SUFFIX)
    return path


class Heard:
    """When each subscription was first heard after a time. A loss before that time is in the capture by then."""

    def __init__(self) -> None:
        self._first: dict[tuple[int, int], int] = {}

    def listen(self, block: bytes, after: int) -> None:
        """The next lines."""
        for at, conn_id, sid in SUBSCRIPTION.findall(block):
            if int(at) >= after:
                self._first.setdefault((int(conn_id), int(sid)), int(at))

    def covers(self, connections: Iterable[ConnectionState], until: int) -> bool:
        """Whether every subscription that carries something was heard before `until`."""
        needed = {(connection.conn_id, leg.sid) for connection in connections for leg in connection.carried()}
        return all(key in self._first and self._first[key] <= until for key in needed)


def _start_of(path: Path) -> Start | None:
    begins = first_record(current(path))
    return None if begins is None else begins[1]
