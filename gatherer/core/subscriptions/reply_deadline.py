"""How long to wait for a reply: as long as this exchange takes at the moment. The way TCP does it (RFC 6298)."""

MAX_SECONDS = 60.0
"""The longest wait for one reply, and the silence after which the exchange does not hear us any more. A shortest wait
that is longer takes its place."""


class ReplyDeadline:
    """The deadline of one socket's commands. `now` is in seconds of a monotonic clock.

    Every reply is a sample, a late one too: its id says which command it answers. Slow is not dead. A command whose
    deadline passes only makes the next deadline longer. Only a silence without any reply shows that nothing comes.
    """

    __slots__ = ("_doublings", "_max", "_mean", "_min", "_silent_since", "_variation")

    def __init__(self, shortest: float) -> None:
        """`shortest` is the shortest deadline in seconds. It is also the first one."""
        self._min = shortest
        self._max = max(MAX_SECONDS, shortest)
        self._mean: float | None = None
        self._variation = 0.0
        self._doublings = 0
        self._silent_since: float | None = None

    def seconds(self, now: float) -> float:
        """How long to wait for the reply to a command that is sent now. Not past the moment that ends the silence."""
        measured = 0.0 if self._mean is None else self._mean + 4 * self._variation
        wait = min(max(self._min, measured) * 2**self._doublings, self._max)
        if self._silent_since is not None:
            wait = min(wait, self._silent_since + self._max - now)
        return max(self._min, wait)

    def asked(self, now: float) -> None:
        """A command was sent that must be answered."""
        if self._silent_since is None:
            self._silent_since = now

    def replied(self, seconds: float) -> None:
        """A reply came so many seconds after its command."""
        if self._mean is None:
            self._mean, self._variation = seconds, seconds / 2
        else:
            self._variation += (abs(seconds - self._mean) - self._variation) / 4
            self._mean += (seconds - self._mean) / 8
        self._doublings = 0
        self._silent_since = None

    def expired(self) -> None:
        """No reply came in time."""
        self._doublings = min(self._doublings + 1, 30)

    def is_silent(self, now: float) -> bool:
        """Whether no reply has come for so long that the exchange does not hear us any more."""
        return self.silence(now) >= self._max - 1e-6  # a float may miss it by that

    def silence(self, now: float) -> float:
        """Seconds since the first command without a reply, 0 if there is none."""
        return 0.0 if self._silent_since is None else now - self._silent_since
