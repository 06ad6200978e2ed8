"""The tables of two gatherers against what the exchange knows."""

import random
from collections import Counter
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.coverage import coverage_of
from gatherer.data.book import levels_from_tables
from gatherer.data.tables import Written, write_tables
from gatherer.data.views import connect_tables
from gatherer.values import Marker, RawMessage
from tests.data.support import TwoGatherers, sides
from tests.router.support import AT, Rig

LOOKALIKES = (
    b'{"type":"trade","sid":2,"seq":1,"msg":{"trade_id":"lookalike","market_ticker":"A","kind":"orderbook_delta"}}',
    b'{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"A"}}',
    b'{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"A","price_dollars":"cheap","side":"no"}}',
    b'{"type": "orderbook_delta", "sid": 1, "seq": 3, "msg": {"market_ticker": "A", "price_dollars": "0.4100", '
    b'"delta_fp": "1.00", "side": "yes"}}',
)
CREATED = b'{"type":"market_lifecycle_v2","sid":1,"seq":1,"msg":{"market_ticker":"A","event_type":"created"}}'
COMPLETE = 'SELECT market_ticker, "from", "to" FROM coverage WHERE state = \'complete\' AND market_ticker IS NOT NULL'
TOPS = """
    SELECT market_ticker, received_ns, yes_bid, yes_bid_size, no_bid, no_bid_size FROM top_of_book
    ORDER BY market_ticker, received_ns, segment, line
"""
MESSAGES = """
    SELECT market_ticker, received_ns, segment, line, 'first' AS kind, NULL AS side, NULL AS price, NULL AS count
    FROM book_snapshots GROUP BY ALL
    UNION ALL SELECT market_ticker, received_ns, segment, line, 'level', side, price, count FROM book_snapshots
    UNION ALL SELECT market_ticker, received_ns, segment, line, 'level', side, price, delta FROM book_deltas
    ORDER BY market_ticker, received_ns, segment, line, kind
"""


def without_repeats(tops: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Without tops that say again what the one before said: after a switch of gatherers that may be."""
    return [top for number, top in enumerate(tops) if not number or tops[number - 1][1:] != top[1:]]


def trouble(world: TwoGatherers, which: int, kind: str) -> None:
    """One thing that goes wrong for one of the gatherers."""
    pool, faults = world.pools[which], world.exchange.faults
    sessions = [client.session.id for client in pool.clients.values() if client.session is not None]
    if kind == "kill" and len(world.directories[which].name) < 3:
        world.kill(which)
    elif kind == "cut" and sessions:
        faults.cut(session=random.Random(len(world.truth)).choice(sessions))
    elif kind == "half_open" and sessions:
        faults.half_open(session=random.Random(len(world.truth)).choice(sessions))
    elif kind == "gap":
        faults.skip_seq(times=1, count=2)
    elif kind == "terminate" and sessions:
        faults.terminate(session=sessions[-1])
    elif kind == "held":
        pool.threads.held = not pool.threads.held
        if not pool.threads.held:
            pool.threads.release()
    elif kind == "churn":
        pool.remove(world.tickers[:2])
        pool.step(0.3)
        pool.add(world.tickers[:2])
    elif kind == "settle":
        world.exchange.move_close(world.tickers[0], world.exchange.now + 3000)


KINDS = ("kill", "cut", "cut", "half_open", "gap", "terminate", "held", "churn", "settle")
stories = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.sampled_from((1, 3, 40))), max_size=6)


class ProofTests(SynchronousTestCase):
    """Whatever happens to two gatherers, the tables hold what either received, once, and books are right."""

    @settings(max_examples=6, deadline=None)
    @given(stories)
    def test_any_faults(self, story: list[tuple[str, int, int]]) -> None:
        """Trades and tickers once; and each book is the exchange's own wherever coverage says complete."""
        folder = Path(self.mktemp())
        folder.mkdir()
        world = TwoGatherers(folder)
        for kind, which, seconds in story:
            trouble(world, which, kind)
            world.flow(seconds, 4)
        world.flow(2)
        world.stop()
        out = folder / "out"
        write_tables(world.directories, out)
        self.check(world, out)

    def check(self, world: TwoGatherers, out: Path) -> None:
        """Everything that can be said of the tables."""
        connection = connect_tables(out)
        self.check_trades(world, connection)
        self.check_tickers(world, connection)
        self.check_books(world, connection)
        self.check_tops(connection)
        self.check_coverage(world, connection)

    def check_coverage(self, world: TwoGatherers, connection: Any) -> None:
        """The table says what the command says of the captures."""
        whole = coverage_of(world.directories)
        rows = connection.execute('SELECT channel, market_ticker, state, "from", "to" FROM coverage').fetchall()
        for at, _ in world.truth[:: max(1, len(world.truth) // 10)]:
            said = {(channel, ticker): state for channel, ticker, state, first, end in rows if first <= at < end}
            for feed in whole.feeds:
                interval = feed.at(at)
                assert interval is not None
                found = said.get((feed.channel, feed.ticker))
                self.assertEqual(found, interval.state.value, (feed.channel, feed.ticker, at))

    def check_tops(self, connection: Any) -> None:
        """After each message that changed it, and at no other: found by replaying the tables."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        for market, *top in connection.execute(TOPS).fetchall():
            found.setdefault(market, []).append(tuple(top))
        expected: dict[str, list[tuple[Any, ...]]] = {}
        books: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
        for (market, at, _, _), rows in groupby(connection.execute(MESSAGES).fetchall(), lambda row: row[:4]):
            book = books.setdefault(market, {"yes": {}, "no": {}})
            for *_, kind, side, price, count in rows:
                if kind == "first":
                    book["yes"], book["no"] = {}, {}
                elif side is not None:
                    book[side][price] = book[side].get(price, Decimal(0)) + count
                    if not book[side][price]:
                        del book[side][price]
            top = tuple(value for side in ("yes", "no") for value in max(book[side].items(), default=(None, None)))
            tops = expected.setdefault(market, [])
            if not tops or tops[-1][1:] != top:
                tops.append((at, *top))
        for market, tops in expected.items():
            self.assertEqual(without_repeats(found[market]), tops, market)

    def check_trades(self, world: TwoGatherers, connection: Any) -> None:
        """Every trade that either received, once."""
        expected = {r["data"]["msg"]["trade_id"] for some in world.received("trade") for r in some}
        rows = [trade for (trade,) in connection.execute("SELECT trade_id FROM trades").fetchall()]
        self.assertEqual(Counter(rows), Counter(expected))

    def check_tickers(self, world: TwoGatherers, connection: Any) -> None:
        """As often as the leg that received it most often."""
        most: Counter[str] = Counter()
        for some in world.received("ticker"):
            legs: dict[int, Counter[str]] = {}
            for record in some:
                legs.setdefault(record["conn_id"], Counter())[str(record["data"]["msg"])] += 1
            for leg in legs.values():
                most |= leg
        (rows,) = connection.execute("SELECT count(*) FROM tickers").fetchone()
        self.assertEqual(rows, most.total())

    def check_books(self, world: TwoGatherers, connection: Any) -> None:
        """Equal to the exchange's own wherever coverage says complete."""
        checked = 0
        complete = connection.execute(COMPLETE).fetchall()
        for at, books in world.truth[:: max(1, len(world.truth) // 25)]:
            for ticker, true in books.items():
                if any(market == ticker and start < at < end for market, start, end in complete):
                    found = levels_from_tables(connection, ticker, at)
                    assert found is not None, (ticker, at)
                    self.assertEqual(sides(found), true, (ticker, at))
                    checked += 1
        self.assertGreater(checked, 0)


def rows_of(out: Path, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table in replay order."""
    return list(connect_tables(out).execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall())


class RunTests(SynchronousTestCase):
    """What several runs write is what one run writes."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.world = TwoGatherers(self.folder)
        for kind, which in (("cut", 0), ("gap", 1), ("half_open", 0)):
            trouble(self.world, which, kind)
            self.world.flow(20, 4)
        self.world.flow(20, 4)
        self.world.stop()

    def test_again_adds_nothing(self) -> None:
        """A second run over the same segments changes no file."""
        out = self.folder / "out"
        first = write_tables(self.world.directories, out)
        before = {path: path.read_bytes() for path in out.glob("*/date=*/*.parquet")}
        self.assertTrue(before)
        self.assertEqual(write_tables(self.world.directories, out), Written(0, 0, (), first.has_holes))
        self.assertEqual({path: path.read_bytes() for path in out.glob("*/date=*/*.parquet")}, before)

    def test_piece_by_piece(self) -> None:
        """Segments that come one at a time, of both gatherers in turn, make the same books, and no trade twice."""
        out, grown = self.folder / "out", self.folder / "grown"
        write_tables(self.world.directories, out)
        here = [self.folder / "here" / directory.name for directory in self.world.directories]
        segments = [sorted(directory.glob("*.zst")) for directory in self.world.directories]
        for directory in here:
            directory.mkdir(parents=True)
        for number in range(max(map(len, segments))):
            for directory, some in zip(here, segments, strict=True):
                for segment in some[number : number + 1]:
                    (directory / segment.name).write_bytes(segment.read_bytes())
            write_tables([d for d in here if any(d.iterdir())], grown)
        for table in ("book_snapshots", "book_deltas", "top_of_book"):
            self.assertEqual(rows_of(grown, table), rows_of(out, table), table)
        for key in ("trade_id",):
            ids = [sorted(connect_tables(d).sql(f"select {key} from trades").fetchall()) for d in (out, grown)]
            self.assertEqual(*ids)
        self.assertEqual(len(rows_of(out, "tickers")), len(rows_of(grown, "tickers")))

    def test_follow(self) -> None:
        """One run that goes on as segments finish, some of them late, makes the same tables."""
        out, grown = self.folder / "out", self.folder / "grown"
        write_tables(self.world.directories, out)
        here = [self.folder / "here" / directory.name for directory in self.world.directories]
        missing = sorted(
            (segment.name, segment, target)
            for directory, target in zip(self.world.directories, here, strict=True)
            for segment in directory.glob("*.zst")
        )
        late = [missing.pop(len(missing) // 2)]
        for directory in here:
            directory.mkdir(parents=True)

        def copy_next() -> bool:
            if not missing and not late:
                return False
            name, segment, target = (missing or late).pop(0)
            (target / name).write_bytes(segment.read_bytes())
            return True

        copy_next()
        while not all(any(directory.iterdir()) for directory in here):
            copy_next()
        write_tables(here, grown, wait=copy_next)
        for table in ("book_snapshots", "book_deltas", "top_of_book", "coverage"):
            self.assertEqual(rows_of(grown, table), rows_of(out, table), table)
        self.assertEqual(len(rows_of(grown, "trades")), len(rows_of(out, "trades")))


class ShapeTests(SynchronousTestCase):
    """Messages that do not look as they should."""

    def test_lookalikes(self) -> None:
        """A trade that names the type of a change stays a trade, and a change without a price is left out."""
        rig = Rig(self)
        rig.router.mark(Marker("session_up", 7, AT, {"role": "orderbook_delta"}))
        for data in LOOKALIKES:
            rig.router.deliver([RawMessage(data, 7, AT)])
        rig.close()
        out = Path(self.mktemp())
        write_tables([rig.directory], out)
        connection = connect_tables(out)
        rows = connection.execute("SELECT trade_id, line, session FROM trades").fetchall()
        self.assertEqual(rows, [("lookalike", 3, AT)])
        rows = connection.execute("SELECT market_ticker, delta, seq, line FROM book_deltas").fetchall()
        self.assertEqual(rows, [("A", Decimal("1.00"), 3, 6)])

    def test_the_n_th_equal_text(self) -> None:
        """What one connection received twice is there twice, although another received it once; in segments apart."""
        rig = Rig(self, segment_bytes=1)
        for conn_id in (1, 1, 2, 1, 2):
            rig.router.deliver([RawMessage(CREATED, conn_id, AT)])
            rig.clock.advance(2)
        rig.close()
        out = Path(self.mktemp())
        write_tables([rig.directory], out)
        self.assertEqual(len(rows_of(out, "lifecycle")), 3)
        ((market, *_, messages, first, last),) = connect_tables(out).execute("SELECT * FROM markets").fetchall()
        self.assertEqual((market, messages, first, last), ("A", 3, AT, AT))
