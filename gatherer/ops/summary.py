"""The summary in the log: progress until every market has its book, then a line every ten seconds."""

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.interfaces import GathererStatus, PoolStatus, RegistryStatus

PROGRESS_INTERVAL = 2.0
"""Seconds between two lines while the number of books grows."""
INTERVAL = 10.0
"""Seconds between two lines afterwards."""
MAX_STANDSTILL = 15
"""Progress lines without progress before the longer interval begins."""


class Summary(Service):
    """One line for 150 connections, instead of a line for every message or connection."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, status: Callable[[], GathererStatus]) -> None:
        self._clock = clock
        self._status = status
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self._last: tuple[float, int, int] = (0.0, 0, 0)
        self._started_at = 0.0
        self._logged_at = 0.0
        self._complete = False
        self._standstill = 0
        self._books = 0

    def startService(self) -> None:
        """Begin to log."""
        super().startService()
        self._started_at = self._logged_at = self._clock.seconds()
        self._last = (self._started_at, 0, 0)
        self._loop.start(PROGRESS_INTERVAL, now=False).addErrback(self._broke_off)

    def stopService(self) -> None:
        """Log no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        status = self._status()
        if not self._complete:
            self._progress(status.pool, status.registry)
        elif self._clock.seconds() - self._logged_at >= INTERVAL - 0.5:
            self._pulse(status)

    def _progress(self, pool: PoolStatus, registry: RegistryStatus) -> None:
        now = self._clock.seconds()
        books, total = pool.books, registry.active_markets
        rate = (books - self._books) / PROGRESS_INTERVAL
        left = f"{(total - books) / rate:.0f} s left" if rate > 0 and total else "waiting"
        self._books = books
        live, planned = pool.healthy, len(pool.connections)
        self._log.info(
            "{live} of {pool} connections live, {books} of {total} markets with a book ({rate:.0f}/s, {left})",
            live=live, pool=planned, books=books, total=total, rate=rate, left=left,
        )  # fmt: skip
        self._standstill = 0 if rate > 0 or registry.last_sync is None else self._standstill + 1
        if live == planned and registry.last_sync is not None and books >= total:
            self._finish("complete after {seconds:.1f} s", seconds=now - self._started_at)
        elif self._standstill >= MAX_STANDSTILL:
            self._finish("{missing} markets still without a book; they go on being asked for", missing=total - books)

    def _finish(self, format: str, **fields: float) -> None:
        self._complete = True
        self._logged_at = self._clock.seconds()
        self._log.info(format, **fields)

    def _pulse(self, status: GathererStatus) -> None:
        now, pool, router = self._clock.seconds(), status.pool, status.router
        then, messages, size = self._last
        received = sum(c.received for c in pool.connections)
        volume = sum(c.bytes_received for c in pool.connections)
        seconds = max(now - then, 1e-9)
        self._log.info(
            "{live}/{pool} live, {held} of {active} markets held ({owed} without a book), {rate:.0f} msg/s, "
            "{mb:.2f} MB/s, {gaps} gaps, {reconnects} reconnects, {backlog} waiting for the disk, {dropped} dropped",
            live=pool.healthy, pool=len(pool.connections), held=pool.held, active=status.registry.active_markets,
            owed=pool.owed, rate=(received - messages) / seconds, mb=(volume - size) / seconds / 1e6,
            gaps=sum(c.gaps for c in pool.connections), reconnects=sum(c.reconnects for c in pool.connections),
            backlog=router.backlog, dropped=router.dropped,
        )  # fmt: skip
        self._last = (now, received, volume)
        self._logged_at = now

    def _broke_off(self, failure: Failure) -> None:
        self._log.failure("the summary broke off", failure)
