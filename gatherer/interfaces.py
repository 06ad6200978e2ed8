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

    def has_book(ticker):
        """Whether a market is held on the open socket and its book came on it."""

    def fresh_book(ticker):
        """Ask for a fresh snapshot of a market it carries. Deferred: fires with `sid`, `seq`, `at` (Unix seconds) and
        the numbers of levels `yes` and `no` of the market's next snapshot, whoever asked for it; fails with
        `SessionLost`. It may never come: cancel the Deferred then."""

    def pending():
        """Commands without a reply: JSON-ready dicts of `id`, `action`, `sid`, number of `markets`, `first` of them,
        `age` in seconds."""

    def gaps(since):
        """Gaps not older than `since` (Unix seconds), of the latest hundred: JSON-ready dicts of `at`, `sid`, `size`,
        `outcome` ("waiting", "recovered" or why nothing is waited for) and `seconds` from the gap to the last book."""

    def pause(paused):
        """Send no more commands, over all sockets to come, until told to go on. What is subscribed stays so."""

    def kick(reason):
        """Cut the socket; redial with backoff. Raises `SteeringError` when there is none."""

    def describe(ticker):
        """A JSON-ready dict: what this connection knows of one of its markets."""

    def status():
        """A JSON-ready dict: state, wanted, held, owed, pending, gaps, reconnects, age of the last message."""


class ISteering(Interface):
    """What operators may do to a running pool. Whatever makes no sense (an unknown id, a market that is nowhere, a
    second pause) raises `SteeringError`, a text for people. `by` says who wants it; the log repeats it."""

    paused_since = Attribute("Unix seconds since when commands wait, or None.")
    draining = Attribute("Ids of the connections that are to carry nothing, sorted.")

    def where(ticker):
        """The connection id of a market, or None."""

    def pending():
        """What `IConnection.pending` gives, of all connections, each with its `conn_id`."""

    def gaps(since):
        """What `IConnection.gaps` gives, of all connections, each with its `conn_id`; oldest first."""

    def kick(conn_id, by):
        """Cut the socket of a connection. Deferred: fires with `conn_id` and `next_dial_in` (s) when it is gone."""

    def when_back(conn_id):
        """Deferred: fires with `conn_id` and numbers of markets `held` and `wanted` once the connection is live and
        (unless paused) all its markets are held; fails with `SteeringError` when that takes more than a minute,
        though it goes on trying."""

    def drain(conn_id, by):
        """Move the markets of an order book connection to the others as far as they have room, the rest as soon as
        they have, and give it none until `undrain`. It carries each until its book came on the other connection. A
        dict: `conn_id`, numbers of markets `moved` and `left`."""

    def undrain(conn_id, by):
        """It may be given markets again; those that moved stay where they are."""

    def pause(by):
        """Send no commands for order books: adds, deletes and fresh books wait. Nothing is forgotten, what is
        subscribed goes on, but a socket that is lost comes back empty until `resume`."""

    def resume(by):
        """Send what waits."""

    def snapshot(ticker, by):
        """Ask for a fresh book of a market that is held. Deferred: fires with `conn_id`, `seconds` it took, and what
        `IConnection.fresh_book` gives; fails with `SteeringError` when none came in time or the socket was lost."""


class IConnectionManager(Interface):
    """The pool: plan, allocation, pacing. An `IService`; `startService` dials all, paced, lifecycle first."""

    steering = Attribute("`ISteering` of this pool.")

    def when_ready():
        """Deferred: fires with None once `min_healthy` connections are live and the lifecycle channel is (if the
        plan has one); fails with `StartupFailed` when that takes too long. Cancelled by `stopService`."""

    def connections():
        """All `IConnection`, in the order of their ids."""

    def status():
        """A JSON-ready dict of the figures in docs/metrics.md (`conn_manager_*`)."""

    def explain(ticker):
        """A JSON-ready dict of one market's story: registry, connection, held or owed, sid."""
