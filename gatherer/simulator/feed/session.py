"""One client connection. It begins with the upgrade and ends with the socket. Pure."""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum

from gatherer.simulator.feed import wire
from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.feed.subscription import Subscription
from gatherer.simulator.feed.wire import BOOKS
from gatherer.simulator.markets.market import OVER, SimulatedMarket

Send = Callable[[bytes], None]
DRAIN_SECONDS = 0.02
"""How soon to look again at a socket that is too full for more snapshots."""


class SocketState(Enum):
    """OPEN goes to HALF_OPEN or CLOSED, HALF_OPEN to CLOSED. Nothing leaves CLOSED."""

    OPEN = "open"
    HALF_OPEN = "half open"
    """The socket stays, but the exchange neither hears nor sends anything on it."""
    CLOSED = "closed"


class ClientSession:
    """What the exchange knows of one client connection.

    `execute` carries out a command, `closed` learns of the end. `send` writes a text message and `send_binary` a binary
    one; `cut` drops the socket; `crowded` says whether the socket is too full for more snapshots.
    """

    def __init__(
        self,
        publisher: Publisher,
        number: int,
        execute: Callable[["ClientSession", bytes], None],
        closed: Callable[["ClientSession"], None],
        send: Send,
        send_binary: Send | None = None,
        cut: Callable[[], None] | None = None,
        crowded: Callable[[], bool] | None = None,
        authenticated: bool = True,
    ) -> None:
        self.id = number
        """The number of the client connection, counted from 1."""
        self.authenticated = authenticated
        self.state = SocketState.OPEN
        self.subscriptions: dict[int, Subscription] = {}
        self.commands_at: tuple[int, int] = (0, 0)
        """The current second and the number of commands in it."""
        self._publisher = publisher
        self._execute = execute
        self._closed = closed
        self._send = send
        self._send_binary = send_binary or send
        self._cut = cut
        self._crowded = crowded or (lambda: False)
        self._channels: dict[str, Subscription] = {}
        self._next_sid = 1
        self._owed: deque[tuple[Subscription, SimulatedMarket]] = deque()
        self._is_draining = False

    @property
    def is_half_open(self) -> bool:
        """Whether the exchange neither hears nor sends anything on the socket."""
        return self.state is SocketState.HALF_OPEN

    @property
    def is_closed(self) -> bool:
        """Whether the socket is gone."""
        return self.state is SocketState.CLOSED

    def receive(self, frame: bytes) -> None:
        """Act on one text frame of the client. Never raises because of its content."""
        if self.state is SocketState.OPEN:
            self._execute(self, frame)

    def transmit(self, payload: bytes) -> None:
        """Write one text message, if the socket is open."""
        if self.state is not SocketState.OPEN:
            return
        publisher = self._publisher
        if publisher.faults.has_garbage:
            self.transmit_garbage(*publisher.faults.next_garbage())
        self._send(payload)
        if publisher.on_sent is not None:
            publisher.on_sent(self.id, payload)

    def transmit_garbage(self, payload: bytes, binary: bool) -> None:
        """Write a frame that no exchange should send: a text frame unless `binary`."""
        if self.state is not SocketState.OPEN:
            return
        (self._send_binary if binary else self._send)(payload)
        if self._publisher.on_sent is not None:
            self._publisher.on_sent(self.id, payload)

    def open_subscription(self, channel: str, use_yes_price: bool = False) -> Subscription:
        """A new sid for a channel that has none on this socket."""
        assert channel not in self._channels
        sub = Subscription(self.id, self.transmit, self._next_sid, channel, use_yes_price, self._publisher.faults)
        self._next_sid += 1
        self.subscriptions[sub.sid] = self._channels[channel] = sub
        self._publisher.add(sub)
        return sub

    def on_channel(self, channel: str) -> Subscription | None:
        """The subscription to a channel, or None. A socket has at most one for each channel."""
        return self._channels.get(channel)

    def has_channel(self, channel: str) -> bool:
        """Whether the client is subscribed to a channel."""
        return channel in self._channels

    def drop(self, sub: Subscription) -> None:
        """End a subscription: no more data on its sid."""
        sub.live = False
        del self.subscriptions[sub.sid], self._channels[sub.channel]
        self._publisher.remove(sub)

    def end_channel(self, channel: str, code: int | None = None) -> None:
        """End a subscription that the client did not end: with an error code, or with `unsubscribed` without one."""
        sub = self._channels[channel]
        self.drop(sub)
        if code is None:
            self.transmit(wire.reply(None, "unsubscribed", None, sub.sid, sub.next_seq()))
        else:
            self.transmit(wire.error(None, code, sid=sub.sid, seq=sub.next_seq()))

    def overflow(self) -> None:
        """The client reads too slowly: end its order books with error 25, or cut the socket if it has none."""
        if self.has_channel(BOOKS):
            self.end_channel(BOOKS, 25)
        else:
            self.cut()

    def go_half_open(self) -> None:
        """Keep the socket but neither hear nor send anything on it."""
        self._enter(SocketState.HALF_OPEN)

    def cut(self) -> None:
        """Drop the socket without a close handshake."""
        if self._cut is not None and not self.is_closed:
            self._cut()
        self.close()

    def close(self) -> None:
        """The socket is gone: forget everything about it. Idempotent."""
        if self.is_closed:
            return
        self._enter(SocketState.CLOSED)
        for sub in list(self.subscriptions.values()):
            self.drop(sub)
        self._owed.clear()
        self._closed(self)

    def _enter(self, state: SocketState) -> None:
        if not self.is_closed:
            self.state = state

    def queue_snapshots(self, sub: Subscription, markets: Iterable[SimulatedMarket]) -> None:
        """Send the book of each market, as many at a time as the socket takes. Deltas of a market follow its book."""
        self._owed.extend((sub, market) for market in markets if market.status not in OVER)
        if not self._is_draining:
            self._drain()

    def _drain(self) -> None:
        self._is_draining = False
        for _ in range(self._publisher.limits.snapshots_per_turn):
            if not self._owed or self._crowded():
                break
            sub, market = self._owed.popleft()
            if sub.live and market.ticker in sub.markets and sub not in market.holders:
                self._publisher.hold(sub, market)
                if not self._publisher.faults.next_book_is_lost():
                    self.transmit(self._publisher.snapshot(sub, market))
        if self._owed:
            self._is_draining = True
            self._publisher.later(DRAIN_SECONDS if self._crowded() else 0.0, self._drain)
