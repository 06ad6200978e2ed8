"""Tests for `gatherer.core.subscriptions.reply_deadline`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.subscriptions.reply_deadline import MAX_SECONDS, ReplyDeadline

delays = st.floats(0.001, 59.0)
shortest = st.floats(0.1, 300.0)


def talk(deadline: ReplyDeadline, delay: float, commands: int) -> list[bool]:
    """Send commands one after the other, each answered after `delay`. Returns whether each reply was in time. A late
    reply comes while the next command waits. Fails when the exchange counts as silent."""
    now, in_time = 0.0, []
    replies: list[float] = []
    for _ in range(commands):
        deadline.asked(now)
        replies.append(now + delay)
        end = now + deadline.seconds(now)
        while replies and replies[0] <= end:
            now = max(now, replies.pop(0))
            deadline.replied(delay)
        in_time.append(not replies)
        if replies:
            now = end
            deadline.expired()
            assert not deadline.is_silent(now), f"{delay} s was taken for silence"
            now += 1.0
    return in_time


class ReplyDeadlineTests(SynchronousTestCase):
    """How long to wait for a reply."""

    @given(delays, st.floats(0.1, 10.0))
    def test_slow_is_not_dead(self, delay: float, first: float) -> None:
        """Whatever the delay is, the exchange does not count as silent, and soon every reply is in time."""
        in_time = talk(ReplyDeadline(first), delay, 40)
        self.assertTrue(all(in_time[20:]), in_time)

    @given(shortest, st.lists(st.one_of(delays, st.none()), max_size=40))
    def test_it_has_bounds(self, first: float, replies: list[float | None]) -> None:
        """It is never shorter than the shortest, and never longer than a minute if that is longer."""
        deadline, now = ReplyDeadline(first), 0.0
        for delay in replies:
            deadline.asked(now)
            seconds = deadline.seconds(now)
            self.assertTrue(first <= seconds <= max(first, MAX_SECONDS))
            if delay is None:
                deadline.expired()
            else:
                deadline.replied(delay)
            now += seconds if delay is None else delay

    @given(st.floats(0.1, 60.0))
    def test_silence_is_found(self, first: float) -> None:
        """Without any reply the exchange counts as silent after a minute, give or take the shortest deadline."""
        deadline, now = ReplyDeadline(first), 0.0
        while not deadline.is_silent(now):
            deadline.asked(now)
            now += deadline.seconds(now)
            deadline.expired()
        self.assertTrue(MAX_SECONDS - 0.001 <= now <= MAX_SECONDS + first, now)

    def test_it_follows_what_is_measured(self) -> None:
        """Quick replies keep the shortest deadline, slow ones stretch it, and it shrinks again."""
        deadline = ReplyDeadline(5.0)
        for _ in range(20):
            deadline.replied(0.05)
        self.assertEqual(deadline.seconds(0.0), 5.0)
        deadline.expired()
        self.assertEqual(deadline.seconds(0.0), 10.0)
        deadline.replied(6.0)
        self.assertGreater(deadline.seconds(0.0), 6.0)
        for _ in range(200):
            deadline.replied(0.05)
        self.assertEqual(deadline.seconds(0.0), 5.0)
