"""Two gatherers on one exchange, each with its own faults: what both captures together say is true."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format import read_capture
from gatherer.coverage import Coverage, State, coverage_of
from gatherer.errors import AdminError
from gatherer.simulator.exchange import Exchange
from tests.support.capturing import Book, CapturedPool, disproved
from tests.support.pool import START

EXAMPLES = int(os.environ.get("GATHERER_COVERAGE_EXAMPLES", "12"))
"""Stories to try; each takes half a second."""
MARKETS = 6
VERBS = (
    "quiet", "flow", "gap", "cut", "half open", "terminate", "unsubscribed", "lose replies", "garbage", "hold the disk",
    "swallow", "change", "refresh", "kill", "restart", "drain",
)  # fmt: skip
Step = tuple[int, str, int, float]
stories = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(VERBS), st.integers(0, 30), st.sampled_from((0.1, 0.5, 2.0, 12.0))),
    min_size=5, max_size=30,
)  # fmt: skip
"""Which gatherer, what happens to it, events afterwards, and seconds until the next step."""


class SharedPool(CapturedPool):
    """A gatherer on an exchange that it does not have for itself."""

    def __init__(self, directory: str, clock: Clock, exchange: Exchange) -> None:
        self._shared = clock, exchange
        super().__init__(directory, buffer_messages=60, books=2, markets=MARKETS, batch_size=3)

    def make_clock(self) -> Any:
        """The clock of all."""
        return self._shared[0]

    def make_exchange(self, markets: int) -> Exchange:
        """The exchange of all."""
        return self._shared[1]

    def end(self) -> None:
        """Stop cleanly, and let time pass until that is done."""
        self.threads.release()
        self.manager.stopService()
        closed = self.router.close()
        self.step(5)
        assert closed.called


class World:
    """One exchange, two gatherers, and what really happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.clock.advance(START)
        self.exchange = Exchange(MARKETS, seed=7, now=START, multivariate=0, clock=self.clock)
        self.names = ["a", "b"]
        self.lives = 0
        self.pools = [self.start(name) for name in self.names]
        self.books: list[tuple[int, dict[str, Book]]] = []
        self.trades: dict[str, int] = {}
        """When each trade was published, Unix ns."""
        witness = self.exchange.open_session(self.saw)
        witness.receive(b'{"id":1,"cmd":"subscribe","params":{"channels":["trade"]}}')

    def start(self, name: str) -> SharedPool:
        """Another life of a gatherer."""
        pool = SharedPool(str(self.folder / name), self.clock, self.exchange)
        pool.start()
        pool.step(1)
        pool.add(pool.tickers)
        return pool

    def directory(self, index: int) -> Path:
        """The capture of a gatherer."""
        return self.folder / self.names[index]

    def emit(self, count: int) -> None:
        """Market data, and the truth about it."""
        self.exchange.emit(count)
        self.pools[0].step(0.01)
        at = int(self.clock.seconds() * 1e9)
        self.books.append((at, {ticker: self.exchange.book(ticker) for ticker in self.exchange.active_tickers()}))
        self.pools[0].step(0.01)

    def saw(self, payload: bytes) -> None:
        """A session without faults has a message."""
        message = json.loads(payload)
        if message["type"] == "trade":
            self.trades[message["msg"]["trade_id"]] = int(self.clock.seconds() * 1e9)

    def end(self) -> None:
        """Two minutes of peace, then both stop."""
        for pool in self.pools:
            pool.threads.release()
            pool.add(pool.tickers)
        for _ in range(24):
            self.emit(10)
            self.pools[0].step(5)
        for pool in self.pools:
            pool.end()
        self.exchange.cancel_delayed()

    # -- faults -------------------------------------------------------------------------------

    def happen(self, index: int, verb: str, count: int, pause: float) -> None:
        """One thing that goes wrong for one gatherer, or a change of mind of it."""
        pool, faults = self.pools[index], self.exchange.faults
        session = pool.session_of(4 + count % 2)
        own = None if session is None else session.id
        some = pool.tickers[count % 3 :: 2]
        if verb in ("kill", "restart"):
            self.pools[index] = self.again(index, killed=verb == "kill")
        elif verb == "hold the disk":
            pool.threads.held = True
        elif verb == "change":
            pool.remove(some)
            pool.add(some[:1])
        elif verb == "refresh":
            pool.refresh(some)
        elif verb == "drain":
            with contextlib.suppress(AdminError):  # it is drained already
                pool.manager.admin.drain(4 + count % 2, "somebody")
        elif verb == "gap":
            faults.skip_seq(times=1, count=2)
        elif verb == "lose replies":
            faults.lose_replies(times=1 + count % 2)
            pool.remove(some)
        elif own is not None:
            self.hit(verb, session, own, faults)
        self.emit(count)
        pool.step(pause)
        if verb == "hold the disk":
            pool.threads.release()

    def hit(self, verb: str, session: Any, own: int, faults: Any) -> None:
        """Something that is done to one session."""
        if verb == "cut":
            faults.cut(session=own)
        elif verb == "half open":
            faults.half_open(session=own)
        elif verb == "terminate":
            faults.terminate(session=own)
        elif verb == "unsubscribed":
            faults.unsubscribed(session=own)
        elif verb == "garbage":
            faults.garbage("binary", session=own)
        elif verb == "swallow":  # a socket that is cut before another message comes cannot reveal it
            send, session._send = session._send, lambda payload: None
            self.exchange.emit(5)
            session._send = send
            self.exchange.emit(60)

    def again(self, index: int, killed: bool) -> SharedPool:
        """A gatherer ends, and the next life begins. Killed: what was not yet on disk is lost."""
        pool, old = self.pools[index], self.directory(index)
        if killed:
            self.lives += 1
            kept = self.folder / f"kept{self.lives}"
            shutil.copytree(old, kept)
            pool.end()
            shutil.rmtree(old)
            kept.rename(old)
        else:
            pool.end()
        return self.start(self.names[index])


class TwoGatherersTests(SynchronousTestCase):
    """Hypothesis draws the faults."""

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(stories)
    def test_complete_is_never_wrong(self, story: list[Step]) -> None:
        """Wherever a book is complete, the replay of the named connection is the exchange's own book; wherever trades
        are complete, every trade is there; and the joined answer is complete wherever one gatherer alone is."""
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            for step in story:
                world.happen(*step)
            world.end()
            captures = {name: world.directory(index) for index, name in enumerate(world.names)}
            both = coverage_of(list(captures.values()))
            for feed in both.feeds:
                if feed.ticker is not None:
                    wrong, _ = disproved(captures, feed.ticker, feed.intervals, world.books)
                    self.assertEqual(wrong, [], feed.ticker)
            self.check_trades(world, captures, both)
            self.check_union(captures, both)

    def check_trades(self, world: World, captures: dict[str, Path], both: Coverage) -> None:
        """A trade at a complete time is in the capture and on the connection that the interval names."""
        kept = {
            (name, record["conn_id"], record["data"]["msg"]["trade_id"])
            for name, directory in captures.items()
            for record in read_capture(directory)
            if record.get("data") and record["data"].get("type") == "trade"
        }
        (feed,) = (feed for feed in both.feeds if feed.channel == "trade")
        for trade, at in world.trades.items():
            interval = feed.at(at)
            if interval is not None and interval.state is State.COMPLETE:
                self.assertIn((interval.gatherer, interval.conn_id, trade), kept)

    def check_union(self, captures: dict[str, Path], both: Coverage) -> None:
        """Together they are complete exactly where one of them is."""
        alone = [coverage_of([directory], start=both.start, end=both.end) for directory in captures.values()]
        for feed in both.feeds:
            key = feed.channel, feed.ticker
            singles = [other for each in alone for other in each.feeds if (other.channel, other.ticker) == key]
            intervals = [interval for each in (feed, *singles) for interval in each.intervals]
            for edge in {edge for interval in intervals for edge in (interval.start, interval.end - 1)}:
                found = [each.at(edge) for each in (feed, *singles)]
                complete = [interval is not None and interval.state is State.COMPLETE for interval in found]
                self.assertEqual(complete[0], any(complete[1:]), key)
