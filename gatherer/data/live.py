"""The part of a book that is in a segment which is still being written."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from gatherer.capture_format.reading import read_blocks
from gatherer.data.book import Levels
from gatherer.data.engine import quoted

Side = dict[Decimal, Decimal]


class _Body(msgspec.Struct):
    market_ticker: str = ""
    side: str = ""
    price_dollars: Decimal = Decimal(0)
    delta_fp: Decimal = Decimal(0)
    yes_dollars_fp: list[tuple[Decimal, Decimal]] = msgspec.field(default_factory=list)
    no_dollars_fp: list[tuple[Decimal, Decimal]] = msgspec.field(default_factory=list)


class _Message(msgspec.Struct):
    type: str = ""
    msg: _Body = msgspec.field(default_factory=_Body)


class _Line(msgspec.Struct):
    received_at: int
    conn_id: int
    data: _Message


_decode = msgspec.json.Decoder(_Line).decode


class LiveBook:
    """One connection's book of one market, from what finished segments left on."""

    def __init__(self, ticker: str, conn_id: int) -> None:
        self._ticker = ticker
        self._conn_id = conn_id
        self._sides: dict[str, Side] = {"yes": {}, "no": {}}
        self._last = 0

    def restore(self, connection: Any, state: Path, levels: Levels | None) -> None:
        """Take up the books after the last finished segment; `levels` says when their last message came."""
        rows = connection.execute(
            f"SELECT side, price * 0.0001, quantity * 0.01 FROM {quoted(state)} "
            "WHERE market_ticker = $1 AND conn_id = $2 AND side < 2", [self._ticker, self._conn_id]
        ).fetchall()  # fmt: skip
        for side, price, count in rows:
            self._sides[("yes", "no")[side]][price] = count
        self._last = 0 if levels is None else levels.last_message_at

    def read(self, segments: Iterable[Path], at: int) -> Levels:
        """Go on until a time."""
        needle = b'"%b"' % self._ticker.encode()
        for segment in segments:
            for block in read_blocks(segment):
                for line in block.split(b"\n"):
                    if needle in line and b'"orderbook_' in line:
                        self._take(line, at)
        yes, no = (tuple(sorted(self._sides[side].items(), reverse=True)) for side in ("yes", "no"))
        return Levels(yes, no, self._last)

    def _take(self, line: bytes, at: int) -> None:
        try:
            record = _decode(line)
        except msgspec.DecodeError:
            return  # a marker that names the market
        body = record.data.msg
        if record.conn_id != self._conn_id or record.received_at > at or body.market_ticker != self._ticker:
            return
        if record.data.type == "orderbook_snapshot":
            self._sides = {"yes": dict(body.yes_dollars_fp), "no": dict(body.no_dollars_fp)}
        elif body.side in self._sides:
            side = self._sides[body.side]
            side[body.price_dollars] = side.get(body.price_dollars, Decimal(0)) + body.delta_fp
            if not side[body.price_dollars]:
                del side[body.price_dollars]
        self._last = record.received_at
