"""The seams within the shell towards the exchange: WebSocket, session, connection."""

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from gatherer.errors import GathererError


class IWebSocketListener(Interface):
    """The user of an `IWebSocketClient`. Calls come as (opened, (received | undecodable | pinged)*)?, closed."""

    def opened() -> None:
        """The upgrade succeeded; messages can be sent."""

    def received(payloads: list[bytes], received_at: int) -> None:
        """All complete text messages of one socket read, and the Unix time of the read in ns."""

    def undecodable(payload: bytes, reason: str, received_at: int) -> None:
        """A message that cannot be JSON text (binary): its bytes, and one word that names the cause."""

    def pinged() -> None:
        """The exchange sent a ping; the pong is on its way."""

    def closed(reason: Failure) -> None:
        """The socket is gone, or never came up. A redial is already scheduled, unless the client was stopped."""


class IWebSocketClient(Interface):
    """Keeps one WebSocket to the exchange open, redialling with exponential backoff."""

    is_open: bool = Attribute("Whether the upgrade succeeded and the socket still lives.")
    state: str = Attribute("Where it is between two sockets: idle, backoff, queued, dialing, open, stopped.")

    def start() -> None:
        """Ask the pacer for the first dial. Later calls do nothing."""

    def send(payload: bytes) -> None:
        """Send one text message. Raises `LocalProtocolError` when not open. During a closing handshake, which either
        side may begin, it does nothing: `closed` follows."""

    def abort(error: GathererError) -> None:
        """Cut the socket at once and redial with backoff. There is no close handshake: the other end is presumed dead.
        `closed` gets the error."""

    def healthy() -> None:
        """The socket has worked for long enough: the next wait starts from `initial_delay` again."""

    def next_dial_in() -> float | None:
        """Seconds until the scheduled redial, or None when none is scheduled."""

    def stop() -> Deferred[None]:
        """Close with code 1000 and dial no more. Fires with None when the socket is gone. Idempotent."""


class ISessionOwner(Interface):
    """A session reports to it: its connection."""

    def changed() -> None:
        """The subscriptions are what they should be now, or the exchange ended one."""

    def lifecycle(payloads: list[bytes]) -> None:
        """Lifecycle messages arrived."""

    def gap(size: int) -> None:
        """One of the sids skipped this many numbers."""

    def silent(tickers: list[str]) -> None:
        """These markets are subscribed but never sent a book, although it was asked for twice."""

    def over_limit(tickers: list[str], capacity: int) -> None:
        """The exchange takes no more markets here. These wanted markets do not fit; `capacity` markets are held."""

    def restart(reason: str) -> None:
        """The socket cannot be trusted any more: cut it and start over."""
