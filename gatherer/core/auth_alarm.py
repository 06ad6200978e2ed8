"""Refused upgrades in a row: one alarm with the likely cause, not 150 lines."""

ENOUGH = 3
"""Refusals in a row, over all connections, that are no accident any more. One 401 alone may be a passing fault."""
SKEW = 10.0
"""Seconds our clock may be off: the exchange accepts about so much (protocol section 1, "Authentication")."""


class AuthAlarm:
    """Counts 401 and 403 answers since the last upgrade that succeeded."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self.alarm: str | None = None
        """The likely cause, while refusals go on; None otherwise."""

    def refused(self, status: int, body: str, skew: float | None) -> str | None:
        """An upgrade was refused. The text of the alarm when this makes it one, else None."""
        if status not in (401, 403):
            return None
        self._in_a_row += 1
        if self._in_a_row != ENOUGH:
            return None
        self.alarm = f"{ENOUGH} upgrades in a row refused with HTTP {status}: {likely_cause(status, body, skew)}"
        return self.alarm

    def accepted(self) -> bool:
        """An upgrade succeeded; True when that ends an alarm."""
        ended, self.alarm, self._in_a_row = self.alarm is not None, None, 0
        return ended


def likely_cause(status: int, body: str, skew: float | None) -> str:
    """What an operator should look at first, from what the exchange said (bodies: protocol section 1)."""
    if "timestamp_expired" in body or (skew is not None and abs(skew) > SKEW):
        by = "" if skew is None else f" by {skew:+.0f} s"
        return f"our clock is off{by}; set it by NTP"
    if "NOT_FOUND" in body:
        return "the exchange does not know the key id; a demo key on production, or the other way round?"
    if "INCORRECT_API_KEY_SIGNATURE" in body:
        return "the private key does not belong to the key id"
    if status == 403:
        return "forbidden before the key was looked at: a firewall or a blocked address?"
    return "wrong key, wrong environment, or a key that was revoked"
