"""What goes wrong on request. Every fault is a method, and by the same name a command line option. Pure.

Some faults happen at once, to sessions that are open; the others are armed and befall
what comes next. Nothing goes wrong unasked.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from gatherer.simulator.feed.wire import BOOKS, TERMINAL

HUGE = 20 * 1024 * 1024
"""Bytes of a huge frame: beyond the 16 MiB a careful client allows for."""
GARBAGE = ("json", "binary", "unknown_type", "huge")


@dataclass(frozen=True, slots=True)
class ReplyFault:
    """What becomes of a command's replies."""

    lost: bool = False
    delay: float = 0.0
    """Seconds the replies come late; the command takes effect at once."""


@dataclass(frozen=True, slots=True)
class ScriptedError:
    """The answer to a command, whatever it asked."""

    code: int
    applied: bool = False
    """Whether the command takes effect all the same: the doubt that code 18 leaves."""


def garbage_frame(kind: str) -> tuple[bytes, bool]:
    """A frame no client should have to expect, and whether it is binary. Raises ValueError for an unknown kind."""
    if kind not in GARBAGE:
        raise ValueError(f"no such garbage: {kind!r} (there are {', '.join(GARBAGE)})")
    if kind == "huge":
        return b'{"type":"huge","msg":"' + b"x" * HUGE + b'"}', False
    frames = {"json": b'{"type":"orderbook_delta","sid":', "binary": b"\x00\xff\xfe\x01"}
    return frames.get(kind, b'{"type":"surprise","sid":1,"msg":{"market_ticker":"KXSIM"}}'), kind == "binary"


class FaultySession(Protocol):
    """What a fault can do to an open session."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def muted(self) -> bool:
        """Whether it is half-open."""

    def mute(self) -> None:
        """Make it half-open."""

    def cut(self) -> None:
        """Drop its socket."""

    def has_channel(self, channel: str) -> bool:
        """Whether it is subscribed to a channel."""

    def end_channel(self, channel: str, code: int | None) -> None:
        """End the subscription to a channel, by an error or by `unsubscribed`."""

    def transmit_garbage(self, payload: bytes, binary: bool) -> None:
        """Write a frame that is not a message."""


class Faults:
    """Script the exchange's failures. `count` sessions are drawn at random, or one is named by its id."""

    def __init__(
        self, sessions: Mapping[int, FaultySession], random: Random, now: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`now` gives the exchange's Unix time in seconds."""
        self.numbering = False
        """Whether any number is to be disturbed: looked at for every message."""
        self.garbage_waits = False
        self.freezing = False
        """Whether anything was ever frozen: looked at for every message."""
        self._frozen_until = 0.0
        self._sessions_frozen_until: dict[int, float] = {}
        self._now = now
        self._sessions = sessions
        self._random = random
        self._upgrades: deque[int] = deque()
        self._fates: deque[ReplyFault] = deque()
        self._errors: deque[ScriptedError] = deque()
        self._disturbances: deque[int] = deque()
        self._garbage: deque[tuple[bytes, bool]] = deque()
        self._rest_statuses: deque[int] = deque()
        self._rest_short = 0

    def refuse_upgrade(self, status: int = 429, times: int = 1) -> None:
        """Answer the next upgrades with an HTTP error instead of 101."""
        self._upgrades.extend([status] * times)

    def cut(self, count: int = 1, session: int | None = None) -> None:
        """Cut sockets, without a close handshake."""
        for victim in self._victims(count, session):
            victim.cut()

    def half_open(self, count: int = 1, session: int | None = None) -> None:
        """Let sockets stay, but hear and say nothing on them any more: no data, no ping, no pong."""
        for victim in self._victims(count, session):
            victim.mute()

    def freeze(self, seconds: float, count: int | None = None, session: int | None = None) -> None:
        """For so long send no market data, trades or lifecycle events: to nobody, or not to some sessions. Pings go on,
        commands are answered, books are sent to who asks. What happens meanwhile is never told and takes no numbers."""
        self.freezing = True
        if count is None and session is None:
            self._frozen_until = self._now() + seconds
            return
        for victim in self._victims(count or 1, session):
            self._sessions_frozen_until[victim.id] = self._now() + seconds

    def lose_replies(self, times: int = 1) -> None:
        """Carry out the next commands without answering."""
        self._fates.extend([ReplyFault(lost=True)] * times)

    def late_replies(self, times: int = 1, seconds: float = 10.0) -> None:
        """Carry out the next commands at once and answer so many seconds later. Needs the exchange to have a clock."""
        self._fates.extend([ReplyFault(delay=seconds)] * times)

    def error(self, code: int, times: int = 1, applied: bool = False) -> None:
        """Answer the next subscribe or update commands with an error."""
        self._errors.extend([ScriptedError(code, applied)] * times)

    def terminate(self, code: int = 25, count: int = 1, session: int | None = None, channel: str = BOOKS) -> None:
        """End a channel of some sessions by an error nobody asked for, without an id."""
        if code not in TERMINAL:
            raise ValueError(f"error {code} does not end a subscription (10 and 25 do)")
        for victim in self._victims(count, session, channel):
            if victim.has_channel(channel):
                victim.end_channel(channel, code)

    def unsubscribed(self, count: int = 1, session: int | None = None, channel: str = BOOKS) -> None:
        """End a channel of some sessions by an `unsubscribed` nobody asked for."""
        for victim in self._victims(count, session, channel):
            if victim.has_channel(channel):
                victim.end_channel(channel, None)

    def skip_seq(self, times: int = 1, count: int = 1) -> None:
        """Let the next numbered messages each skip so many numbers."""
        self._disturb([count] * times)

    def repeat_seq(self, times: int = 1) -> None:
        """Let the next numbered messages each repeat the number before (the first one of a sid cannot)."""
        self._disturb([-1] * times)

    def garbage(self, kind: str, times: int = 1, session: int | None = None) -> None:
        """Put a garbage frame before each of the next messages; or send it now, to one session."""
        if session is not None:
            for _ in range(times):
                self._sessions[session].transmit_garbage(*garbage_frame(kind))
            return
        self._garbage.extend([garbage_frame(kind)] * times)
        self.garbage_waits = bool(self._garbage)

    def rest_status(self, status: int, times: int = 1) -> None:
        """Answer the next REST requests with an HTTP error."""
        self._rest_statuses.extend([status] * times)

    def rest_short(self, times: int = 1) -> None:
        """Cut the connection in the middle of the next REST bodies."""
        self._rest_short += times

    def is_frozen(self, session: int) -> bool:
        """Whether a session gets no data now."""
        return self._now() < max(self._frozen_until, self._sessions_frozen_until.get(session, 0.0))

    def next_upgrade(self) -> int | None:
        """The HTTP status the next upgrade is refused with, or None."""
        return self._upgrades.popleft() if self._upgrades else None

    def next_reply_fault(self) -> ReplyFault:
        """What becomes of the next command's replies."""
        return self._fates.popleft() if self._fates else ReplyFault()

    def next_error(self) -> ScriptedError | None:
        """The error the next command is answered with, or None."""
        return self._errors.popleft() if self._errors else None

    def next_rest_status(self) -> int | None:
        """The HTTP error the next REST request is answered with, or None."""
        return self._rest_statuses.popleft() if self._rest_statuses else None

    def next_rest_short(self) -> bool:
        """Whether the next REST body is to break off."""
        self._rest_short, short = max(0, self._rest_short - 1), self._rest_short > 0
        return short

    def next_garbage(self) -> tuple[bytes, bool]:
        """The garbage before the next message, and whether it is binary."""
        frame = self._garbage.popleft()
        self.garbage_waits = bool(self._garbage)
        return frame

    def disturbance(self, last: int) -> int:
        """What to add to the last number before it is counted up; 0 when there is nothing to repeat yet."""
        if self._disturbances[0] < 0 and last == 0:
            return 0
        step = self._disturbances.popleft()
        self.numbering = bool(self._disturbances)
        return step

    def _disturb(self, steps: list[int]) -> None:
        self._disturbances.extend(steps)
        self.numbering = bool(self._disturbances)

    def _victims(self, count: int, session: int | None, channel: str | None = None) -> list[FaultySession]:
        if session is not None:
            return [self._sessions[session]]
        able = [
            one for one in self._sessions.values() if not one.muted and (channel is None or one.has_channel(channel))
        ]
        return self._random.sample(able, min(count, len(able)))
