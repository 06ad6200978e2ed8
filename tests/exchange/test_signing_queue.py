"""Tests for `SigningQueue` of `gatherer.exchange.auth`."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.exchange.auth import Headers, SigningQueue


class TurnClock(Clock):
    """A clock on which a call made during a turn waits for the next turn, as in a reactor. `Clock` makes it at once."""

    def turn(self) -> None:
        due, self.calls = self.calls, []
        for call in due:
            call.called = 1
            call.func(*call.args, **call.kw)


class OnePerTurnTests(SynchronousTestCase):
    """Many callers may ask at once: the reactor handles its sockets between two signatures."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.signed: list[float] = []
        self.ask = SigningQueue(self.clock, self.sign)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def sign(self) -> Headers:
        self.signed.append(self.clock.seconds())
        return {"number": str(len(self.signed))}

    def test_each_turn_has_one(self) -> None:
        """Callers are served in order, each in its own turn."""
        answers = [self.ask() for _ in range(150)]
        for number, answer in enumerate(answers, 1):
            self.assertNoResult(answer)
            self.clock.turn()
            self.assertEqual(self.successResultOf(answer), {"number": str(number)})

    def test_the_signature_is_of_its_turn(self) -> None:
        """A signature is made when its turn comes, not when it is asked for: it is valid for seconds only."""
        self.ask()
        late = self.ask()
        self.clock.turn()
        self.clock.rightNow = 5.0
        self.clock.turn()
        self.successResultOf(late)
        self.assertEqual(self.signed, [0.0, 5.0])

    def test_who_is_gone_costs_no_signature(self) -> None:
        """A lost socket cancels. The others do not wait for it, and no timer is left."""
        first, second = self.ask(), self.ask()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.clock.turn()
        self.assertEqual(self.successResultOf(second), {"number": "1"})
        self.ask().addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_failure_is_told_and_the_next_served(self) -> None:
        """The caller gets the error."""
        answers: list[Deferred[Headers]] = []

        def fail_once() -> Headers:
            if len(answers) == 2 and not self.signed:
                self.signed.append(0.0)
                raise ValueError("broken key")
            return {}

        ask = SigningQueue(self.clock, fail_once)
        answers += [ask(), ask()]
        self.clock.turn()
        self.clock.turn()
        self.failureResultOf(answers[0], ValueError)
        self.assertEqual(self.successResultOf(answers[1]), {})
