"""The cost of each part of the message path by itself, without a socket.

Run: python -m benchmarks.parts. The parts take turns for some rounds, and the fastest round of each is printed,
because other programs of a busy machine only add time. Messages are order book changes of 260 bytes, in reads of
64 KiB.
"""

import argparse
import gc
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import zstandard

from benchmarks.clients.dialing import reader_of
from benchmarks.cores import CLIENT, pin, surroundings
from benchmarks.load.certificates import AUTHORITY, make_certificates, server_context
from benchmarks.load.exchange import varied
from benchmarks.load.messages import DELTA, frames, payloads
from benchmarks.rig import Rig
from benchmarks.tables import markdown
from gatherer.capture_format.records import encode_batch
from gatherer.core.subscriptions.sequence import SequenceTracker
from gatherer.core.wire.codec import decode_envelope
from gatherer.core.wire.frames import scan
from gatherer.exchange.tls.records import TlsClient
from gatherer.exchange.tls.trust import trust_root
from gatherer.values import RawMessage

READ, BLOCK = 64 * 1024, 2000
"""Bytes of a socket read; messages of a frame of the capture."""
Part = Callable[[], object]


class Parts:
    """Each method prepares a part and returns the function to time, which handles `count` messages."""

    def __init__(self, count: int, certificates: Path) -> None:
        self.count = count
        self._certificates = certificates
        self._frames = frames(DELTA, count)
        self._texts = list(payloads(DELTA, count))
        self._reads = READ // len(self._frames[0])
        self._batches = [[RawMessage(text, 7, 1) for text in texts] for texts in self._cut(self._texts)]
        messages = [RawMessage(text, 7, 1_795_521_600_000_000_000 + at) for at, text in enumerate(varied(count))]
        self._blocks = [encode_batch(messages[at : at + BLOCK]) for at in range(0, count, BLOCK)]

    def all(self) -> Iterator[tuple[str, Part]]:
        """Names, and parts freshly prepared."""
        yield "TLS: `ssl.SSLObject.read` per record", self._tls(self._standard)
        yield "TLS: ours, per read", self._tls(self._ours)
        yield "scan of frames", self._scan
        yield "decode the envelope", self._decode
        yield "check the number", self._observe
        yield "make a RawMessage, append it", self._make
        yield "the session, with the three above", self._session()
        yield "line of the capture", lambda: [encode_batch(batch) for batch in self._batches]
        yield "zstd, in the writer's thread", self._compress

    def _cut(self, items: list[bytes]) -> list[list[bytes]]:
        return [items[at : at + self._reads] for at in range(0, len(items), self._reads)]

    def _scan(self) -> None:
        for part in self._cut(self._frames):
            scan(b"".join(part), 1 << 24, [])

    def _decode(self) -> None:
        for text in self._texts:
            decode_envelope(text)

    def _observe(self) -> None:
        observe = SequenceTracker().observe
        for seq in range(1, self.count + 1):
            observe(1, seq)

    def _make(self) -> None:
        for texts in self._cut(self._texts):
            batch: list[RawMessage] = []
            append = batch.append
            for text in texts:
                append(RawMessage(text, 7, 1, False, 0))

    def _compress(self) -> None:
        for block in self._blocks:
            zstandard.ZstdCompressor(level=3).compress(block)

    def _session(self) -> Part:
        rig = Rig(lambda: iter(()), None, books=1)
        rig.open()
        reads, receive = self._cut(self._texts), rig.books[0].received
        return lambda: [receive(texts, 1) for texts in reads]

    def _tls(self, client: Callable[[], tuple[Callable[[bytes], bytes], Callable[[], bytes]]]) -> Part:
        unwrap, outgoing = client()
        incoming, sealed = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = server_context(self._certificates).wrap_bio(incoming, sealed, server_side=True)
        for _ in range(3):
            incoming.write(outgoing())
            with suppress(ssl.SSLWantReadError):
                server.do_handshake()
            unwrap(sealed.read())
        reads = []
        for part in self._cut(self._frames):
            for frame in part:
                server.write(frame)
            reads.append(sealed.read())

        def decrypt() -> None:
            if sum(len(unwrap(data)) for data in reads) != sum(map(len, self._frames)):
                raise SystemExit("not everything was decrypted")

        return decrypt

    def _standard(self) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=self._certificates / AUTHORITY)
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        read = reader_of(tls, incoming)
        read(b"")
        return read, outgoing.read

    def _ours(self) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
        tls: Any = TlsClient("127.0.0.1", trust_root(str(self._certificates / AUTHORITY))).connection()
        shaken = tls.shake_hands()

        def unwrap(data: bytes) -> bytes:
            nonlocal shaken
            if shaken:
                return bytes(tls.decrypt(data))
            tls.feed(data)
            shaken = tls.shake_hands()
            return b""

        return unwrap, tls.outgoing


def measure(count: int, rounds: int, certificates: Path) -> dict[str, float]:
    """µs of processor time a message, by part."""
    parts, best = Parts(count, certificates), dict[str, float]()
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, part in parts.all():
            began = thread_time()
            part()
            cost = (thread_time() - began) / count * 1e6
            best[name] = min(cost, best.get(name, cost))
    return best


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--markdown", action="store_true", help="print a table as it is in docs/performance.md")
    options = parser.parse_args()
    pin(CLIENT)
    print(surroundings())
    began = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(Path(folder))
        best = measure(options.messages, options.rounds, Path(folder))
    rows = [[name, f"{cost:.2f}"] for name, cost in best.items()]
    if options.markdown:
        print(markdown(["part", "µs a message"], rows))
    else:
        print("\n".join(f"{cost:>6} µs  {name}" for name, cost in rows), f"\n{perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
