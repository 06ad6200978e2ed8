"""One alarm for refused upgrades in a row, with the likely cause, instead of 150 log lines."""

MIN_REFUSALS = 3
"""Refusals in a row, over all connections: too many to be a coincidence. A single 401 may be a passing fault."""
MAX_SKEW = 10.0
"""Seconds our clock may be wrong: the exchange accepts about this much (protocol section 1, "Authentication")."""


class AuthAlarm:
    """Counts 401 and 403 answers since the last upgrade that succeeded."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self.alarm: str | None = None
        """The text of the alarm while refusals go on, else None."""

    def refused(self, status: int, body: str, skew: float | None) -> str | None:
        """An upgrade was refused. Returns the text of the alarm when this refusal starts one, else None."""
        if status not in (401, 403):
            return None
        self._in_a_row += 1
        if self._in_a_row != MIN_REFUSALS:
            return None
        self.alarm = f"{MIN_REFUSALS} upgrades in a row refused with HTTP {status}: {likely_cause(status, body, skew)}"
        return self.alarm

    def accepted(self) -> bool:
        """An upgrade succeeded. Returns True when that ends an alarm."""
        ended, self.alarm, self._in_a_row = self.alarm is not None, None, 0
        return ended


def likely_cause(status: int, body: str, skew: float | None) -> str:
    """The likely cause, which an operator should check first (bodies: protocol section 1)."""
    if "timestamp_expired" in body or (skew is not None and abs(skew) > MAX_SKEW):
        by = "" if skew is None else f" by {skew:+.0f} s"
        return f"our clock is off{by}; set it by NTP"
    if "NOT_FOUND" in body:
        return "the exchange does not know the key id; a demo key on production, or the other way round?"
    if "INCORRECT_API_KEY_SIGNATURE" in body:
        return "the private key does not belong to the key id"
    if status == 403:
        return "forbidden before the key was looked at: a firewall or a blocked address?"
    return "wrong key, wrong environment, or a key that was revoked"
