"""One socket's worth of state. Born at the upgrade, discarded at close. Pure."""

from collections import deque
from collections.abc import Callable, Iterable

from gatherer.simulator.feed import wire
from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.feed.subscription import Subscription
from gatherer.simulator.feed.wire import BOOKS
from gatherer.simulator.markets.market import OVER, Market

Send = Callable[[bytes], None]
DRAIN_PAUSE = 0.02
"""Seconds between two looks at a socket that is too full for more snapshots."""


class Session:
    """What the exchange knows of one client connection."""

    def __init__(
        self,
        floor: Publisher,
        number: int,
        execute: Callable[["Session", bytes], None],
        closed: Callable[["Session"], None],
        send: Send,
        send_binary: Send | None = None,
        cut: Callable[[], None] | None = None,
        crowded: Callable[[], bool] | None = None,
        authenticated: bool = True,
    ) -> None:
        self.id = number
        """Which client connection this is, counted from 1 in the order they came."""
        self.authenticated = authenticated
        self.muted = False
        """Half-open: the socket stays, but nothing is heard or said any more."""
        self.closed = False
        self.subscriptions: dict[int, Subscription] = {}
        self.commands_at: tuple[int, int] = (0, 0)
        """The current second and the commands seen in it."""
        self._floor = floor
        self._execute = execute
        self._closed = closed
        self._send = send
        self._send_binary = send_binary or send
        self._cut = cut
        self._crowded = crowded or (lambda: False)
        self._channels: dict[str, Subscription] = {}
        self._next_sid = 1
        self._owed: deque[tuple[Subscription, Market]] = deque()
        self._pumping = False

    def receive(self, frame: bytes) -> None:
        """Act on one text frame of the client. Never raises for what the client sent."""
        if not (self.closed or self.muted):
            self._execute(self, frame)

    def transmit(self, payload: bytes) -> None:
        """Write one text message, unless the socket is gone or plays dead."""
        if self.closed or self.muted:
            return
        if self._floor.faults.garbage_waits:
            self.transmit_garbage(*self._floor.faults.next_garbage())
        self._send(payload)
        if self._floor.on_sent is not None:
            self._floor.on_sent(self.id, payload)

    def transmit_garbage(self, payload: bytes, binary: bool) -> None:
        """Write what no exchange should send; a text frame unless `binary`."""
        if self.closed or self.muted:
            return
        (self._send_binary if binary else self._send)(payload)
        if self._floor.on_sent is not None:
            self._floor.on_sent(self.id, payload)

    def open_subscription(self, channel: str, use_yes_price: bool = False) -> Subscription:
        """A new sid for a channel that has none on this socket."""
        assert channel not in self._channels
        sub = Subscription(self.id, self.transmit, self._next_sid, channel, use_yes_price, self._floor.faults)
        self._next_sid += 1
        self.subscriptions[sub.sid] = self._channels[channel] = sub
        self._floor.opened(sub)
        return sub

    def on_channel(self, channel: str) -> Subscription | None:
        """The subscription to a channel, if there is one: at most one per socket."""
        return self._channels.get(channel)

    def drop(self, sub: Subscription) -> None:
        """The subscription is over; nothing more is sent on its sid."""
        sub.live = False
        del self.subscriptions[sub.sid], self._channels[sub.channel]
        self._floor.dropped(sub)

    def has_channel(self, channel: str) -> bool:
        """Whether the client is subscribed to a channel."""
        return channel in self._channels

    def end_channel(self, channel: str, code: int | None = None) -> None:
        """End a subscription that the client did not end: with an error, or without a code with `unsubscribed`."""
        sub = self._channels[channel]
        self.drop(sub)
        if code is None:
            self.transmit(wire.reply(None, "unsubscribed", None, sub.sid, sub.next_seq()))
        else:
            self.transmit(wire.error(None, code, sid=sub.sid, seq=sub.next_seq()))

    def mute(self) -> None:
        """Make the socket half-open."""
        self.muted = True

    def overflow(self) -> None:
        """The client reads too slowly: its order books end with error 25; without any, the socket is cut."""
        if self.has_channel(BOOKS):
            self.end_channel(BOOKS, 25)
        else:
            self.cut()

    def cut(self) -> None:
        """Drop the socket without a close handshake."""
        if self._cut is not None and not self.closed:
            self._cut()
        self.close()

    def close(self) -> None:
        """The socket is gone, and all its state with it. Idempotent."""
        if self.closed:
            return
        self.closed = True
        for sub in list(self.subscriptions.values()):
            self.drop(sub)
        self._owed.clear()
        self._closed(self)

    def queue_snapshots(self, sub: Subscription, markets: Iterable[Market]) -> None:
        """Send the book of each market, in chunks as large as the socket takes; deltas follow a book."""
        self._owed.extend((sub, market) for market in markets if market.status not in OVER)
        if not self._pumping:
            self._pump()

    def _pump(self) -> None:
        self._pumping = False
        for _ in range(self._floor.limits.snapshots_per_turn):
            if not self._owed or self._crowded():
                break
            sub, market = self._owed.popleft()
            if sub.live and market.ticker in sub.markets and sub not in market.holders:
                self._floor.hold(sub, market)
                self.transmit(self._floor.snapshot(sub, market))
        if self._owed:
            self._pumping = True
            self._floor.later(DRAIN_PAUSE if self._crowded() else 0.0, self._pump)
