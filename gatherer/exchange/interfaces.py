"""The seams within the shell towards the exchange: WebSocket, session, connection."""

from zope.interface import Attribute, Interface


class IWebSocketListener(Interface):
    """Who uses an `IWebSocketClient`. Calls come as (opened, (received | undecodable | pinged)*)?, closed."""

    def opened():
        """The upgrade succeeded; messages can be sent."""

    def received(payloads, received_at):
        """All complete text messages of one socket read: `list[bytes]`, and Unix time in ns."""

    def undecodable(payload, reason, received_at):
        """A message that cannot be JSON text (binary): its bytes, and one word why."""

    def pinged():
        """The exchange sent a ping; the pong is on its way."""

    def closed(reason):
        """The socket is gone, or never came up: a Failure. A redial is already scheduled unless stopped."""


class IWebSocketClient(Interface):
    """Keeps one WebSocket to the exchange open, redialling with exponential backoff."""

    is_open = Attribute("Whether the upgrade succeeded and the socket still lives.")
    state = Attribute("Where it is between two sockets, a word: idle, backoff, queued, dialing, open, stopped.")

    def start():
        """Ask the pacer for the first dial."""

    def send(payload):
        """Send one text message (`bytes`). Raises `LocalProtocolError` when not open."""

    def abort(error):
        """Cut the socket at once (no close handshake: the other end is presumed dead) and redial with backoff.
        `closed` is told the error."""

    def healthy():
        """Things went well for long enough: the next wait starts from `initial_delay` again."""

    def next_dial_in():
        """Seconds until the scheduled redial, or None when none is scheduled."""

    def stop():
        """Close with code 1000, dial no more. Deferred: fires with None when the socket is gone. Idempotent."""


class ISession(Interface):
    """One open socket and everything that dies with it: sids, numbers, pending commands, held markets."""

    def want(ticker):
        """The connection's wanted set has grown by a market."""

    def unwant(ticker):
        """The connection's wanted set has lost a market."""

    def refresh(ticker):
        """Ask for a fresh snapshot of a market, if it is held."""

    def fresh_book(ticker):
        """See `IConnection`."""

    def close(reason, stopped=False):
        """The socket is gone, `stopped` when we wanted that: fail what is pending, cancel every timer."""

    def describe(ticker):
        """A JSON-ready dict: what this session knows of a market."""


class ISessionOwner(Interface):
    """Who a session reports to: its connection."""

    def changed():
        """The subscriptions are what they should be now, or the exchange ended one."""

    def lifecycle(payloads):
        """A `list[bytes]` of lifecycle messages arrived."""

    def gap(size):
        """So many numbers were skipped on one of the sids."""

    def silent(tickers):
        """These markets are subscribed but never sent a book, although it was asked for twice."""

    def over_limit(tickers, capacity):
        """The exchange takes no more markets here: these wanted ones do not fit, so many are held."""

    def restart(reason):
        """The socket cannot be trusted any more: cut it and start over."""
