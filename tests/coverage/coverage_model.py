"""What the judge should say of one market, the slow and simple way: a letter per connection and moment."""

from gatherer.coverage import BOOKS
from gatherer.coverage.capture_judge import CaptureJudge
from gatherer.coverage.joining import CaptureVoices, join
from gatherer.coverage.records import Body, Facts, Message

TICKER = "KXTEST-1"
STEP = 10
"""Length of a moment; events fall on their borders."""
VERBS = ("up", "down", "add", "remove", "snapshot", "snapshot", "gap", "drop", "unreadable", "terminal", "wait")
ABSENT, STARTING, BROKEN, COMPLETE = "asbc"
RANK = ABSENT + STARTING + BROKEN + COMPLETE


def time_of(moment: int) -> int:
    """Where a moment begins; never 0, which stands for an unknown time."""
    return (moment + 1) * STEP


def added(judge: CaptureJudge, at: int, sid: int = 1, conn_id: int = 7) -> None:
    """The market is acknowledged."""
    judge.added(conn_id, at, Facts(sid=sid, tickers=[TICKER], channel=BOOKS))


def removed(judge: CaptureJudge, at: int, since: int = 0, moved: bool = False, conn_id: int = 7) -> None:
    """The market is carried no more."""
    judge.removed(conn_id, at, Facts(tickers=[TICKER], since=since, moved=moved))


def snapshot(judge: CaptureJudge, at: int, sid: int = 1, asked: bool = False, conn_id: int = 7) -> None:
    """Its book."""
    judge.message(conn_id, at, Message("orderbook_snapshot", int(asked), sid, Body(TICKER)))


def delta(judge: CaptureJudge, at: int, sid: int = 1, conn_id: int = 7) -> None:
    """A change of it."""
    judge.message(conn_id, at, Message("orderbook_delta", 0, sid, Body(TICKER)))


def answer(judge: CaptureJudge, start: int, end: int, channel: str = BOOKS) -> list[tuple[int, int, str]]:
    """What the judge says from `start` to `end`, in words."""
    feed = judge.feeds.get((channel, TICKER if channel == BOOKS else None))
    voices = CaptureVoices("here", min(start, 0), end, feed)
    return [(i.start, i.end, i.state.value) for i in join([voices], start, end)]


class Model:
    """`a` absent, `s` first snapshot awaited, `b` broken, `c` complete."""

    def __init__(self) -> None:
        self.cells: dict[int, list[str]] = {7: [], 8: []}
        self.now: dict[int, str] = {7: ABSENT, 8: ABSENT}
        self.up: dict[int, bool | None] = {7: None, 8: None}
        self.removed = {7: False, 8: False}
        self.over = {7: False, 8: False}
        self.dismissed = {7: False, 8: False}

    def __len__(self) -> int:
        return len(self.cells[7])

    def wait(self) -> None:
        """A moment passes."""
        for conn_id, letters in self.cells.items():
            letters.append(self.now[conn_id])

    def lose(self, conn_id: int, since: int) -> None:
        """From moment `since` on nothing was complete."""
        letters = self.cells[conn_id]
        letters[since:] = [BROKEN if letter == COMPLETE else letter for letter in letters[since:]]
        if self.now[conn_id] == COMPLETE:
            self.now[conn_id] = BROKEN

    def become(self, conn_id: int, letter: str, lost: bool = False) -> None:
        """Another letter from now on. Waiting for the first snapshot was a hole if that did not come, or was lost."""
        letters, index = self.cells[conn_id], len(self) - 1
        while self.now[conn_id] == STARTING and index >= 0 and letters[index] == STARTING:
            letters[index] = ABSENT if letter == COMPLETE and not lost else BROKEN
            index -= 1
        self.now[conn_id] = letter

    def answer(self) -> list[str]:
        """In words, the better of the two connections each. Nothing follows."""
        for conn_id, letter in self.now.items():
            if letter == STARTING:
                self.become(conn_id, BROKEN)
        words = {COMPLETE: "complete", BROKEN: "hole", ABSENT: "not_carried"}
        return [words[max(pair, key=RANK.index)] for pair in zip(*self.cells.values(), strict=True)]


def tell(judge: CaptureJudge, model: Model, verb: str, conn_id: int, back: int, flag: bool) -> None:
    """One event to both, then a moment passes."""
    moment = len(model)
    first, at = max(0, moment - back), time_of(moment)
    since = time_of(first)
    if verb == "up":
        model.up[conn_id], model.over[conn_id] = True, False
        judge.session_up(conn_id, at, Facts())
    elif verb == "down":
        model.up[conn_id] = False
        _end(model, conn_id, first)
        judge.session_down(conn_id, at, Facts(since=since, reason="cut"))
    elif verb == "add":
        model.removed[conn_id] = model.over[conn_id] = model.dismissed[conn_id] = False
        if model.now[conn_id] == ABSENT:
            model.now[conn_id] = STARTING
        added(judge, at, 1, conn_id)
    elif verb == "remove":
        model.removed[conn_id] = model.dismissed[conn_id] = True
        model.become(conn_id, ABSENT)
        removed(judge, at, conn_id=conn_id)
    elif verb == "snapshot":
        if model.up[conn_id] is not False and not (flag and (model.removed[conn_id] or model.over[conn_id])):
            model.become(conn_id, COMPLETE, lost=flag)
            model.removed[conn_id] = model.over[conn_id] = False
        snapshot(judge, at, 1, flag, conn_id)
    else:
        _lose(judge, model, verb, conn_id, first, at)
    model.wait()


def _end(model: Model, conn_id: int, since: int) -> None:
    model.lose(conn_id, since)
    if model.now[conn_id] != ABSENT:
        model.become(conn_id, ABSENT if model.dismissed[conn_id] else BROKEN)


def _lose(judge: CaptureJudge, model: Model, verb: str, conn_id: int, first: int, at: int) -> None:
    if verb == "gap":
        model.lose(conn_id, first)
        judge.gap(conn_id, at, Facts(since=time_of(first), sid=1, size=1))
    elif verb == "drop":
        model.lose(conn_id, first)
        judge.dropped(conn_id, at, Facts(first_at=time_of(first), last_at=time_of(first), count=1))
    elif verb == "unreadable":
        model.lose(conn_id, len(model))
        judge.unreadable(conn_id, at, Facts(reason="json"))
    elif verb == "terminal":
        _end(model, conn_id, len(model))
        model.over[conn_id] = True
        judge.ended(conn_id, at, Facts(sid=1, code=25, text="overflow"))
