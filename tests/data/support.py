"""Two gatherers on one simulated exchange, each with faults of its own, and what the exchange knows."""

import shutil
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.reading import read_capture
from gatherer.data.book import Levels
from gatherer.data.schema import NAMES
from gatherer.data.views import connect_tables
from gatherer.simulator.exchange import Exchange
from tests.support.capturing import CapturedPool
from tests.support.pool import START, Pool

SEED = 11
Sides = tuple[dict[int, int], dict[int, int]]
"""Like `Exchange.book`: price in 1/10000 dollar to count in 1/100 contract."""


class SharingPool(CapturedPool):
    """A gatherer on an exchange and a clock that others use too."""

    def __init__(self, directory: Path, clock: Any, exchange: Exchange, **options: Any) -> None:
        self._shared = clock, exchange
        super().__init__(str(directory), **options)

    def make_clock(self) -> Any:
        """Everybody's."""
        return self._shared[0]

    def make_exchange(self, markets: int) -> Exchange:
        """Everybody's."""
        return self._shared[1]


class TwoGatherers:
    """`a` and `b` carry everything. `directories` holds their captures, `truth` what the books were."""

    def __init__(self, folder: Path, markets: int = 6) -> None:
        self.clock = Pool.make_clock(None)  # type: ignore[arg-type]
        self.exchange = Exchange(markets, seed=SEED, now=START, multivariate=0, clock=self.clock)
        self.directories = [folder / "a", folder / "b"]
        self.pools = [self._start(directory) for directory in self.directories]
        self._ghosts: list[SharingPool] = []
        self.truth: list[tuple[int, dict[str, Sides]]] = []
        self.pools[0].step(1)
        for pool in self.pools:
            pool.add(pool.tickers)
        self.tickers = self.pools[0].tickers
        self.flow(2)

    def flow(self, seconds: float, messages: int = 8) -> None:
        """Traffic, a moment at a time, and a look at the books now and then."""
        for _ in range(int(4 * seconds)):
            self.exchange.emit(messages)
            self.pools[0].step(0.25)
            self.probe()

    def probe(self) -> None:
        """Remember how the books are now, and let a moment pass."""
        books = {ticker: self.exchange.book(ticker) for ticker in self.tickers}
        self.truth.append((int(self.clock.seconds() * 1e9), books))
        self.pools[0].step(0.01)

    def kill(self, which: int) -> None:
        """As `kill -9` leaves it: an open segment with what was written. A new gatherer starts at once."""
        old = self.pools[which]
        directory = self.directories[which].with_name(f"{self.directories[which].name}x")
        shutil.copytree(old.directory, directory)
        shutil.rmtree(directory / ".gatherer.lock", ignore_errors=True)
        (directory / ".gatherer.lock").unlink(missing_ok=True)
        self._ghosts.append(old)
        self.directories[which] = directory
        self.pools[which] = self._start(directory)
        self.pools[which].step(0.5)
        self.pools[which].add(self.tickers)

    def stop(self) -> None:
        """Stop everything cleanly."""
        for pool in [*self._ghosts, *self.pools]:
            pool.threads.release()
            pool.manager.stopService()
            closed = pool.router.close()
            for _ in range(20):
                if not closed.called:
                    pool.step(1)
            assert closed.called
        self.exchange.cancel_delayed()
        self.pools[0].step(5)

    def received(self, kind: str) -> list[list[dict[str, Any]]]:
        """The messages of a type, for each gatherer."""
        return [
            [r for r in read_capture(directory) if isinstance(r.get("data"), dict) and r["data"].get("type") == kind]
            for directory in self.directories
        ]

    def _start(self, directory: Path) -> SharingPool:
        pool = SharingPool(directory, self.clock, self.exchange, books=2, markets=0, batch_size=4, pairs=2)
        pool.start()
        return pool


def sides(book: Levels) -> Sides:
    """A book of the tables as the exchange has it."""
    yes, no = ({int(price * 10_000): int(count * 100) for price, count in side} for side in (book.yes, book.no))
    return yes, no


class Story:
    """Captures with a known story, made for a test case."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.folder = Path(case.mktemp())
        self.folder.mkdir()
        self.world = TwoGatherers(self.folder)

    @property
    def directories(self) -> list[Path]:
        """The captures."""
        return self.world.directories

    def short(self) -> "Story":
        """Some traffic; `a` loses a socket for a moment."""
        self.world.flow(2)
        session = self.world.pools[0].clients[7].session
        self.world.exchange.faults.cut(session=session.id)
        self.world.flow(5)
        self.world.stop()
        return self


def contents(out: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all tables, sorted."""
    connection = connect_tables(out)
    return {name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in NAMES}
