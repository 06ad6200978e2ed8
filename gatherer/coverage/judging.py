"""The coverage of every feed in one or several captures."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from gatherer.capture_format import segments_of
from gatherer.coverage.answer import BOOKS, Coverage, FeedCoverage
from gatherer.coverage.joining import CaptureVoices, join
from gatherer.coverage.segments import CaptureReader
from gatherer.errors import GathererError


class BadRequest(GathererError):
    """What was asked for does not exist, or makes no sense; the text says what."""


def coverage_of(
    captures: Sequence[Path], *, tickers: Collection[str] | None = None, channels: Collection[str] | None = None,
    start: int | None = None, end: int | None = None, skip_damaged: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Coverage:  # fmt: skip
    """When each feed was complete, had a hole, or was not carried, in all captures together.

    `captures` are the directories of different gatherers (or single segments). Without `tickers` and `channels` every
    market and every channel is judged; with `tickers` the order books of these markets, and with `channels` as well
    these channels too. The answer is about `start` ≤ `received_at` < `end` (Unix ns); without them it is about all that
    the captures hold, up to the time until which it is sure.

    A feed is complete where any connection of any gatherer has all of it. A damaged segment raises `CaptureDamaged`, or
    is a hole with `skip_damaged`. Raises `NotACapture`, `BadRequest` or OSError as well; each text names the cause.
    `progress` is called before each segment with the number of segments read and, at most, to read.
    """
    if start is not None and end is not None and start >= end:
        raise BadRequest("the range ends before it begins")
    names = gatherer_names(captures)
    new = partial(CaptureReader, tickers=_set(tickers), channels=_set(channels), skip_damaged=skip_damaged)
    readers = _read(captures, new, start, end, progress)
    if start is not None and _lacks(readers, tickers, channels):  # perhaps it was carried earlier
        readers = _read(captures, new, None, end, progress)
    keys = sorted({key for reader in readers for key in reader.judge.feeds}, key=_order)
    _demand(keys, tickers, channels)
    start = min(reader.first_at for reader in readers) if start is None else start
    end = max(start, *(reader.end for reader in readers)) if end is None else end
    if start >= end:
        raise BadRequest("nothing of the capture lies in the range")
    feeds = []
    for channel, ticker in keys:
        voices = [
            CaptureVoices(name, reader.first_at, reader.end, reader.judge.feeds.get((channel, ticker)))
            for name, reader in zip(names, readers, strict=True)
        ]
        feeds.append(FeedCoverage(channel, ticker, join(voices, start, end)))
    return Coverage(start, end, tuple(feeds))


def gatherer_names(captures: Sequence[Path]) -> list[str]:
    """The last name of each directory; of equal ones the shortest tails of their paths that differ."""
    paths = [Path(path).absolute() for path in captures]
    if len(set(paths)) < len(paths):
        raise BadRequest("a capture is named twice")
    depth = 1
    tails = [path.parts[-depth:] for path in paths]
    while any(tails.count(tail) > 1 for tail in tails):
        depth += 1
        twins = {tail for tail in tails if tails.count(tail) > 1}
        tails = [path.parts[-depth:] if tail in twins else tail for path, tail in zip(paths, tails, strict=True)]
    return ["/".join(tail).replace("//", "/") for tail in tails]


def _read(
    captures: Sequence[Path], new: Callable[[Path], CaptureReader], start: int | None, end: int | None,
    progress: Callable[[int, int], None],
) -> list[CaptureReader]:  # fmt: skip
    readers = [new(Path(path)) for path in captures]
    done, total = count(), sum(len(segments_of(Path(path))) for path in captures if Path(path).exists())
    for reader in readers:
        reader.read(start, end, lambda: progress(next(done), total))
    return readers


def _lacks(readers: Sequence[CaptureReader], tickers: Collection[str] | None, channels: Collection[str] | None) -> bool:
    """Whether no reader has met one of the names."""
    met = {key for reader in readers for key in reader.judge.feeds}
    return any((BOOKS, name) not in met for name in tickers or ()) or bool(
        {*(channels or ())} - {key[0] for key in met}
    )


def _set(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _order(key: tuple[str, str | None]) -> tuple[bool, str, str]:
    """Channels first."""
    return key[0] == BOOKS, key[0], key[1] or ""


def _demand(
    keys: Sequence[tuple[str, str | None]], tickers: Collection[str] | None, channels: Collection[str] | None
) -> None:
    """Raise `BadRequest` for a name that no capture knows."""
    for ticker in tickers or ():
        if (BOOKS, ticker) not in keys:
            raise BadRequest(f"the capture has no market {ticker}")
    for channel in channels or ():
        known = sorted({key[0] for key in keys})
        if channel not in known:
            raise BadRequest(f"the capture has no channel {channel}; it has {', '.join(known) or 'none of these'}")
