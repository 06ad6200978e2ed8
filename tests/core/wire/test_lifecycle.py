"""Lifecycle messages as the exchange sends them, and as it may send them one day."""

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.wire.lifecycle import decode_lifecycle, unix_seconds
from gatherer.errors import RemoteProtocolError
from gatherer.values import LifecycleEvent


def message(kind: str = "created", outer: str = "market_lifecycle_v2", **body: Any) -> bytes:
    """A lifecycle message with the extra fields the exchange sends along."""
    inner = {"market_ticker": "A", "event_type": kind, "exchange_index": 0, "additional_metadata": {"x": [1]}, **body}
    return json.dumps({"type": outer, "sid": 4, "seq": 9, "msg": inner}).encode()


class DecodeTests(SynchronousTestCase):
    """`decode_lifecycle`"""

    def test_market_event(self) -> None:
        """The kind, the ticker and both times are read, from the multivariate channel too."""
        for outer in ("market_lifecycle_v2", "multivariate_market_lifecycle"):
            self.assertEqual(
                decode_lifecycle(message(outer=outer, open_ts=1792076400, close_ts=1793480400)),
                ("created", LifecycleEvent("A", "created", 1792076400.0, 1793480400.0)),
            )

    def test_event_without_market(self) -> None:
        """Messages about events and fees are counted under their type and concern no market."""
        for kind in ("event_lifecycle", "event_fee_update"):
            data = json.dumps({"type": kind, "sid": 4, "seq": 1, "msg": {"event_ticker": "E"}}).encode()
            self.assertEqual(decode_lifecycle(data), (kind, None))

    def test_garbage(self) -> None:
        """Bytes that are not a lifecycle message are an error of the exchange, and never another exception."""
        for data in (
            b"",
            b"[]",
            b"{}",
            b'{"type": 5}',
            b'{"type": "market_lifecycle_v2"}',
            b"\xff",
            b"[" * 99999,
            b'{"type": "market_lifecycle_v2", "msg": []}',
            message(kind=""),
            message(market_ticker=""),
            message(market_ticker=7),
            b'{"type":"\xff"}',
        ):
            self.assertRaises(RemoteProtocolError, decode_lifecycle, data)

    @given(st.binary(max_size=60))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes give a result or an error of the exchange."""
        with contextlib.suppress(RemoteProtocolError):
            decode_lifecycle(data)

    def test_times_of_any_kind(self) -> None:
        """Seconds, milliseconds, numbers in text and RFC 3339 all mean the same moment."""
        for value in (
            1792072800,
            1792072800.0,
            1792072800000,
            "1792072800",
            "2026-10-15T14:00:00Z",
            "2026-10-15T14:00:00",
            "2026-10-15T10:00:00-04:00",
        ):
            self.assertEqual(unix_seconds(value), 1792072800.0)

    def test_times_that_are_none(self) -> None:
        """Null, zero, Go's zero time, infinity and other kinds give no time, and no event is lost."""
        values: list[Any] = [
            None,
            0,
            -5,
            True,
            "",
            "soon",
            [1],
            {},
            float("inf"),
            float("nan"),
            "nan",
            "1e999",
            10**300,
            "0001-01-01T00:00:00Z",
        ]
        for value in values:
            self.assertIsNone(unix_seconds(value))
        self.assertEqual(decode_lifecycle(message(open_ts=[1], close_ts="soon"))[1], LifecycleEvent("A", "created"))
