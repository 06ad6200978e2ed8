"""Tests for `gatherer.core.auth_alarm`."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.auth_alarm import AuthAlarm, likely_cause


class RefusalsTests(SynchronousTestCase):
    """There is one alarm, with the likely cause."""

    def test_one_refusal_is_no_alarm(self) -> None:
        """The third refusal in a row starts an alarm, and no other does; 429 and 503 do not count."""
        refusals = AuthAlarm()
        told = [refusals.refused(status, "", None) for status in (401, 503, 429, 401, 403, 401, 401)]
        self.assertEqual([text is not None for text in told], [False, False, False, False, True, False, False])
        self.assertEqual(refusals.alarm, told[4])

    def test_an_upgrade_that_succeeds_ends_it(self) -> None:
        """A success ends the alarm, and the count starts again."""
        refusals = AuthAlarm()
        for _ in range(3):
            refusals.refused(401, "", None)
        self.assertEqual((refusals.accepted(), refusals.alarm, refusals.accepted()), (True, None, False))
        self.assertIsNone(refusals.refused(401, "", None))

    def test_the_likely_cause_is_named(self) -> None:
        """The body, the skew and the status show it: clock, key id, private key or address."""
        for status, body, skew, words in (
            (401, "", 34.0, "clock is off by +34 s"),
            (401, '{"code":"header_timestamp_expired"}', None, "clock is off"),
            (401, '{"details":"NOT_FOUND"}', 0.4, "key id"),
            (401, '{"details":"INCORRECT_API_KEY_SIGNATURE"}', 0.4, "private key"),
            (403, "<html>", None, "firewall"),
            (401, "", 0.2, "wrong key"),
        ):
            self.assertIn(words, likely_cause(status, body, skew))
