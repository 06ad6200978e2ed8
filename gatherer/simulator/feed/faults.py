"""Failures on request. Each fault is a method, and a command line option with the same name. Pure.

Some faults happen at once, to open sessions. Others wait for the next message, command, upgrade or request. Without a
request nothing fails.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from gatherer.simulator.feed.wire import BOOKS, TERMINAL

HUGE_BYTES = 20 * 1024 * 1024
"""Size of a huge frame: more than the 16 MiB that a careful client accepts."""
_RESTART = -(10**18)
"""A step of the numbers that starts them again."""
GARBAGE = ("json", "binary", "unknown_type", "huge")


@dataclass(frozen=True, slots=True)
class ReplyFault:
    """What happens to the replies to one command."""

    lost: bool = False
    delay: float = 0.0
    """Seconds before the replies are sent. The command takes effect at once."""


@dataclass(frozen=True, slots=True)
class ScriptedError:
    """An error that answers a command of any kind."""

    code: int
    applied: bool = False
    """Whether the command takes effect despite the error: after code 18 a client cannot know."""


def garbage_frame(kind: str) -> tuple[bytes, bool]:
    """A frame that no client expects, and whether it is binary. Raises ValueError for an unknown kind."""
    if kind not in GARBAGE:
        raise ValueError(f"no such garbage: {kind!r} (there are {', '.join(GARBAGE)})")
    if kind == "huge":
        return b'{"type":"huge","msg":"' + b"x" * HUGE_BYTES + b'"}', False
    frames = {"json": b'{"type":"orderbook_delta","sid":', "binary": b"\x00\xff\xfe\x01"}
    return frames.get(kind, b'{"type":"surprise","sid":1,"msg":{"market_ticker":"KXSIM"}}'), kind == "binary"


class FaultySession(Protocol):
    """What faults do to an open session."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def is_half_open(self) -> bool:
        """Whether `go_half_open` was called."""

    def go_half_open(self) -> None:
        """Stop hearing and sending; the socket stays."""

    def cut(self) -> None:
        """Drop the socket."""

    def has_channel(self, channel: str) -> bool:
        """Whether the client is subscribed to a channel."""

    def end_channel(self, channel: str, code: int | None) -> None:
        """End the subscription to a channel, with an error code or with `unsubscribed`."""

    def transmit_garbage(self, payload: bytes, binary: bool) -> None:
        """Write a frame that is not a message."""


class Faults:
    """Script the failures of the exchange. `count` sessions are drawn at random, or one is named by its id."""

    def __init__(
        self, sessions: Mapping[int, FaultySession], random: Random, now: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`now` gives the exchange's Unix time in seconds."""
        self.has_seq_steps = False
        """Whether a seq is to skip or repeat. Every message looks at this."""
        self.has_garbage = False
        self.has_frozen = False
        """Whether `freeze` was ever called. Every message looks at this."""
        self._frozen_until = 0.0
        self._sessions_frozen_until: dict[int, float] = {}
        self._now = now
        self._sessions = sessions
        self._random = random
        self._upgrades: deque[int] = deque()
        self._reply_faults: deque[ReplyFault] = deque()
        self._reply_delay = 0.0
        self._errors: deque[ScriptedError] = deque()
        self._seq_steps: deque[int] = deque()
        self._lost_books = 0
        self._garbage: deque[tuple[bytes, bool]] = deque()
        self._rest_statuses: deque[int] = deque()
        self._rest_short = 0

    def refuse_upgrade(self, status: int = 429, times: int = 1) -> None:
        """Answer the next upgrades with an HTTP error instead of 101."""
        self._upgrades.extend([status] * times)

    def cut(self, count: int = 1, session: int | None = None) -> None:
        """Cut sockets without a close handshake."""
        for chosen in self._choose(count, session):
            chosen.cut()

    def half_open(self, count: int = 1, session: int | None = None) -> None:
        """Keep sockets open but neither hear nor send anything on them: no data, no ping, no pong."""
        for chosen in self._choose(count, session):
            chosen.go_half_open()

    def freeze(self, seconds: float, count: int | None = None, session: int | None = None) -> None:
        """Send no market data, trades or lifecycle events for some seconds, to all sessions or to some.

        Pings, replies and snapshots go on. What happens meanwhile is never sent and takes no seq.
        """
        self.has_frozen = True
        if count is None and session is None:
            self._frozen_until = self._now() + seconds
            return
        for chosen in self._choose(count or 1, session):
            self._sessions_frozen_until[chosen.id] = self._now() + seconds

    def lose_replies(self, times: int = 1) -> None:
        """Carry out the next commands and do not answer them."""
        self._reply_faults.extend([ReplyFault(lost=True)] * times)

    def late_replies(self, times: int = 1, seconds: float = 10.0) -> None:
        """Carry out the next commands at once and answer some seconds later. Needs an exchange with a clock."""
        self._reply_faults.extend([ReplyFault(delay=seconds)] * times)

    def reply_delay(self, seconds: float) -> None:
        """From now on, carry out each command at once and answer some seconds later; 0 ends it. Needs a clock."""
        self._reply_delay = seconds

    def lose_books(self, times: int = 1) -> None:
        """Do not send the next order book snapshots, nor their numbers. The deltas of the market are sent."""
        self._lost_books += times

    def error(self, code: int, times: int = 1, applied: bool = False) -> None:
        """Answer the next subscribe or update commands with an error."""
        self._errors.extend([ScriptedError(code, applied)] * times)

    def terminate(self, code: int = 25, count: int = 1, session: int | None = None, channel: str = BOOKS) -> None:
        """End a channel of some sessions by an error without an id: the client did not ask for it."""
        if code not in TERMINAL:
            raise ValueError(f"error {code} does not end a subscription (10 and 25 do)")
        self._end_channel(count, session, channel, code)

    def unsubscribed(self, count: int = 1, session: int | None = None, channel: str = BOOKS) -> None:
        """End a channel of some sessions by an `unsubscribed` that the client did not ask for."""
        self._end_channel(count, session, channel, None)

    def _end_channel(self, count: int, session: int | None, channel: str, code: int | None) -> None:
        for chosen in self._choose(count, session, channel):
            if chosen.has_channel(channel):
                chosen.end_channel(channel, code)

    def skip_seq(self, times: int = 1, count: int = 1) -> None:
        """Let the next numbered messages each skip so many numbers."""
        self._add_seq_steps([count] * times)

    def repeat_seq(self, times: int = 1) -> None:
        """Let the next numbered messages each repeat the previous number. The first message of a sid cannot."""
        self._add_seq_steps([-1] * times)

    def restart_seq(self, times: int = 1) -> None:
        """Let the next numbered messages each start the numbers of their sid again from 1, without a word. The first
        message of a sid cannot."""
        self._add_seq_steps([_RESTART] * times)

    def _add_seq_steps(self, steps: list[int]) -> None:
        self._seq_steps.extend(steps)
        self.has_seq_steps = bool(self._seq_steps)

    def garbage(self, kind: str, times: int = 1, session: int | None = None) -> None:
        """Send a garbage frame before each of the next messages, or at once to the session that is named."""
        if session is not None:
            for _ in range(times):
                self._sessions[session].transmit_garbage(*garbage_frame(kind))
            return
        self._garbage.extend([garbage_frame(kind)] * times)
        self.has_garbage = bool(self._garbage)

    def rest_status(self, status: int, times: int = 1) -> None:
        """Answer the next REST requests with an HTTP error."""
        self._rest_statuses.extend([status] * times)

    def rest_short(self, times: int = 1) -> None:
        """Cut the connection in the middle of the next REST bodies."""
        self._rest_short += times

    def clear(self) -> None:
        """Drop every fault that waits or goes on. Sockets that are cut, half-open or frozen stay so."""
        for waiting in (self._upgrades, self._reply_faults, self._errors, self._rest_statuses, self._seq_steps):
            waiting.clear()
        self._garbage.clear()
        self._rest_short = self._lost_books = 0
        self._reply_delay = 0.0
        self.has_seq_steps = self.has_garbage = False

    def is_frozen(self, session: int) -> bool:
        """Whether a session gets no data now."""
        return self._now() < max(self._frozen_until, self._sessions_frozen_until.get(session, 0.0))

    def next_upgrade(self) -> int | None:
        """The HTTP status that refuses the next upgrade, or None."""
        return self._upgrades.popleft() if self._upgrades else None

    def next_reply_fault(self) -> ReplyFault:
        """What happens to the replies to the next command."""
        return self._reply_faults.popleft() if self._reply_faults else ReplyFault(delay=self._reply_delay)

    def next_error(self) -> ScriptedError | None:
        """The error that answers the next command, or None."""
        return self._errors.popleft() if self._errors else None

    def next_book_is_lost(self) -> bool:
        """Whether the next order book snapshot is not sent."""
        self._lost_books, lost = max(0, self._lost_books - 1), self._lost_books > 0
        return lost

    def next_rest_status(self) -> int | None:
        """The HTTP error that answers the next REST request, or None."""
        return self._rest_statuses.popleft() if self._rest_statuses else None

    def next_rest_short(self) -> bool:
        """Whether the next REST body breaks off."""
        self._rest_short, short = max(0, self._rest_short - 1), self._rest_short > 0
        return short

    def next_garbage(self) -> tuple[bytes, bool]:
        """The garbage before the next message, and whether it is binary. Only if `has_garbage`."""
        frame = self._garbage.popleft()
        self.has_garbage = bool(self._garbage)
        return frame

    def next_seq_step(self, last: int) -> int:
        """What to add to the last seq before it counts up; 0 if there is nothing to repeat. Only if `has_seq_steps`."""
        if self._seq_steps[0] < 0 and last == 0:
            return 0
        step = self._seq_steps.popleft()
        self.has_seq_steps = bool(self._seq_steps)
        return -last if step == _RESTART else step

    def _choose(self, count: int, session: int | None, channel: str | None = None) -> list[FaultySession]:
        if session is not None:
            return [self._sessions[session]]
        able = [
            one
            for one in self._sessions.values()
            if not one.is_half_open and (channel is None or one.has_channel(channel))
        ]
        return self._random.sample(able, min(count, len(able)))
