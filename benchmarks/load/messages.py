"""Order book messages as the exchange writes them, of an exact size."""

from collections.abc import Iterator

from benchmarks.load.wire import header

DELTA, SNAPSHOT = 260, 4096
"""Bytes of a payload."""

_DELTA_HEAD = b'{"type":"orderbook_delta","sid":%d,"seq":%d,"msg":{'
_DELTA_BODY = (
    b'"market_ticker":"KXBENCH-26NOV23-T%05d","market_id":"%08x-0000-4000-8000-000000000000",'
    b'"price_dollars":"0.%02d00","delta_fp":"-%d.50","side":"yes","ts":"2026-11-23T20:00:00.%06dZ","x":"'
)
_SNAPSHOT_HEAD = b'{"type":"orderbook_snapshot","sid":%d,"seq":%d,"msg":{'
_SNAPSHOT_BODY = (
    b'"market_ticker":"KXBENCH-26NOV23-T%05d","market_id":"%08x-0000-4000-8000-000000000000",'
    b'"yes_dollars_fp":[%b],"no_dollars_fp":[%b],"x":"'
)
_END = b'"}}'
_LEVELS = b",".join(b'["0.%02d00","%d.00"]' % (price, price * 37 % 900 + 100) for price in range(10, 99))


def payloads(size: int, count: int, sid: int = 1) -> Iterator[bytes]:
    """This many messages of exactly `size` bytes, numbered from 1: snapshots if the size has room for one."""
    big = size >= SNAPSHOT
    head = _SNAPSHOT_HEAD if big else _DELTA_HEAD
    bodies = [_snapshot(number) if big else _delta(number) for number in range(97)]
    for seq in range(1, count + 1):
        text = head % (sid, seq) + bodies[seq % 97]
        room = size - len(text) - len(_END)
        if room < 0:
            raise ValueError(f"a message needs at least {size - room} bytes, not {size}")
        yield text + b"x" * room + _END


def frames(size: int, count: int, sid: int = 1) -> list[bytes]:
    """The same as WebSocket frames."""
    front = header(size)
    return [front + payload for payload in payloads(size, count, sid)]


def _delta(number: int) -> bytes:
    return _DELTA_BODY % (*_market(number), number % 99, number * 31, number * 10_301)


def _snapshot(number: int) -> bytes:
    return _SNAPSHOT_BODY % (*_market(number), _LEVELS, _LEVELS)


def _market(number: int) -> tuple[int, int]:
    return number * 7919 % 99_999, number * 2654435761 % 2**32
