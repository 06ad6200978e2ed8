"""Lines of the capture: bytes unchanged, one line each, whatever comes in."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.records import encode_batch, encode_marker, encode_message, encode_segment_start
from gatherer.capture_format.segment_file import segment_name
from gatherer.values import Marker, RawMessage

AT = 1795380241000123456

values = st.dictionaries(
    st.sampled_from(["type", "msg", "a b", ""]),
    st.none() | st.integers() | st.lists(st.sampled_from(["x", "\n", "\r", "é", "\u2028", '"}'])),
    max_size=3,
)
json_texts = st.builds(
    lambda value, indent, escape: json.dumps(value, indent=indent, ensure_ascii=escape),
    values,
    st.sampled_from([None, 2]),
    st.booleans(),
)
messages = st.builds(
    lambda text, conn_id, at, gap: RawMessage(text.encode(), conn_id, AT + at, gap > 0, gap),
    json_texts,
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 2),
)


class MessageTests(SynchronousTestCase):
    """encode_message and encode_batch."""

    def test_shape_is_the_documented_one(self) -> None:
        """The line is, byte for byte, what the architecture document shows, without optional spaces."""
        line = encode_message(RawMessage(b'{"type": "ticker"}', 7, AT))
        self.assertEqual(
            line,
            b'{"received_at":1795380241000123456,"conn_id":7,"seq_gap":false,"gap_size":0,"data":{"type": "ticker"}}\n',
        )

    def test_only_the_message_that_revealed_a_gap_has_it(self) -> None:
        """In a batch, the messages before and after one with a gap have none."""
        batch = [RawMessage(b"{}", 7, AT), RawMessage(b"{}", 7, AT, True, 3), RawMessage(b"{}", 7, AT)]
        records = [json.loads(line) for line in encode_batch(batch).splitlines()]
        self.assertEqual([r["gap_size"] for r in records], [0, 3, 0])
        self.assertEqual([r["seq_gap"] for r in records], [False, True, False])

    def test_raw_line_breaks_do_not_break_the_line(self) -> None:
        """A pretty-printed message stays on one line, means the same, and its exact bytes are in base64."""
        pretty = b'{\r\n  "a": [1,\n 2]\r}'
        line = encode_message(RawMessage(pretty, 7, AT))
        self.assertEqual((line.count(b"\n"), line.count(b"\r")), (1, 0))
        record = json.loads(line)
        self.assertEqual(record["data"], {"a": [1, 2]})
        self.assertEqual(b64decode(record["base64"]), pretty)

    def test_a_message_cannot_forge_a_second_record(self) -> None:
        """Bytes that look like the end of our line and the start of another remain inside one line."""
        forged = b'{}}\n{"received_at":1,"conn_id":9,"marker":"session_up","facts":{}'
        self.assertEqual(encode_batch([RawMessage(forged, 7, AT), RawMessage(b"{}", 7, AT)]).count(b"\n"), 2)

    def test_bytes_that_are_not_utf8_do_not_spoil_the_file(self) -> None:
        """They are kept in base64 alone, and the messages beside them are as they were."""
        lines = encode_batch([RawMessage(b'{"a":1}', 7, AT), RawMessage(b'{"a":"\xff"}', 7, AT)]).splitlines()
        self.assertEqual(json.loads(lines[0])["data"], {"a": 1})
        record = json.loads(lines[1])
        self.assertIsNone(record["data"])
        self.assertEqual(b64decode(record["base64"]), b'{"a":"\xff"}')

    def test_empty_batch_has_no_line(self) -> None:
        """An empty batch gives no bytes."""
        self.assertEqual(encode_batch([]), b"")

    @settings(deadline=None)
    @given(st.lists(messages, max_size=6))
    def test_every_message_comes_back(self, batch: list[RawMessage]) -> None:
        """Each line is JSON that holds all of its message: bytes, connection, time and gap; in order."""
        lines = encode_batch(batch).split(b"\n")
        self.assertEqual(lines.pop(), b"")
        self.assertEqual(len(lines), len(batch))
        for line, message in zip(lines, batch, strict=True):
            record = json.loads(line)
            kept = RawMessage(
                exact(line, record), *(record[k] for k in ("conn_id", "received_at", "seq_gap", "gap_size"))
            )
            self.assertEqual(kept, message)

    @settings(deadline=None)
    @given(st.lists(messages, max_size=6))
    def test_a_batch_is_the_sum_of_its_messages(self, batch: list[RawMessage]) -> None:
        """Encoding together or one by one gives the same bytes."""
        self.assertEqual(encode_batch(batch), b"".join(map(encode_message, batch)))


class MarkerTests(SynchronousTestCase):
    """encode_marker and the first line of a segment."""

    def test_marker_has_facts_and_no_data(self) -> None:
        """A marker's line names its kind, holds its facts apart, and has no data."""
        line = encode_marker(Marker("session_down", 7, AT, {"reason": "1006", "data": 1}))
        self.assertTrue(line.endswith(b"\n"))
        self.assertEqual(
            json.loads(line),
            {"received_at": AT, "conn_id": 7, "marker": "session_down", "facts": {"reason": "1006", "data": 1}},
        )

    def test_undecodable_bytes_in_facts_are_base64(self) -> None:
        """Bytes in facts can be had back exactly."""
        record = json.loads(encode_marker(Marker("undecodable", 7, AT, {"bytes": b"\x00\xff"})))
        self.assertEqual(b64decode(record["facts"]["bytes"]), b"\x00\xff")

    def test_facts_that_json_cannot_hold_are_still_written(self) -> None:
        """Objects, odd keys, lone surrogates, huge integers: a line comes out, nothing is raised."""
        oddities: list[dict[Any, Any]] = [
            {"a": object()},
            {(1, 2): 3},
            {"a": "\ud800"},
            {"a": {1, "b"}},
            {"a": 2**70},
            {"a": ValueError("x")},
        ]
        for odd in oddities:
            line = encode_marker(Marker("gap", 7, AT, odd))
            self.assertEqual(line.count(b"\n"), 1)
            self.assertEqual(json.loads(line)["marker"], "gap")

    def test_line_breaks_in_facts_are_escaped(self) -> None:
        """A traceback among the facts stays on one line."""
        self.assertEqual(encode_marker(Marker("trouble", 7, AT, {"text": "a\nb\r"})).count(b"\n"), 1)

    def test_segment_start_names_the_rare_columns(self) -> None:
        """The first line of a segment has marker, facts and base64."""
        record = json.loads(encode_segment_start(AT, {"version": "1"}))
        self.assertLessEqual({"marker", "facts", "base64"}, record.keys())
        self.assertNotIn("data", record)


class NameTests(SynchronousTestCase):
    """segment_name."""

    def test_name_has_the_time(self) -> None:
        """The time in the name is the UTC time of the first record, to the microsecond."""
        at = int(datetime(2026, 11, 22, 20, 44, 1, tzinfo=UTC).timestamp()) * 10**9 + 123456
        self.assertEqual(segment_name(at, 3), "20261122T204401.000123Z-000003.jsonl.zst")

    @settings(deadline=None)
    @given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 99999))
    def test_names_sort_by_time(self, one: int, other: int, number: int) -> None:
        """An earlier first record gives a name that does not sort later."""
        early, late = sorted((one, other))
        self.assertLessEqual(segment_name(early, number), segment_name(late, number))

    @settings(deadline=None)
    @given(st.integers())
    def test_any_integer_gives_a_name(self, at: int) -> None:
        """No time is too odd to name a file by."""
        self.assertTrue(segment_name(at, 1).endswith("Z-000001.jsonl.zst"))


def exact(line: bytes, record: dict[str, object]) -> bytes:
    """The bytes of the message a line was made from."""
    if "base64" in record:
        return b64decode(str(record["base64"]))
    return line[line.index(b'"data":') + 7 : -1]
