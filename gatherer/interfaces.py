"""The seams. A contract says what fires, what fails and in which unit; nothing of ours is imported here.

`RawMessage`, `Marker` and `MarketChange` are the values of `gatherer.core.messages`.
Every Deferred a method returns belongs to the caller.
"""

from zope.interface import Attribute, Interface


class IMessageRouter(Interface):
    """Where every message goes. Never blocks and never raises: what it cannot keep it counts and marks."""

    def deliver(batch):
        """Take over a `list[RawMessage]`, in order; the caller does not touch the list again. What does not fit into
        the buffer is dropped and counted per connection, and the next record that is written tells (a `local_drop`
        marker). Returns how many of the batch were lost."""

    def mark(marker):
        """Write a `Marker` into the capture, in order with the messages. Never dropped."""

    def start():
        """Be ready for messages. Raises `ConfigError` when the place they go to cannot be had. Called once."""

    def status():
        """A JSON-ready dict; at least `received`, `written`, `dropped`, `backlog`, all numbers of messages."""

    def backlog():
        """How many messages are taken over but not yet written, an int."""

    def close():
        """Write all that was taken over. Deferred: fires with None when it is on disk; never fails. Idempotent."""


class IMarketChangeListener(Interface):
    """Who acts on the registry's decisions."""

    def markets_changed(changes):
        """Act on a `Sequence[MarketChange]`, in order, before returning. Nothing may be lost or queued."""


class IExchangeRest(Interface):
    """REST as the registry needs it: each request is paced, retried, and given up with `RestError`."""

    errors = Attribute("`Counter` of tries that failed, by endpoint.")

    def exchange_status():
        """Coroutine: the `ExchangeStatus`, also while the exchange is down but says so properly."""

    def markets(status=None, multivariate="exclude", tickers=None):
        """Async iterator of `list[MarketRow]`; `multivariate`: "exclude", "only" or "include"; at most 300 tickers."""

    def market(ticker):
        """Coroutine: the `MarketRow` of one market, or None when the exchange does not know it."""

    def close():
        """Deferred: fires with None when the connections kept for reuse are closed. Idempotent."""


class IMarketRegistry(Interface):
    """The only one who knows which markets exist and which are active."""

    def start(listener):
        """Walk REST, tell the `IMarketChangeListener` of every market to carry, and go on doing so. Deferred: the
        number of active markets after the first whole walk. Retries an exchange in trouble; `stop` cancels it."""

    def stop():
        """Deferred: fires with None when no request and no timer is left. Idempotent."""

    def lifecycle_messages(batch):
        """Take a `list[bytes]` of raw lifecycle messages, perhaps before `start`, perhaps twice (by a pair)."""

    def lifecycle_missed():
        """No lifecycle connection was up for a while: events were lost, so reconcile soon."""

    def market_missed(ticker):
        """A subscribed market never sent its book: look it up, together with others that never did."""

    def active():
        """A set-like view of the tickers to carry now."""

    def describe(ticker):
        """A JSON-ready dict of all that is known of one market, or None for one never heard of."""

    def status():
        """A JSON-ready dict of the figures in docs/metrics.md (`market_registry_*`)."""


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


class IConnectionOwner(Interface):
    """Who a connection reports to: the manager."""

    def connection_changed(connection):
        """It went live, or ceased to be, or a dial failed."""

    def upgrade_refused(error):
        """The exchange answered an upgrade with an HTTP error, an `UpgradeRefused`."""

    def upgrade_accepted():
        """The exchange let a connection in."""

    def lifecycle(payloads):
        """See `ISessionOwner`."""

    def lifecycle_gap():
        """Lifecycle messages were lost."""

    def silent(tickers):
        """See `ISessionOwner`."""

    def over_limit(connection, tickers, capacity):
        """See `ISessionOwner`."""


class IConnection(Interface):
    """One of the fixed ids of the plan. Survives its sockets; owns the wanted set. An `IService`: `stopService` gives
    a Deferred that fires when the socket is closed and no timer is left."""

    conn_id = Attribute("1 to 150, fixed.")
    role = Attribute("`Role`: ticker, trade, market_lifecycle or orderbook_delta.")
    is_live = Attribute("Socket open and, for a global role, its channel subscribed.")
    last_error = Attribute("Why the latest dial or socket failed, or None.")
    wanted = Attribute("The set of markets it is to carry; only the manager edits it, by `want` and `unwant`.")

    def want(ticker):
        """Carry a market from now on, across reconnects."""

    def unwant(ticker, moved=False):
        """Stop carrying a market; `moved` when another connection is to carry it."""

    def refresh(ticker):
        """Ask for a fresh snapshot of a market it carries."""

    def sample():
        """A message that came lately and when, Unix ns: the first of the latest read. None before any came."""

    def fresh_book(ticker):
        """Ask for a fresh snapshot of a market it carries. Deferred: fires with `sid`, `seq`, `at` (Unix seconds) and
        the numbers of levels `yes` and `no` of the market's next snapshot, whoever asked for it; fails with
        `SessionLost`. It may never come: cancel the Deferred then."""

    def pending():
        """Commands without a reply: JSON-ready dicts of `id`, `action`, `sid`, number of `markets`, `first` of them,
        `age` in seconds."""

    def pause(paused):
        """Send no more commands, over all sockets to come, until told to go on. What is subscribed stays so."""

    def kick(reason):
        """Cut the socket; redial with backoff. Raises `SteeringError` when there is none."""

    def describe(ticker):
        """A JSON-ready dict: what this connection knows of one of its markets."""

    def status():
        """A JSON-ready dict: state, wanted, held, owed, pending, gaps, reconnects, age of the last message."""


class IConnectionManager(Interface):
    """The pool: plan, allocation, pacing. An `IService`; `startService` dials all, paced, lifecycle first."""

    def when_ready():
        """Deferred: fires with None once `min_healthy` connections are live and the lifecycle channel is (if the
        plan has one); fails with `StartupFailed` when that takes too long. Cancelled by `stopService`."""

    def connections():
        """All `IConnection`, in the order of their ids."""

    def status():
        """A JSON-ready dict of the figures in docs/metrics.md (`conn_manager_*`)."""

    def explain(ticker):
        """A JSON-ready dict of one market's story: registry, connection, held or owed, sid."""
