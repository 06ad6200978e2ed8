"""The pool of connections, what operators may do to it, and one connection of it."""

from collections.abc import Set

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gatherer.errors import UpgradeRefused
from gatherer.interfaces.status import ConnectionStatus, PoolStatus
from gatherer.values import Facts, Role


class IConnection(IService):
    """One of the fixed ids of the plan. Survives its sockets; owns the wanted set. `stopService` gives a Deferred
    that fires when the socket is closed and no timer is left."""

    conn_id: int = Attribute("1 to 150, fixed.")
    role: Role = Attribute("ticker, trade, market_lifecycle or orderbook_delta.")
    is_live: bool = Attribute("Socket open and, for a global role, its channel subscribed.")
    last_error: str | None = Attribute("Why the latest dial or socket failed, or None.")
    wanted: Set[str] = Attribute("The markets it is to carry; only the manager edits the set, by `want` and `unwant`.")

    def want(ticker: str) -> None:
        """Carry a market from now on, across reconnects."""

    def unwant(ticker: str, moved: bool = False) -> None:
        """Stop carrying a market; `moved` when another connection is to carry it."""

    def refresh(ticker: str) -> None:
        """Ask for a fresh snapshot of a market it carries."""

    def latest_read() -> tuple[list[bytes], int] | None:
        """The messages of the latest read and when they came, Unix ns; None before any came. Read only."""

    def changes() -> int:
        """Messages forwarded so far, snapshots left out: those were asked for and say nothing of the market."""

    def has_book(ticker: str) -> bool:
        """Whether a market is held on the open socket and its book came on it."""

    def fresh_book(ticker: str) -> Deferred[Facts]:
        """Ask for a fresh snapshot of a market it carries. Deferred: fires with `sid`, `seq`, `at` (Unix seconds) and
        the numbers of levels `yes` and `no` of the market's next snapshot, whatever asked for it; fails with
        `SessionLost`. It may never come: cancel the Deferred then."""

    def pending() -> list[Facts]:
        """Commands without a reply: `id`, `action`, `sid`, number of `markets`, `first` of them, `age` in seconds."""

    def gaps(since: float) -> list[Facts]:
        """Gaps not older than `since` (Unix seconds), of the latest hundred: `at`, `sid`, `size`, `outcome`
        ("waiting", "recovered" or why nothing is waited for) and `seconds` from the gap to the last book."""

    def pause(paused: bool) -> None:
        """Send no more commands, over all sockets to come, until `pause(False)`. What is subscribed stays so."""

    def kick(reason: str) -> None:
        """Cut the socket; redial with backoff. Raises `AdminError` when there is none."""

    def describe(ticker: str) -> Facts:
        """What this connection knows of one of its markets."""

    def status() -> ConnectionStatus:
        """Its figures; `draining` is left out."""


class IConnectionOwner(Interface):
    """What a connection reports to: the manager."""

    def connection_changed(connection: IConnection) -> None:
        """It went live, or ceased to be, or a dial failed."""

    def upgrade_refused(error: UpgradeRefused) -> None:
        """The exchange answered an upgrade with an HTTP error."""

    def upgrade_accepted() -> None:
        """The exchange let a connection in."""

    def lifecycle(payloads: list[bytes]) -> None:
        """See `ISessionOwner`."""

    def lifecycle_gap() -> None:
        """Lifecycle messages were lost."""

    def silent(tickers: list[str]) -> None:
        """See `ISessionOwner`."""

    def over_limit(connection: IConnection, tickers: list[str], capacity: int) -> None:
        """See `ISessionOwner`."""


class IPoolAdmin(Interface):
    """What operators may do to a running pool. What makes no sense (an unknown id, a market that is nowhere, a
    second pause) raises `AdminError`, a text for people. `by` says who wants it; the log repeats it."""

    paused_since: float | None = Attribute("Unix seconds since when commands wait, or None.")
    draining: list[int] = Attribute("Ids of the connections that are to carry nothing, sorted.")

    def where(ticker: str) -> int | None:
        """The connection id of a market, or None."""

    def pending() -> list[Facts]:
        """What `IConnection.pending` gives, of all connections, each with its `conn_id`."""

    def gaps(since: float) -> list[Facts]:
        """What `IConnection.gaps` gives, of all connections, each with its `conn_id`; oldest first."""

    def kick(conn_id: int, by: str) -> Deferred[Facts]:
        """Cut the socket of a connection. Deferred: fires with `conn_id` and `next_dial_in` (s) when it is gone."""

    def when_back(conn_id: int) -> Deferred[Facts]:
        """Deferred: fires with `conn_id` and numbers of markets `held` and `wanted` once the connection is live and
        (unless paused) all its markets are held; fails with `AdminError` when that takes more than a minute,
        though it goes on trying."""

    def drain(conn_id: int, by: str) -> Facts:
        """Move the markets of an order book connection to the others as far as they have room, the rest as soon as
        they have, and give it none until `undrain`. It carries each until its book came on the other connection.
        `conn_id`, numbers of markets `moved` and `left`."""

    def undrain(conn_id: int, by: str) -> None:
        """It may be given markets again; those that moved stay where they are."""

    def pause(by: str) -> None:
        """Send no commands for order books: adds, deletes and fresh books wait. Nothing is forgotten, what is
        subscribed goes on, but a socket that is lost comes back empty until `resume`."""

    def resume(by: str) -> None:
        """Send what waits."""

    def snapshot(ticker: str, by: str) -> Deferred[Facts]:
        """Ask for a fresh book of a market that is held. Deferred: fires with `conn_id`, `seconds` it took, and what
        `IConnection.fresh_book` gives; fails with `AdminError` when none came in time or the socket was lost."""


class IConnectionManager(IService):
    """The pool: plan, allocation, pacing. `startService` dials all, paced, lifecycle first."""

    admin: IPoolAdmin = Attribute("What operators may do to this pool.")

    def when_ready() -> Deferred[None]:
        """Deferred: fires with None once `min_healthy` connections are live and the lifecycle channel is (if the
        plan has one); fails with `StartupFailed` when that takes too long. Cancelled by `stopService`."""

    def connections() -> list[IConnection]:
        """All of them, in the order of their ids."""

    def status() -> PoolStatus:
        """The figures in docs/metrics.md (`conn_manager_*`)."""

    def explain(ticker: str) -> Facts:
        """Everything known of one market: registry, connection, held or owed, sid."""
