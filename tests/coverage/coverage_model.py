"""What `Coverage` should say, the slow and simple way: a letter per connection and moment."""

from gatherer.coverage.coverage import Coverage

STEP = 10
"""Length of a moment; events fall on their borders."""
VERBS = ("up", "down", "add", "remove", "snapshot", "snapshot", "gap", "drop", "unreadable", "terminal", "wait")
ABSENT, STARTING, BROKEN, COMPLETE = "asbc"
RANK = ABSENT + STARTING + BROKEN + COMPLETE


def time_of(moment: int) -> int:
    """Where a moment begins; never 0, which stands for an unknown time."""
    return (moment + 1) * STEP


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

    def become(self, conn_id: int, letter: str) -> None:
        """Another letter from now on; waiting for the first snapshot was no hole only if it came."""
        letters, index = self.cells[conn_id], len(self) - 1
        while self.now[conn_id] == STARTING and index >= 0 and letters[index] == STARTING:
            letters[index] = ABSENT if letter == COMPLETE else BROKEN
            index -= 1
        self.now[conn_id] = letter

    def answer(self) -> list[str]:
        """In words, the better of the two connections each. Nothing follows."""
        for conn_id, letter in self.now.items():
            if letter == STARTING:
                self.become(conn_id, BROKEN)
        words = {COMPLETE: "complete", BROKEN: "hole", ABSENT: "absent"}
        return [words[max(pair, key=RANK.index)] for pair in zip(*self.cells.values(), strict=True)]


def tell(coverage: Coverage, model: Model, verb: str, conn_id: int, back: int, flag: bool) -> None:
    """One event to both, then a moment passes."""
    moment = len(model)
    first, at = max(0, moment - back), time_of(moment)
    since = time_of(first)
    if verb == "up":
        model.up[conn_id], model.over[conn_id] = True, False
        coverage.session_up(conn_id, at)
    elif verb == "down":
        model.up[conn_id] = False
        _down(model, conn_id, first)
        coverage.session_down(conn_id, at, since, "cut", False)
    elif verb == "add":
        model.removed[conn_id] = model.over[conn_id] = model.dismissed[conn_id] = False
        if model.now[conn_id] == ABSENT:
            model.now[conn_id] = STARTING
        coverage.added(conn_id, at, 1)
    elif verb == "remove":
        model.removed[conn_id] = model.dismissed[conn_id] = True
        model.become(conn_id, ABSENT)
        coverage.removed(conn_id, at)
    elif verb == "snapshot":
        if model.up[conn_id] is not False and not (flag and (model.removed[conn_id] or model.over[conn_id])):
            model.become(conn_id, COMPLETE)
            model.removed[conn_id] = model.over[conn_id] = False
        coverage.snapshot(conn_id, at, 1, asked=flag)
    else:
        _lose(coverage, model, verb, conn_id, first, at)
    model.wait()


def _down(model: Model, conn_id: int, since: int) -> None:
    was_carried = model.now[conn_id] in (STARTING, COMPLETE)
    model.lose(conn_id, since)
    if was_carried:
        model.become(conn_id, ABSENT if model.dismissed[conn_id] else BROKEN)


def _lose(coverage: Coverage, model: Model, verb: str, conn_id: int, first: int, at: int) -> None:
    if verb == "gap":
        model.lose(conn_id, first)
        coverage.gap(conn_id, at, time_of(first), 1, 1)
    elif verb == "drop":
        model.lose(conn_id, first)
        coverage.dropped(conn_id, at, time_of(first), 1)
    elif verb == "unreadable":
        model.lose(conn_id, len(model))
        coverage.unreadable(conn_id, at, "json")
    elif verb == "terminal":
        _down(model, conn_id, len(model))
        model.over[conn_id] = True
        coverage.terminal(conn_id, at, 1, "code 25")
