"""The work that all clients do for a message, and the result that they report.

Decode `type`, `id`, `sid` and `seq`, check the number, make a RawMessage, pass it on. gatherer does this in its
session. The others use `make_reader`, which has the same decoder, tracker and value.
"""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns, process_time, time_ns
from typing import Any

from gatherer.core.subscriptions.sequence import SequenceTracker
from gatherer.core.wire.codec import Envelope, decode_envelope
from gatherer.values import RawMessage

BATCH = 50
"""Messages handed on at once by clients that get them one by one. Divides every number of messages."""


@dataclass(frozen=True, slots=True)
class Task:
    """The task of one client process."""

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
        """The URL of the generator."""
        return f"{'ws' if self.ca_file is None else 'wss'}://127.0.0.1:{self.port}/trade-api/ws/v2"

    @property
    def variant(self) -> str:
        """The part after the @."""
        return self.client.partition("@")[2]


class Sink:
    """Receives the messages. It ends the process after the last one."""

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
        """One more connection is open. The measurement starts with the last one."""
        self._open += 1
        if self._open == self.task.connections:
            gc.collect()
            gc.freeze()  # as twistd gatherer does
            self.send("open")
            self._cpu, self._began = process_time(), monotonic_ns()

    def send(self, facts: Any) -> None:
        """Send something to the parent."""
        self._pipe.send(facts)

    def took(self, count: int) -> None:
        """This many more messages were passed on."""
        self.received += count
        if self.received >= self._expected:
            self.finish()

    def flush(self) -> None:
        """Pass a batch on."""
        count = len(self.batch)
        self.batch.clear()
        self.took(count)

    def finish(self) -> None:
        """Report the result and end, so that no figure includes what the event loop would do afterwards."""
        cpu, ended = process_time() - self._cpu, monotonic_ns()
        facts = {"messages": self.received, "cpu": cpu, "began": self._began, "ended": ended, **self.account()}
        if self.task.timed:  # the server numbers the sockets as it accepted them, and says so in the sid
            facts["arrivals"] = dict(zip(facts["sids"], self.arrivals, strict=True))
        self.send(facts)
        os._exit(0)


class Books:
    """Bytes and numbers of all connections of a client that reads with `make_reader`."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._trackers: list[SequenceTracker] = []
        self._ends: list[Callable[[], tuple[int, Envelope]]] = []
        sink.account = self._account

    def make_reader(self) -> Callable[[bytes], None]:
        """The function that a new connection calls with each message."""
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
