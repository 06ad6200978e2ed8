"""The fixed plan: the role of each connection id (docs/architecture.md)."""

from dataclasses import dataclass

from gatherer.values import Role


@dataclass(frozen=True, slots=True)
class Slot:
    """One connection of the plan. It is set at the start and never changes."""

    conn_id: int
    role: Role

    @property
    def name(self) -> str:
        """The name in log lines, `orderbook_delta-7`."""
        return f"{self.role.value}-{self.conn_id}"


def make_plan(ticker: int, trade: int, lifecycle: int, orderbook: int) -> tuple[Slot, ...]:
    """The slots in the order of their ids, from 1: tickers, trades, lifecycles, order books."""
    roles = [Role.TICKER] * ticker + [Role.TRADE] * trade + [Role.LIFECYCLE] * lifecycle + [Role.ORDERBOOK] * orderbook
    return tuple(Slot(conn_id, role) for conn_id, role in enumerate(roles, start=1))


def dial_order(plan: tuple[Slot, ...]) -> list[Slot]:
    """Lifecycle comes first: its events must arrive before the REST walk starts (protocol section 7)."""
    return sorted(plan, key=lambda slot: (slot.role is not Role.LIFECYCLE, slot.conn_id))
