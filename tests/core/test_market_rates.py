"""Tests for `gatherer.core.market_rates`: rates from samples."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.market_rates import MAX_MARKETS, MarketRates


class MarketRatesTests(SynchronousTestCase):
    """MarketRates."""

    def sampled(self, seconds: int, rates: dict[str, float], each: int = 4, per_second: int = 10) -> MarketRates:
        """Looks at messages that come at these rates."""
        random, measured = Random(1), MarketRates(0.0)
        total = sum(rates.values())
        for number in range(seconds * per_second):
            tickers = random.choices(list(rates), list(rates.values()), k=each)
            measured.note(tickers, round(total / per_second), number / per_second)
        return measured

    def test_rates_are_found(self) -> None:
        """After twenty seconds the rate of a busy market is right within a third."""
        rates = {"BUSY": 100.0, "HALF": 50.0, **{f"QUIET-{number}": 0.5 for number in range(100)}}
        measured = self.sampled(20, rates)
        for ticker in ("BUSY", "HALF"):
            self.assertLess(abs(measured.rate(ticker, 20.0) / rates[ticker] - 1.0), 0.34)
        ranked = measured.ranked(rates, 20.0)
        self.assertEqual([ticker for ticker, _ in ranked[:2]], ["BUSY", "HALF"])

    def test_rates_fade(self) -> None:
        """A market that fell silent has next to no rate five minutes later; one never seen has none."""
        measured = self.sampled(20, {"A": 100.0})
        self.assertLess(measured.rate("A", 320.0), 1.0)
        self.assertEqual(measured.rate("B", 320.0), 0.0)

    def test_a_market_is_forgotten(self) -> None:
        """One that is over leaves nothing."""
        measured = self.sampled(1, {"A": 1.0})
        measured.forget("A")
        measured.forget("A")
        self.assertEqual((len(measured), measured.rate("A", 1.0)), (0, 0.0))

    def test_memory_is_bounded(self) -> None:
        """However many markets are met, only so many are remembered, the busiest for certain."""
        measured = MarketRates(0.0)
        for number in range(0, MAX_MARKETS + 1_000, 500):
            measured.note([*(f"M{number + offset}" for offset in range(500)), "BUSY"], 501, 1.0)
        self.assertLessEqual(len(measured), MAX_MARKETS)
        self.assertGreater(measured.rate("BUSY", 1.0), 0.0)

    def test_a_look_without_messages(self) -> None:
        """Nothing seen changes nothing, and a rate at the very start is 0, not infinite."""
        measured = MarketRates(5.0)
        measured.note([], 10, 5.0)
        measured.note(["A"], 1, 5.0)
        self.assertEqual(measured.rate("A", 5.0), 0.0)
