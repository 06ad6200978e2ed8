"""Markets the exchange refuses even alone. It may be wrong: each is tried again, alone, after a while."""

RETRY_SECONDS = 600.0
"""Between two tries of one market. A wrong answer must not cost a market its place until the socket ends."""


class SetAside(dict[str, int]):
    """Market to error code, in the order of the refusals: all wait equally long, so that is the order of time."""

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[str, float] = {}

    def put(self, ticker: str, code: int, now: float) -> None:
        """The exchange refused it."""
        self[ticker] = code
        self._due.pop(ticker, None)
        self._due[ticker] = now + RETRY_SECONDS

    def due(self, ticker: str) -> float | None:
        """When one of them is tried again; None for a market that is not set aside."""
        return self._due.get(ticker) if ticker in self else None

    def take_due(self, now: float) -> list[str]:
        """Those to try again; they are not set aside any more."""
        taken = []
        for ticker, due in list(self._due.items()):
            if due > now:
                break
            del self._due[ticker]
            if self.pop(ticker, None) is not None:
                taken.append(ticker)
        return taken

    def next_due(self) -> float | None:
        """When `take_due` may have something; None for never."""
        return next((due for ticker, due in self._due.items() if ticker in self), None)
