"""The main job over 150 real sockets, compared with what the exchange wrote.

`GATHERER_END_TO_END_SECONDS` makes it longer: the figures in the docs come from 30 s.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from gatherer.config.settings import PoolSettings
from tests.support.loopback_service import LoopbackService, run

SECONDS = float(os.environ.get("GATHERER_END_TO_END_SECONDS", "6"))
POOL = PoolSettings(dial_rate=200.0, min_healthy=150)


class EndToEndTests(TestCase):
    """One exchange and one gatherer, with real sockets between them."""

    timeout = 120 + SECONDS

    def loopback(
        self, scenario: Callable[[LoopbackService], Any], markets: int, rate: float, pool: PoolSettings = POOL,
        compression: bool = False,
    ) -> Deferred[LoopbackService]:  # fmt: skip
        """Run a scenario in an open loopback service, and close it in any case."""
        from twisted.internet import reactor

        async def scene() -> LoopbackService:
            loopback = LoopbackService(reactor, self.mktemp(), markets, rate, pool, compression)
            try:
                await loopback.open()
                await scenario(loopback)
            finally:
                await loopback.close()
            return loopback

        return run(scene())

    def test_every_message_exactly_once(self) -> Deferred[Any]:
        """Markets come and go, ten connections are cut. The capture has every message of the other sockets once, in
        order, byte for byte. There is no gap, no missing or double market, and loads are even."""
        uncut: set[int] = set()

        async def scenario(loopback: LoopbackService) -> None:
            for ticker in sorted(loopback.carried())[:100]:
                loopback.exchange.settle_market(ticker)
            for _ in range(300):
                loopback.exchange.create_market()
            await loopback.pause(SECONDS / 4)
            for _ in range(10):
                loopback.exchange.faults.cut()
                await loopback.pause(SECONDS / 20)
            await loopback.pause(SECONDS / 4)
            await loopback.calm()
            uncut.update(loopback.exchange.sessions)
            self.assertEqual({len(ids) for ids in loopback.exchange.subscribed().values()}, {1})
            loads = [c.status().held for c in loopback.gatherer.manager.connections()[6:]]
            self.assertLessEqual(max(loads) - min(loads), 1)
            self.assertEqual(sum(loads), 20_200)

        def compare(loopback: LoopbackService) -> None:
            captured = Counter(b"\n".join(messages) for messages in loopback.captured())
            whole = Counter(b"\n".join(loopback.written[session]) for session in uncut)
            self.assertEqual(len(uncut), 150)
            self.assertEqual(whole - captured, Counter())
            cut = [b"\n".join(messages) for session, messages in loopback.written.items() if session not in uncut]
            for messages in captured - whole:
                self.assertTrue(any(written.startswith(messages) for written in cut))
            self.assertEqual({record["seq_gap"] for record, data in loopback.lines() if data}, {False})
            self.assertGreater(sum(map(len, loopback.written.values())), 20_000 + 2_000 * SECONDS)

        return self.loopback(scenario, markets=20_000, rate=2_000.0).addCallback(compare)

    def test_skipped_numbers_are_exactly_marked(self) -> Deferred[Any]:
        """After five skips of three numbers, five records have a gap of that size, and all books recover."""

        async def scenario(loopback: LoopbackService) -> None:
            for _ in range(5):
                loopback.exchange.faults.skip_seq(times=1, count=3)
                await loopback.pause(0.2)
            await loopback.calm()
            await loopback.until(lambda: sum(c.gaps for c in loopback.gatherer.manager.status().connections) == 5)

        def compare(loopback: LoopbackService) -> None:
            told = [record["gap_size"] for record, data in loopback.lines() if data and record["seq_gap"]]
            self.assertEqual(told, [3] * 5)
            markers = Counter(record["marker"] for record, data in loopback.lines() if not data)
            self.assertEqual(markers["gap"], 5)
            self.assertEqual(markers["session_down"], 150)

        return self.loopback(scenario, markets=2_000, rate=2_000.0).addCallback(compare)

    def test_compressed_messages_are_captured_as_they_were(self) -> Deferred[Any]:
        """With permessage-deflate on both sides every message is in the capture, once, in order, byte for byte."""

        async def scenario(loopback: LoopbackService) -> None:
            await loopback.pause(1.0)
            await loopback.calm()
            sockets = loopback.simulator._factory.sockets
            self.assertEqual({len(socket.websocket_extensions_in_use) for socket in sockets}, {1})

        def compare(loopback: LoopbackService) -> None:
            captured = Counter(b"\n".join(messages) for messages in loopback.captured() if messages)
            self.assertEqual(captured, Counter(b"\n".join(messages) for messages in loopback.written.values()))
            self.assertGreater(sum(map(len, loopback.written.values())), 1_500)

        pool = PoolSettings(orderbook=10, dial_rate=200.0, min_healthy=16)
        return self.loopback(scenario, 500, 1_000.0, pool, compression=True).addCallback(compare)
