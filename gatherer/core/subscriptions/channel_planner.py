"""The plan of a session that takes one whole channel: subscribe it, and again whenever the exchange ends it."""

from collections.abc import Iterable
from typing import Any

from gatherer.core.backoff import Backoff
from gatherer.core.subscriptions.commands import Action, Command
from gatherer.core.subscriptions.held import HeldMarkets
from gatherer.core.subscriptions.snapshots import GapRecoveries, OwedSnapshots


class ChannelPlanner:
    """Answers the same questions as `BookPlanner`, for a subscription without markets."""

    def __init__(self, channel: str, pause: Backoff) -> None:
        self._channel = channel
        self._pause = pause
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
        """Markets do not count here."""
        return 0

    surplus = missing

    def want(self, ticker: str) -> None:
        """The channel brings every market anyway."""

    unwant = want

    def refresh(self, tickers: Iterable[str]) -> None:
        """A channel without books has no snapshots."""

    def unwanted(self, tickers: Iterable[str]) -> list[str]:
        """A channel holds no markets one by one."""
        return []

    def snapshot(self, ticker: str, sid: int, at: int = 0) -> None:
        """A channel without books has no snapshots."""

    def gap(self, sid: int, now: float) -> None:
        """What a channel skipped is lost; the marker in the capture tells."""

    def acknowledged(self, sid: int, now: float, command_id: int = 0) -> None:
        """The channel is live on this sid."""
        self._in_flight = None
        self.sid = sid
        self._pause.reset()

    def unknown(self, now: float) -> None:
        """Refused or not answered: subscribing twice merges, so ask again later."""
        self._in_flight = None
        self._not_before = now + self._pause.next()

    def bad_market(self, code: int, now: float) -> bool:
        """The exchange does not like the command."""
        self.unknown(now)
        return False

    def over_limit(self, now: float) -> tuple[list[str], bool]:
        """There is nothing to move elsewhere."""
        self.unknown(now)
        return [], False

    def sid_over(self, sid: int, now: float) -> list[str]:
        """The exchange ended the subscription."""
        if sid == self.sid:
            self.sid = 0
            self._not_before = now + self._pause.next()
        return []

    def next_command(self, now: float) -> Command | None:
        """Subscribe, unless that is done or under way."""
        if self.sid or self._in_flight is not None or now < self._not_before:
            return None
        self._in_flight = Command(Action.SUBSCRIBE, self._channel)
        return self._in_flight

    def overdue(self, now: float) -> list[str]:
        """Nothing is ever owed."""
        return []

    def standing(self, ticker: str) -> dict[str, Any]:
        """A channel carries no market by itself."""
        return {"standing": None, "rejected": None, "retry_at": None}

    def wake_at(self) -> float | None:
        """When to subscribe, None while subscribed or under way."""
        return None if self.sid or self._in_flight is not None else self._not_before
