"""Captures of a gatherer that is made up, but writes its markers as the real one does, while everything goes wrong."""

from dataclasses import dataclass
from pathlib import Path

import zstandard
from hypothesis import strategies as st

from gatherer.capture_format import encode_batch, encode_marker, encode_segment_start, segment_name
from gatherer.values import Marker, RawMessage

START = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
ROLES = {3: "trade", 7: "orderbook_delta", 8: "orderbook_delta"}
MARKETS = ("KXA-1", "KXB-1")
VERBS = (
    "flow", "flow", "flow", "flow", "up", "down", "add", "add", "remove", "snapshot", "gap", "drop", "terminal",
    "garbage", "segment", "segment", "kill", "stop", "lose segment", "frozen", "step",
)  # fmt: skip
Step = tuple[str, int, int, float, bool]
steps = st.lists(
    st.tuples(
        st.sampled_from(VERBS), st.sampled_from((3, 7, 7, 8)), st.integers(0, 1),
        st.sampled_from((0.0, 0.5, 5.0, 25.0, 70.0)), st.booleans(),
    ),
    max_size=60,
)  # fmt: skip
"""Verb, connection, market, seconds until the next step, and a choice."""


Book = tuple[int, str]
"""Connection and market."""


@dataclass(slots=True)
class _Session:
    sid: int = 0
    heard: int = 0
    seq: int = 0
    moment: int = 0
    """In which moment it was heard."""


@dataclass(slots=True)
class Moment:
    """The time between two steps, and the books that were complete all through it. Losses take books away later."""

    start: int
    end: int
    complete: set[Book]


class MadeUpGatherer:
    """Writes segments. What it says of losses is what a real one would: times of the last message it has read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.now = START
        self.moments: list[Moment] = []
        self._complete: set[Book] = set()
        self._rotated = self._latest = 0
        self._named = 0
        self._lines: list[bytes] = []
        self._segment = self._number = 0
        self._run = ""
        self._sessions: dict[int, _Session] = {}
        self._held: set[tuple[int, str]] = set()
        self._begin_run()

    def tell(self, story: list[Step], last: str) -> None:
        """All steps, then the end."""
        for verb, conn_id, market, pause, flag in story:
            self._do(verb, conn_id, MARKETS[market], flag)
            end = self.now + int(pause * SECOND) + 1000
            self.moments.append(Moment(self.now, end, set(self._complete)))
            self.now = end
        self._do(last, 7, MARKETS[0], True)
        self._rotate()

    def _do(self, verb: str, conn_id: int, ticker: str, flag: bool) -> None:
        session = self._sessions.get(conn_id)
        if verb in ("segment", "lose segment"):
            self._rotate(lose=verb != "segment")
        elif verb in ("kill", "stop"):
            self._end_run(stopped=verb == "stop")
        elif verb == "step":
            self.now -= 40 * SECOND if flag else -90 * SECOND
            self._mark(0, "clock_step", seconds=-40.0 if flag else 90.0)
        elif session is None:
            if verb in ("up", "add", "flow"):
                self._up(conn_id)
        elif verb == "up":
            return
        elif verb == "down":
            self._mark(conn_id, "session_down", reason="cut", since=session.heard, stopped=False)
            self._lose(session.moment, conn_id)
            self._drop_session(conn_id)
        elif conn_id != 3 or verb in ("flow", "gap", "drop", "garbage", "terminal"):
            getattr(self, "_" + verb)(conn_id, session, ticker, flag)

    def _lose(self, since: int, conn_id: int, for_good: bool = True) -> None:
        """No book of a connection (0: of any) was complete from a moment on."""
        for moment in self.moments[since:]:
            moment.complete = {book for book in moment.complete if conn_id and book[0] != conn_id}
        if for_good:
            self._complete = {book for book in self._complete if conn_id and book[0] != conn_id}

    def _before(self, moment: int) -> int:
        """The first moment in which a socket was surely dead, if one after it is the last of all and the socket was
        dead as long as possible: the gatherer would have noticed a longer silence."""
        left = 30 * SECOND
        while moment > 0 and left >= self.moments[moment - 1].end - self.moments[moment - 1].start:
            moment -= 1
            left -= self.moments[moment].end - self.moments[moment].start
        return moment

    # -- verbs of a session -------------------------------------------------------------------

    def _up(self, conn_id: int) -> None:
        self._mark(conn_id, "session_up", role=ROLES[conn_id], ping_timeout=30.0)
        self._sessions[conn_id] = _Session(0, self.now, 0, len(self.moments))
        if conn_id == 3:
            self._sessions[conn_id].sid = 1
            self._mark(conn_id, "markets_added", sid=1, channel="trade", tickers=[])

    def _flow(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        for other, each in self._sessions.items():
            for held in sorted(name for number, name in self._held if number == other) or ["", ""][: other == 3]:
                self._say(other, each, "orderbook_delta" if held else "trade", held)

    def _add(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        session.sid = session.sid or 1
        if flag:
            self._say(conn_id, session, "orderbook_snapshot", ticker)
            self._complete.add((conn_id, ticker))
        self._held.add((conn_id, ticker))
        self._hear(session)
        self._mark(conn_id, "markets_added", sid=session.sid, channel="orderbook_delta", tickers=[ticker])

    def _remove(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        self._held.discard((conn_id, ticker))
        self._complete.discard((conn_id, ticker))
        self._hear(session)
        self._mark(conn_id, "markets_removed", sid=session.sid, tickers=[ticker], moved=flag)

    def _snapshot(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        if (conn_id, ticker) in self._held:
            self._say(conn_id, session, "orderbook_snapshot", ticker, 9 if flag else 0)
            self._complete.add((conn_id, ticker))

    def _gap(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        if conn_id == 3 or any(number == conn_id for number, _ in self._held):
            self._mark(conn_id, "gap", sid=session.sid, size=3, seq=9, since=session.heard)
            self._lose(session.moment, conn_id)
            self._say(conn_id, session, "orderbook_delta", ticker)

    def _drop(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        self._lose(len(self.moments), conn_id)
        self._mark(conn_id, "local_drop", count=5, first_at=self.now - 10, last_at=self.now)

    def _garbage(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        self._mark(conn_id, "undecodable", reason="json", base64="")
        self._lose(len(self.moments), conn_id)

    def _terminal(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        if session.sid and conn_id != 3:
            self._mark(conn_id, "terminal_error", sid=session.sid, code=25, text="overflow")
            self._lose(len(self.moments), conn_id)
            self._held = {held for held in self._held if held[0] != conn_id}
            session.sid += 1

    def _frozen(self, conn_id: int, session: _Session, ticker: str, flag: bool) -> None:
        self._mark(conn_id, "feed_frozen", conn_ids=[conn_id], since=session.heard, until=self.now)
        self._lose(session.moment, conn_id, for_good=False)

    # -- the file -----------------------------------------------------------------------------

    def _say(self, conn_id: int, session: _Session, kind: str, ticker: str, asked: int = 0) -> None:
        session.seq += 1
        self._hear(session)
        number = b'"id":%d,' % asked if asked else b""
        body = b'{%b"type":"%b","sid":%d,"seq":%d,"msg":{"market_ticker":"%b"}}' % (
            number, kind.encode(), session.sid, session.seq, ticker.encode()
        )  # fmt: skip
        self._lines.append(encode_batch([RawMessage(body, conn_id, self.now)]))

    def _hear(self, session: _Session) -> None:
        """A message came, perhaps a reply."""
        session.heard = self.now
        session.moment = self._latest = len(self.moments)

    def _mark(self, conn_id: int, kind: str, **facts: object) -> None:
        self._latest = len(self.moments)
        self._lines.append(encode_marker(Marker(kind, conn_id, self.now, facts)))

    def _begin_run(self) -> None:
        self._run, self._number = "", 0
        self._sessions, self._held = {}, set()

    def _end_run(self, stopped: bool) -> None:
        for conn_id, session in self._sessions.items() if stopped else ():
            self._mark(conn_id, "session_down", reason="stopped", since=session.heard, stopped=True)
        for conn_id, session in self._sessions.items():
            self._lose(session.moment if stopped else max(session.moment, self._before(self._latest)), conn_id)
        self._rotate()
        self._begin_run()

    def _drop_session(self, conn_id: int) -> None:
        del self._sessions[conn_id]
        self._held = {held for held in self._held if held[0] != conn_id}

    def _rotate(self, lose: bool = False) -> None:
        """Write a segment, or lose it. One that tells of a step of the clock is not lost: nobody could know of it."""
        if not self._lines:
            return
        lose = lose and not any(b"clock_step" in line for line in self._lines)
        self._segment += 1
        self._number += 1
        lines, self._lines = b"".join(self._lines), []
        at = int(lines[: lines.find(b",")].removeprefix(b'{"received_at":'))
        self._named = max(self._named, at)
        name = segment_name(self._named, self._segment)
        self._run = self._run or name
        if lose:
            self._lose(self._rotated, 0)
        self._rotated = len(self.moments)
        if not lose:
            head = encode_segment_start(at, {"segment": name, "run": self._run, "number": self._number})
            compressor = zstandard.ZstdCompressor(write_checksum=True)
            (self.directory / name).write_bytes(compressor.compress(head + lines))
