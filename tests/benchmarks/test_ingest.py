"""The load generator sends what it says, and a client that lost or altered something is found out."""

import tempfile
from collections import defaultdict
from pathlib import Path
from unittest import SkipTest

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.clients.process import is_there
from benchmarks.ingest import Case, Run, cases, check, parse, run, tables
from benchmarks.load.certificates import make_certificates
from benchmarks.load.messages import DELTA, SNAPSHOT, frames, payloads
from benchmarks.load.wire import PING, TEXT, frame, take_frames
from gatherer.core.wire.codec import decode_envelope
from gatherer.core.wire.frames import scan


def masked(payload: bytes, opcode: int = TEXT) -> bytes:
    """A frame as clients send it."""
    plain, mask = frame(payload, opcode), b"\x01\x02\x03\x04"
    head = bytearray(plain[: len(plain) - len(payload)])
    head[1] |= 0x80
    return bytes(head) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


class WireTests(SynchronousTestCase):
    """The generator's few lines of RFC 6455."""

    @given(st.lists(st.binary(max_size=300)), st.integers(0, 500))
    def test_frames_of_a_client_are_cut_out(self, texts: list[bytes], cut: int) -> None:
        """Whatever a read holds, each payload comes out once, in order, and half a frame stays."""
        stream = b"".join(map(masked, texts))
        buffer = bytearray(stream[:cut])
        found = take_frames(buffer)
        buffer += stream[cut:]
        self.assertEqual(found + take_frames(buffer), [(TEXT, text) for text in texts])
        self.assertEqual(buffer, b"")

    def test_long_frames(self) -> None:
        """All three widths of a length are read."""
        for size in (125, 126, 65_535, 65_536):
            self.assertEqual(take_frames(bytearray(masked(b"x" * size, PING))), [(PING, b"x" * size)])

    def test_what_is_sent_is_what_we_scan(self) -> None:
        """The frames of the benchmark take the fast path, all of them."""
        found: list[bytes] = []
        stream = b"".join(frames(DELTA, 100))
        self.assertEqual(scan(stream, 1 << 20, found), len(stream))
        self.assertEqual(found, list(payloads(DELTA, 100)))


class MessageTests(SynchronousTestCase):
    """What is sent."""

    def test_exact_sizes_and_rising_numbers(self) -> None:
        """Every message is as long as promised, is JSON, and has the next number, from 1."""
        for size, kind in ((DELTA, "orderbook_delta"), (SNAPSHOT, "orderbook_snapshot")):
            for seq, payload in enumerate(payloads(size, 1200), start=1):
                self.assertEqual(len(payload), size)
                envelope = decode_envelope(payload)
                self.assertEqual((envelope.type, envelope.sid, envelope.seq), (kind, 1, seq))
                self.assertIn("market_ticker", msgspec.json.decode(payload)["msg"])

    def test_too_small_a_size_is_refused(self) -> None:
        """A message without room for its fields is not sent cut."""
        self.assertRaises(ValueError, list, payloads(100, 1))


class IngestTests(SynchronousTestCase):
    """Both processes, on loopback."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        make_certificates(self.folder)

    def assert_runs(self, client: str, tls: bool) -> None:
        """200 messages over two connections are taken, checked and measured."""
        if not is_there(client):
            raise SkipTest(f"the packages of {client} are not installed: pip install 'gatherer[bench]'")
        measured = run(client, Case(tls, 2, DELTA, 200), self.folder)
        self.assertGreater(measured.cost, 0)
        self.assertGreater(measured.rate, 0)

    def test_gatherer(self) -> None:
        """The product's own path, plain."""
        self.assert_runs("gatherer", tls=False)

    def test_gatherer_with_tls(self) -> None:
        """The product's own path, with the product's TLS, verified."""
        self.assert_runs("gatherer", tls=True)

    def test_bare(self) -> None:
        """The floor does the same work."""
        self.assert_runs("bare", tls=True)

    def test_generator_alone(self) -> None:
        """The head-room is measured the same way."""
        self.assert_runs("discard", tls=True)

    def test_autobahn(self) -> None:
        """autobahn as it comes does the same work."""
        self.assert_runs("autobahn", tls=False)

    def test_websockets(self) -> None:
        """websockets does the same work."""
        self.assert_runs("websockets", tls=False)

    def test_aiohttp(self) -> None:
        """aiohttp does the same work."""
        self.assert_runs("aiohttp", tls=True)

    def test_picows(self) -> None:
        """picows does the same work."""
        self.assert_runs("picows", tls=True)

    def test_unequal_work_fails(self) -> None:
        """A lost message, an altered one, a gap and a wrong last number each end the run."""
        case = Case(False, 2, DELTA, 200)
        good = {"messages": 200, "bytes": 200 * DELTA, "gaps": 0, "last": [100, 100]}
        check("picows", case, good)
        for key, value in {"messages": 199, "bytes": 1, "gaps": 1, "last": [99, 100]}.items():
            self.assertRaises(SystemExit, check, "picows", case, {**good, key: value})


class TableTests(SynchronousTestCase):
    """What is printed of the figures."""

    def test_ratios_are_those_of_a_round(self) -> None:
        """A round in which everything took twice as long changes no ratio."""
        runs = defaultdict(
            list,
            gatherer=[Run(1.0, 1e6, 0.1), Run(2.0, 5e5, 0.1), Run(1.0, 1e6, 0.1)],
            picows=[Run(2.0, 5e5, 0.1), Run(4.0, 2.5e5, 0.1), Run(2.0, 5e5, 0.1)],
            autobahn=[Run(10.0, 1e5, 0.1), Run(20.0, 5e4, 0.1), Run(10.0, 1e5, 0.1)],
            discard=[Run(0.1, 1e7, 1.0)] * 3,
        )
        text = tables([(Case(False, 20, DELTA, 1000), runs)], ["autobahn", "picows", "gatherer"])
        self.assertIn("| plain, 20, 260 B | 10.00 (5.00) | 2.00 | 1.00 (0.50) |", text)
        self.assertIn("| plain, 20, 260 B | 100 (0.20) | 500 | 1,000 (2.00) | 10,000 |", text)
        self.assertIn("| plain, 20, 260 B | 2.00 | 0.50 | 10.00 |", text)


class CommandLineTests(SynchronousTestCase):
    """What is measured when nothing is said."""

    def test_everything_by_default(self) -> None:
        """All clients of the comparison, plain and TLS, 1, 20 and 150 connections, both sizes."""
        options = parse([])
        found = {(case.tls, case.connections, case.size) for case in cases(options)}
        self.assertEqual(len(found), 12)
        self.assertLessEqual({"autobahn", "websockets", "aiohttp", "picows", "gatherer"}, set(options.clients))

    def test_unknown_clients_are_named(self) -> None:
        """A misspelt client costs one line."""
        error = self.assertRaises(SystemExit, parse, ["--clients", "picow"])
        self.assertIn("'picow'", str(error))
