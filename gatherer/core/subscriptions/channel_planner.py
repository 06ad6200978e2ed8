"""For a session that takes one whole channel: subscribe it, and subscribe it again when the exchange ends it."""

from collections.abc import Iterable

from gatherer.core.backoff import Backoff
from gatherer.core.subscriptions.commands import Action, Command
from gatherer.core.subscriptions.held import HeldMarkets
from gatherer.core.subscriptions.snapshots import GapRecoveries, OwedSnapshots
from gatherer.values import Facts


class ChannelPlanner:
    """Has the methods of `BookPlanner`, for a subscription without markets."""

    def __init__(self, channel: str, backoff: Backoff) -> None:
        self._channel = channel
        self._backoff = backoff
        self._in_flight: Command | None = None
        self._not_before = 0.0
        self.sid = 0
        """The live subscription, 0 while there is none."""
        self.held = HeldMarkets()
        self.owed = OwedSnapshots(0.0)
        self.recoveries = GapRecoveries()
        self.rejected: dict[str, int] = {}

    @property
    def in_flight(self) -> Command | None:
        """The command that waits for its reply."""
        return self._in_flight

    @property
    def is_settled(self) -> bool:
        """Whether the channel is subscribed."""
        return bool(self.sid)

    @property
    def missing(self) -> int:
        """Always 0: a channel has no single markets."""
        return 0

    surplus = missing

    def want(self, ticker: str) -> None:
        """Nothing to do: the channel brings every market."""

    unwant = want

    def refresh(self, tickers: Iterable[str]) -> None:
        """Nothing to do: a channel has no snapshots."""

    def unwanted(self, tickers: Iterable[str]) -> list[str]:
        """Always empty: a channel does not hold single markets."""
        return []

    def perhaps_held(self) -> set[str]:
        """Always empty, too."""
        return set()

    def snapshot(self, ticker: str, sid: int, at: int = 0) -> None:
        """Nothing to do: a channel has no snapshots."""

    def gap(self, sid: int, now: float, gaps: int = 1) -> None:
        """Nothing to do: skipped messages are lost, and the capture has a marker."""

    def acknowledged(self, sid: int, now: float, command_id: int = 0) -> None:
        """The channel is live on this sid."""
        self._in_flight = None
        self.sid = sid
        self._backoff.reset()

    def acknowledged_late(self, command: Command, sid: int, now: float, command_id: int = 0) -> tuple[str, ...]:
        """The channel is live: a subscribe took effect whose result counted as unknown. Another may be in flight, which
        merges with it."""
        self.sid = sid
        self._backoff.reset()
        return ()

    def unknown(self, now: float) -> None:
        """Refused or not answered. Subscribing twice merges, so it is asked again later."""
        self._in_flight = None
        self._not_before = now + self._backoff.next()

    def bad_market(self, code: int, now: float) -> bool:
        """The exchange refused the command."""
        self.unknown(now)
        return False

    def over_limit(self, now: float) -> tuple[list[str], bool]:
        """Ask again later: there is no market to move elsewhere."""
        self.unknown(now)
        return [], False

    def sid_over(self, sid: int, now: float) -> list[str]:
        """The exchange ended the subscription."""
        if sid == self.sid:
            self.sid = 0
            self._not_before = now + self._backoff.next()
        return []

    def next_command(self, now: float) -> Command | None:
        """A subscribe, unless the channel is subscribed or a command is in flight."""
        if self.sid or self._in_flight is not None or now < self._not_before:
            return None
        self._in_flight = Command(Action.SUBSCRIBE, self._channel)
        return self._in_flight

    def overdue(self, now: float) -> list[str]:
        """Always empty: a channel owes no books."""
        return []

    def standing(self, ticker: str) -> Facts:
        """The keys of `BookPlanner.standing`, all None."""
        return {"standing": None, "rejected": None, "retry_at": None}

    def wake_at(self) -> float | None:
        """When to subscribe. None while subscribed, and while a command is in flight."""
        return None if self.sid or self._in_flight is not None else self._not_before
