"""The pool of connections, what operators may do to it, and one connection of it."""

from zope.interface import Attribute, Interface


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
        """Cut the socket; redial with backoff. Raises `AdminError` when there is none."""

    def describe(ticker):
        """A JSON-ready dict: what this connection knows of one of its markets."""

    def status():
        """A JSON-ready dict: state, wanted, held, owed, pending, gaps, reconnects, age of the last message."""


class IPoolAdmin(Interface):
    """What operators may do to a running pool. Whatever makes no sense (an unknown id, a market that is nowhere, a
    second pause) raises `AdminError`, a text for people. `by` says who wants it; the log repeats it."""

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
        (unless paused) all its markets are held; fails with `AdminError` when that takes more than a minute,
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
        `IConnection.fresh_book` gives; fails with `AdminError` when none came in time or the socket was lost."""


class IConnectionManager(Interface):
    """The pool: plan, allocation, pacing. An `IService`; `startService` dials all, paced, lifecycle first."""

    steering = Attribute("`IPoolAdmin` of this pool.")

    def when_ready():
        """Deferred: fires with None once `min_healthy` connections are live and the lifecycle channel is (if the
        plan has one); fails with `StartupFailed` when that takes too long. Cancelled by `stopService`."""

    def connections():
        """All `IConnection`, in the order of their ids."""

    def status():
        """A JSON-ready dict of the figures in docs/metrics.md (`conn_manager_*`)."""

    def explain(ticker):
        """A JSON-ready dict of one market's story: registry, connection, held or owed, sid."""
