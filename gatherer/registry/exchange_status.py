"""Whether the exchange runs, asked every minute: a pause is no fault of ours (protocol section 6)."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gatherer.core.messages import ExchangeStatus
from gatherer.errors import RestError
from gatherer.interfaces import IExchangeRest
from gatherer.registry.periodic import PeriodicTask


class ExchangeStatusPoller:
    """Keeps the last status. A failure is counted by the REST client and logged; the last status stays."""

    _log = Logger()

    def __init__(self, rest: Any, clock: IReactorTime, interval: float) -> None:
        self._rest = IExchangeRest(rest)
        self._interval = interval
        self._chore = PeriodicTask(clock, "exchange status", self._ask)
        self._status: ExchangeStatus | None = None
        self._started = False

    def start(self) -> None:
        """Ask now, and every `interval` seconds from then on."""
        self._started = True
        self._chore.hurry()

    def set_interval(self, seconds: float) -> None:
        """Ask so often from now on."""
        self._interval = seconds
        if self._started:
            self._chore.hurry(seconds)

    def stop(self) -> Deferred[None]:
        """Fires with None when no request and no timer is left."""
        return self._chore.stop()

    def report(self) -> dict[str, Any]:
        """JSON-ready; None where nothing is known yet. One shard may pause alone."""
        status = self._status
        shards = status.exchange_index_statuses or () if status is not None else ()
        return {
            "exchange_active": status.exchange_active if status is not None else None,
            "trading_active": status.trading_active if status is not None else None,
            "shards": [
                {
                    "exchange_index": shard.exchange_index,
                    "exchange_active": shard.exchange_active,
                    "trading_active": shard.trading_active,
                }
                for shard in shards
            ],
        }

    async def _ask(self) -> float:
        try:
            status = await self._rest.exchange_status()
        except RestError as error:
            self._log.warn("exchange status is unknown: {error}", error=error)
            return self._interval
        before, self._status = self.report(), status
        report = self.report()
        if report != before:
            self._log.info(
                "exchange active: {exchange}, trading active: {trading}, shards that pause: {pausing}",
                exchange=report["exchange_active"],
                trading=report["trading_active"],
                pausing=[shard["exchange_index"] for shard in report["shards"] if not shard["trading_active"]],
            )
        return self._interval
