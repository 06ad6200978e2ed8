"""Follow a capture while it is written: the lines of each new frame, over the ends of segments."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import zstandard

from gatherer.capture_format.reading import CaptureDamaged, segments_of
from gatherer.capture_format.segment_file import OPEN_SUFFIX
from gatherer.capture_format.zstd_frames import complete_frames, read_frame
from gatherer.data.engine import DataError

CHANNELS = {"orderbook_snapshot": "orderbook_delta", "multivariate_market_lifecycle": "market_lifecycle_v2",
            "event_lifecycle": "market_lifecycle_v2", "event_fee_update": "market_lifecycle_v2"}  # fmt: skip
"""Types of messages to the channel that brings them, where the names differ."""


class _Body(msgspec.Struct):
    market_ticker: str = ""


class _Message(msgspec.Struct):
    type: str = ""
    msg: _Body = msgspec.field(default_factory=_Body)


class _Facts(msgspec.Struct):
    channel: str = ""
    tickers: list[str] = msgspec.field(default_factory=list)


class _Line(msgspec.Struct):
    marker: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    facts: msgspec.Raw = msgspec.Raw(b"{}")


_line = msgspec.json.Decoder(_Line).decode
_message = msgspec.json.Decoder(_Message).decode


def follow(capture: Path, wait: Callable[[], bool], from_start: bool = False) -> Iterator[bytes]:
    """The lines that come from now on, without their line break; with `from_start` also those of the newest segment.

    `wait` is called when there is nothing new, and says whether to look again.
    """
    if not capture.is_dir():
        raise DataError(f"{capture}: is not a capture directory")
    segment = _newest(capture)
    offset = 0 if from_start or segment is None else _end(segment)
    while True:
        if segment is None:
            segment, offset = _next(capture, ""), 0
        if segment is not None:
            lines, offset, is_open = _read(segment, offset)
            yield from lines
            after = _next(capture, segment.name.removesuffix(OPEN_SUFFIX))
            if lines or (not is_open and after is not None):
                segment, offset = (segment, offset) if lines else (after, 0)
                continue
        if not wait():
            return


class Filter:
    """Which lines are wanted."""

    def __init__(self, channel: str | None = None, ticker: str | None = None, markers: bool = False) -> None:
        self._channel = channel
        self._ticker = ticker
        self._markers = markers

    def wants(self, line: bytes) -> bool:
        """Whether a line passes. A marker that names no market is about all of them."""
        record = _line(line)
        if record.marker:
            return self._markers and self._wants_marker(record)
        if self._channel is None and self._ticker is None:
            return True
        try:
            message = _message(record.data)
        except msgspec.DecodeError:
            return False
        channel = CHANNELS.get(message.type, message.type)
        return self._channel in (None, channel) and self._ticker in (None, message.msg.market_ticker)

    def _wants_marker(self, record: _Line) -> bool:
        try:
            facts = msgspec.json.decode(record.facts, type=_Facts)
        except msgspec.DecodeError:
            return True
        return self._channel in (None, facts.channel or self._channel) and (
            self._ticker is None or not facts.tickers or self._ticker in facts.tickers
        )


def _newest(capture: Path) -> Path | None:
    segments = segments_of(capture)
    return segments[-1] if segments else None


def _next(capture: Path, name: str) -> Path | None:
    """The first segment after a name."""
    return next((path for path in segments_of(capture) if path.name.removesuffix(OPEN_SUFFIX) > name), None)


def _open(segment: Path) -> tuple[int, bool]:
    """The file, under its final name if it has that by now; and whether it is still being written."""
    finished = segment.with_name(segment.name.removesuffix(OPEN_SUFFIX))
    if segment != finished:
        try:
            return os.open(segment, os.O_RDONLY | os.O_CLOEXEC), True
        except FileNotFoundError:
            pass
    return os.open(finished, os.O_RDONLY | os.O_CLOEXEC), False


def _end(segment: Path) -> int:
    fd, _ = _open(segment)
    try:
        return max((frame.end for frame in complete_frames(fd)), default=0)
    finally:
        os.close(fd)


def _read(segment: Path, offset: int) -> tuple[list[bytes], int, bool]:
    """The lines of the complete frames from an offset on, where they end, and whether more can come."""
    lines: list[bytes] = []
    try:
        fd, is_open = _open(segment)
    except FileNotFoundError:  # a segment that stays empty is removed
        return lines, offset, False
    try:
        for frame in complete_frames(fd, offset):
            lines += read_frame(fd, frame).split(b"\n")[:-1]
            offset = frame.end
    except zstandard.ZstdError as error:
        raise CaptureDamaged(segment, offset, str(error)) from None
    finally:
        os.close(fd)
    return lines, offset, is_open
