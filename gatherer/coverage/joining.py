"""Several voices about one feed become one answer: at each time the best of them counts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, repeat

from gatherer.coverage.answer import Interval, State
from gatherer.coverage.feeds import Feed
from gatherer.coverage.timeline import MAX_REASONS, Reasons, Stretch

_RANK = {State.COMPLETE: 3, State.HOLE: 2, State.NOT_CARRIED: 1}


@dataclass(frozen=True, slots=True)
class Claim:
    """What one voice says from a time on, until its next claim."""

    start: int
    state: State | None
    """None: it says nothing."""
    reasons: Reasons
    voice: tuple[str, int]
    """Gatherer and connection. 0 stands for the gatherer itself."""


SILENT = Claim(0, None, (), ("", 0))


@dataclass(slots=True)
class CaptureVoices:
    """The claims of one capture, which covers the time from `start` to `end`."""

    gatherer: str
    start: int
    end: int
    feed: Feed | None
    """None if the capture never mentions it."""

    def claims(self) -> Iterator[Iterable[Claim]]:
        """One sequence of claims for each voice."""
        here = (self.gatherer, 0)
        yield (
            Claim(self.start, State.NOT_CARRIED, ("not subscribed",), here),
            Claim(self.end, None, (), here),
        )
        if self.feed is None:
            return
        unknown = self.feed.unknown
        holes = [*self.feed.holes, *([(unknown.at, self.end, unknown.reasons)] if unknown is not None else [])]
        for start, end, reasons in holes:
            if start < self.end:
                yield Claim(start, State.HOLE, reasons, here), Claim(min(end, self.end), None, (), here)
        for conn_id, leg in self.feed.legs.items():
            yield self._of_leg(conn_id, leg.line.spans())

    def _of_leg(self, conn_id: int, spans: Iterable[tuple[int, Stretch]]) -> Iterator[Claim]:
        voice = (self.gatherer, conn_id)
        for start, stretch in spans:
            if start >= self.end:
                break
            yield Claim(start, stretch.state, stretch.reasons, voice)
        yield Claim(self.end, None, (), voice)


def join(captures: Sequence[CaptureVoices], start: int, end: int) -> tuple[Interval, ...]:
    """The answer from `start` to `end`."""
    voices = [zip(claims, repeat(number)) for number, claims in enumerate(_all_claims(captures))]
    now: dict[int, Claim] = {}
    pieces: list[Interval] = []
    at, best = start, SILENT
    for claim, number in merge(*voices, key=lambda pair: pair[0].start):
        if claim.start >= end:
            break
        if claim.start > at:
            _append(pieces, _interval(best, now.values(), at, claim.start))
            at = claim.start
        now[number] = claim
        best = _best(now.values(), best)
    _append(pieces, _interval(best, now.values(), at, end))
    return tuple(pieces)


def _all_claims(captures: Sequence[CaptureVoices]) -> Iterator[Iterable[Claim]]:
    return chain.from_iterable(capture.claims() for capture in captures)


def _best(claims: Iterable[Claim], before: Claim) -> Claim:
    """The best claim. A connection that had the feed complete and still has it is kept."""
    best = SILENT
    for claim in claims:
        if claim.state is None:
            continue
        if best.state is None or _RANK[claim.state] > _RANK[best.state] or (
            claim.state is best.state is State.COMPLETE and claim.voice == before.voice
        ):  # fmt: skip
            best = claim
    return best


def _interval(best: Claim, claims: Iterable[Claim], start: int, end: int) -> Interval:
    if best.state is None:
        return Interval(State.HOLE, start, end, "outside of the capture")
    if best.state is State.COMPLETE:
        return Interval(State.COMPLETE, start, end, "", *best.voice)
    alike = [claim for claim in claims if claim.state is best.state]
    spoken = [claim for claim in alike if claim.voice[1]] or alike
    names = {claim.voice[0] for claim in spoken}
    reasons = dict.fromkeys(reason for claim in spoken for reason in claim.reasons)
    return Interval(best.state, start, end, _text(reasons), names.pop() if len(names) == 1 else None)


def _text(reasons: Iterable[str]) -> str:
    reasons = list(reasons)
    more = [f"{len(reasons) - MAX_REASONS} more"] if len(reasons) > MAX_REASONS else []
    return "; ".join([*reasons[:MAX_REASONS], *more])


def _append(pieces: list[Interval], piece: Interval) -> None:
    """Put a piece behind the others; one with the same answer as the last prolongs it."""
    if piece.start >= piece.end:
        return
    last = pieces[-1] if pieces else None
    if last is None or last.state is not piece.state or last.conn_id != piece.conn_id or (
        piece.state is State.COMPLETE and last.gatherer != piece.gatherer
    ):  # fmt: skip
        pieces.append(piece)
        return
    reasons = dict.fromkeys(reason for reason in (*last.why.split("; "), *piece.why.split("; ")) if reason)
    gatherer = last.gatherer if last.gatherer == piece.gatherer else None
    pieces[-1] = Interval(last.state, last.start, piece.end, _text(reasons), gatherer, last.conn_id)
