"""Whether the exchange runs, asked every minute: a pause is not our fault (protocol section 6)."""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gatherer.errors import RestError
from gatherer.interfaces import IExchangeRest
from gatherer.interfaces.status import ShardActivity
from gatherer.registry.periodic import PeriodicTask
from gatherer.values import ExchangeStatus


class ExchangeStatusPoller:
    """Keeps the last status. A failure is counted by the REST client and logged; the last status stays."""

    _log = Logger()

    def __init__(self, rest: IExchangeRest, clock: IReactorTime, interval: float) -> None:
        self._rest = IExchangeRest(rest)
        self._interval = interval
        self._task = PeriodicTask(clock, "exchange status", self._ask)
        self._status: ExchangeStatus | None = None
        self._started = False

    def start(self) -> None:
        """Ask now, and every `interval` seconds from then on."""
        self._started = True
        self._task.run_within()

    def set_interval(self, seconds: float) -> None:
        """Ask so often from now on."""
        self._interval = seconds
        if self._started:
            self._task.run_within(seconds)

    def stop(self) -> Deferred[None]:
        """Fires with None when no request and no timer is left."""
        return self._task.stop()

    @property
    def exchange_active(self) -> bool | None:
        """Whether the exchange runs; None while that is not known."""
        return None if self._status is None else self._status.exchange_active

    @property
    def trading_active(self) -> bool | None:
        """Whether trading is on; None while that is not known."""
        return None if self._status is None else self._status.trading_active

    def shards(self) -> list[ShardActivity]:
        """What is known of each shard: one may pause alone."""
        known = (self._status.exchange_index_statuses if self._status is not None else None) or ()
        return [ShardActivity(each.exchange_index, each.exchange_active, each.trading_active) for each in known]

    async def _ask(self) -> float:
        try:
            status = await self._rest.exchange_status()
        except RestError as error:
            self._log.warn("exchange status is unknown: {error}", error=error)
            return self._interval
        before = self._figures()
        self._status = status
        if self._figures() != before:
            self._log.info(
                "exchange active: {exchange}, trading active: {trading}, shards that pause: {pausing}",
                exchange=status.exchange_active,
                trading=status.trading_active,
                pausing=[shard.exchange_index for shard in self.shards() if not shard.trading_active],
            )
        return self._interval

    def _figures(self) -> tuple[bool | None, bool | None, list[ShardActivity]]:
        return self.exchange_active, self.trading_active, self.shards()
