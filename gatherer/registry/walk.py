"""The lists of markets that REST has, read page by page while markets move from one list to another."""

from collections.abc import Callable, Sized

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from gatherer.errors import RestError
from gatherer.interfaces import IExchangeRest
from gatherer.values import MarketRow

WALK = ("unopened", "open")
"""The filters in turn. A market opens without an event. So what opens while the pages are read must still be ahead: a
walk that reads `open` first misses each market that opens before the pages of `unopened` come to it."""

FIRST_WALK = ("open", "unopened", "open")
"""The first walk begins with what is open already, because it can be subscribed at once."""

PROGRESS_SECONDS = 10.0
"""Seconds between two log lines of a walk, which takes minutes."""

CHUNK = 500
"""Rows or changes handled in one reactor turn: together with the listener's work a few milliseconds."""


def breathe(clock: IReactorTime) -> Deferred[None]:
    """Let the reactor do other work."""
    return deferLater(clock, 0)


class ListReader:
    """Feeds every row to `take_rows`, in chunks, each in a reactor turn of its own."""

    _log = Logger()

    def __init__(
        self,
        rest: IExchangeRest,
        clock: IReactorTime,
        multivariate: str,
        take_rows: Callable[[list[MarketRow]], None],
        active: Sized,
    ) -> None:
        """`active` is the set of markets to carry. The log tells its size."""
        self._rest = IExchangeRest(rest)
        self._clock = clock
        self._multivariate = multivariate
        self._take_rows = take_rows
        self._active = active
        self._started = self._logged = 0.0
        self._rows = 0

    async def read(self, filters: tuple[str, ...]) -> int:
        """Read all lists; the number of rows. A list that fails must not keep the others from being read.

        Raises the first `RestError` at the end.
        """
        self._started = self._logged = self._clock.seconds()
        self._rows = 0
        errors: list[RestError] = []
        for status in filters:
            try:
                await self._read(status)
            except RestError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return self._rows

    async def _read(self, status: str) -> None:
        async for page in self._rest.markets(status=status, multivariate=self._multivariate):
            for begin in range(0, len(page), CHUNK):
                await breathe(self._clock)  # the turn so far has decoded the page
                self._take_rows(page[begin : begin + CHUNK])
            self._rows += len(page)
            if (now := self._clock.seconds()) - self._logged >= PROGRESS_SECONDS:
                self._logged = now
                self._log.info(
                    "walking {status} markets: {rows} rows in {seconds:.0f} s, {rate:.0f} rows/s, {active} active",
                    status=status,
                    rows=self._rows,
                    seconds=now - self._started,
                    rate=self._rows / (now - self._started),
                    active=len(self._active),
                )
