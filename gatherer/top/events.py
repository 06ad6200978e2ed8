"""Server-sent events out of bytes, however they are cut. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gatherer.top.news import NewsError

MOST_BYTES = 1_000_000
"""Of one event; the gatherer's are under 30 KB."""


class EventParser:
    """One for each connection."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, Any]]:
        """Name and decoded value of every event that is whole now. `NewsError` for what is none."""
        *blocks, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._rest) > MOST_BYTES:
            raise NewsError("an event that does not end")
        for block in blocks:
            fields = [line.partition(b": ") for line in block.split(b"\n")]
            name = b"".join(value for field, _, value in fields if field == b"event")
            data = b"\n".join(value for field, _, value in fields if field == b"data")
            if name:
                yield name.decode("utf-8", "replace"), _decoded(data)


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise NewsError(f"what it sends is no JSON: {error}") from error
