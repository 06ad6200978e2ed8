"""Whether messages flow as they should, which heartbeats do not show: a socket can be alive and its feed frozen.

Silence alone proves nothing about one connection: markets sleep. So a connection or channel is suspected for what the
others brought in the meantime. Only all of them silent at once is judged by the clock, since over the whole exchange
something changes every few seconds at any hour that has trading.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gatherer.values import Role

TWIN_SILENT = 60.0
"""Seconds that one of a pair may bring nothing while the other, which gets the same messages, does."""
TWIN_MESSAGES = 20
"""Messages that the other must have brought meanwhile."""
BOOKS_SILENT = 300.0
"""Seconds that a connection full of order books may bring nothing."""
BOOKS_EXPECTED = 1000.0
"""Messages its share of the markets would have brought meanwhile. Activity is uneven, so it must be very many: a
connection with a hundredth of it is too little to be a coincidence."""
TICKERS_WITHOUT_DELTA = 100
"""Tickers follow from changes of books and from trades: so many without a single delta do not happen."""
DELTAS_WITHOUT_TICKER = 1000
"""Most deltas are deep in a book and change no ticker, so more of them prove less."""
TICKERS_WITHOUT_TRADE = 10_000
TRADES_SILENT = 900.0
"""Seconds. Trades are the rarest: at night minutes pass without one."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection at one look."""

    conn_id: int
    role: Role
    live: bool
    messages: int
    """Forwarded since the start, without the order books, which come because we ask for them."""
    markets: int
    """Held; 0 for global roles."""

    @property
    def name(self) -> str:
        """As in `Slot.name`."""
        return f"{self.role.value}-{self.conn_id}"


@dataclass(frozen=True, slots=True)
class Feed:
    """What a look found."""

    frozen: tuple[str, ...] = ()
    """Channels on which nothing comes although it should, in words; empty when all is well."""
    silent: tuple[str, ...] = ()
    """Single connections, or trades, that say suspiciously little, in words."""
    quiet: tuple[tuple[Role, float], ...] = ()
    """Seconds since the last message of each role that has a live connection."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """All counters at the time of the last message of a connection or a role."""

    since: float
    own: int
    totals: dict[Role, int]


class StaleFeedDetector:
    """Looks at the counters now and then; remembers since when each of them has not moved."""

    def __init__(self, frozen_after: float) -> None:
        """`frozen_after`: seconds without any message, or with a channel dead, that are called frozen; 0 for never."""
        self._frozen_after = frozen_after
        self._connections: dict[int, _Mark] = {}
        self._roles: dict[Role, _Mark] = {}

    def look(self, now: float, flows: Iterable[Flow], paused: bool) -> Feed:
        """`paused`: the exchange rests, so silence means nothing; it is counted from the end of the pause."""
        flows = list(flows)
        if paused:
            self._connections, self._roles = {}, {}
        totals = {role: sum(flow.messages for flow in flows if flow.role is role) for role in Role}
        for flow in flows:
            self._mark(self._connections, flow.conn_id, flow.live, flow.messages, now, totals)
        for role in Role:
            live = any(flow.live for flow in flows if flow.role is role)
            self._mark(self._roles, role, live, totals[role], now, totals)
        quiet = tuple((role, now - mark.since) for role, mark in self._roles.items())
        if paused:
            return Feed(quiet=quiet)
        held = any(flow.live and flow.markets for flow in flows)
        return Feed(tuple(self._frozen(now, totals, held)), tuple(self._silent(now, totals, flows)), quiet)

    @staticmethod
    def _mark(
        marks: dict[int, _Mark] | dict[Role, _Mark], key: int | Role, live: bool, own: int, now: float,
        totals: dict[Role, int],
    ) -> None:  # fmt: skip
        known: dict[int | Role, _Mark] = marks  # type: ignore[assignment]
        if not live:
            known.pop(key, None)
        elif key not in known or known[key].own != own:
            known[key] = _Mark(now, own, totals)

    def _frozen(self, now: float, totals: dict[Role, int], held: bool) -> Iterable[str]:
        marks = {role: self._roles[role] for role in (Role.TICKER, Role.ORDERBOOK) if role in self._roles}
        if not held:
            marks.pop(Role.ORDERBOOK, None)
        if not marks or not self._frozen_after:
            return
        quiet = {role: now - mark.since for role, mark in marks.items()}
        if min(quiet.values()) >= self._frozen_after:
            names = " and ".join(role.value for role in marks)
            yield f"the feed is frozen: nothing came on {names} for {min(quiet.values()):.0f} s"
            return
        for role, other, enough in (
            (Role.ORDERBOOK, Role.TICKER, TICKERS_WITHOUT_DELTA),
            (Role.TICKER, Role.ORDERBOOK, DELTAS_WITHOUT_TICKER),
        ):
            if role in marks and quiet[role] >= self._frozen_after:
                heard = totals[other] - marks[role].totals[other]
                if heard >= enough:
                    yield f"{role.value} is frozen: nothing for {quiet[role]:.0f} s, but {heard} on {other.value}"

    def _silent(self, now: float, totals: dict[Role, int], flows: list[Flow]) -> Iterable[str]:
        markets = sum(flow.markets for flow in flows)
        for flow in flows:
            mark = self._connections.get(flow.conn_id)
            if mark is None:
                continue
            quiet, others = now - mark.since, totals[flow.role] - mark.totals[flow.role]
            if flow.role.is_global:
                suspicious = quiet >= TWIN_SILENT and others >= TWIN_MESSAGES
            else:
                share = flow.markets / max(1, markets - flow.markets)
                suspicious = quiet >= BOOKS_SILENT and others * share >= BOOKS_EXPECTED
            if suspicious:
                yield f"{flow.name} sent nothing for {quiet:.0f} s while its peers sent {others} messages"
        trades = self._roles.get(Role.TRADE)
        if trades is not None and now - trades.since >= TRADES_SILENT:
            tickers = totals[Role.TICKER] - trades.totals[Role.TICKER]
            if tickers >= TICKERS_WITHOUT_TRADE:
                yield f"no trade for {now - trades.since:.0f} s, but {tickers} tickers"
