"""The work all clients do for a message, and the account they give of it.

Decode `type`, `id`, `sid` and `seq`, check the number, make a RawMessage, hand it on. gatherer does it in its own
session; the others with `make_reader`, the same decoder, tracker and value.
"""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns, process_time, time_ns
from typing import Any

from gatherer.core.messages import RawMessage
from gatherer.core.subscriptions.sequence import SequenceTracker
from gatherer.core.wire.codec import Envelope, decode_envelope

BATCH = 50
"""Messages handed on at once by clients that get them one by one. Divides every number of messages."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one client process is to do."""

    client: str
    """`name` or `name@variant`."""
    port: int
    ca_file: str | None
    """Authority of the server's certificate; None for plain TCP."""
    connections: int
    total: int
    """Messages to come, a multiple of `BATCH`."""
    timed: bool = False
    """Whether to note when each message arrived."""

    @property
    def url(self) -> str:
        """Where the generator is."""
        return f"{'ws' if self.ca_file is None else 'wss'}://127.0.0.1:{self.port}/trade-api/ws/v2"

    @property
    def variant(self) -> str:
        """What follows the @."""
        return self.client.partition("@")[2]


class Sink:
    """Where the messages end. It ends the process when the last one is there."""

    def __init__(self, task: Task, pipe: Any) -> None:
        self.task = task
        self.batch: list[RawMessage] = []
        self.received = 0
        self.account: Callable[[], dict[str, Any]] = dict
        """Bytes and gaps, as the client's own books have them; of each connection's last message `sids` and `last`."""
        self.arrivals: list[list[int]] = [[] for _ in range(task.connections)]
        """By connection: when each message was handed on, monotonic ns."""
        self._pipe = pipe
        self._expected = task.total
        self._open = 0
        self._cpu = 0.0
        self._began = 0

    def opened(self) -> None:
        """One more connection is open. With the last of them the account begins."""
        self._open += 1
        if self._open == self.task.connections:
            gc.collect()
            gc.freeze()  # as twistd gatherer does
            self.tell("open")
            self._cpu, self._began = process_time(), monotonic_ns()

    def tell(self, facts: Any) -> None:
        """Say something to the parent."""
        self._pipe.send(facts)

    def took(self, count: int) -> None:
        """So many more messages are handed on."""
        self.received += count
        if self.received >= self._expected:
            self.finish()

    def flush(self) -> None:
        """Hand a batch on."""
        count = len(self.batch)
        self.batch.clear()
        self.took(count)

    def finish(self) -> None:
        """Give account and end: what the event loop would still do is in no figure."""
        cpu, ended = process_time() - self._cpu, monotonic_ns()
        facts = {"messages": self.received, "cpu": cpu, "began": self._began, "ended": ended, **self.account()}
        if self.task.timed:  # the server numbers the sockets as it accepted them, and says so in the sid
            facts["arrivals"] = dict(zip(facts["sids"], self.arrivals, strict=True))
        self.tell(facts)
        os._exit(0)


class Books:
    """Bytes and numbers of all connections of a client that reads with `make_reader`."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._trackers: list[SequenceTracker] = []
        self._ends: list[Callable[[], tuple[int, Envelope]]] = []
        sink.account = self._account

    def make_reader(self) -> Callable[[bytes], None]:
        """What a new connection calls with each message."""
        tracker, total, sink, conn_id = SequenceTracker(), 0, self.sink, len(self._trackers) + 1
        observe, batch, decode, flush = tracker.observe, sink.batch, decode_envelope, sink.flush
        append, arrived = batch.append, sink.arrivals[conn_id - 1].append
        envelope, timed = Envelope(), sink.task.timed

        def read(data: bytes) -> None:
            nonlocal total, envelope
            envelope = decode(data)
            gap = observe(envelope.sid, envelope.seq)
            total += len(data)
            append(RawMessage(data, conn_id, time_ns(), gap > 0, gap))
            if timed:
                arrived(monotonic_ns())
            if len(batch) == BATCH:
                flush()

        self._trackers.append(tracker)
        self._ends.append(lambda: (total, envelope))
        return read

    def _account(self) -> dict[str, Any]:
        sizes, envelopes = zip(*(end() for end in self._ends), strict=True)
        return {
            "bytes": sum(sizes),
            "gaps": sum(tracker.gaps + tracker.repeats for tracker in self._trackers),
            "last": [envelope.seq for envelope in envelopes],
            "sids": [envelope.sid for envelope in envelopes],
        }
