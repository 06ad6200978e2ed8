"""Log lines about wrong messages and lost sockets. There may be many, so a kind has one line a minute. None is
lost: what comes in between is added up, and a last line always follows."""

from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

INTERVAL = 60.0
"""Seconds between two lines of a kind."""
MAX_PLACES = 10
"""Connections that one line names."""
MAX_DETAIL = 500
"""Characters of a detail."""


@dataclass(slots=True)
class _Tally:
    """What happened since the last line of a kind."""

    times: int = 0
    amount: int = 0
    places: dict[str, int] = field(default_factory=dict)
    last: str = ""

    def add(self, where: str, detail: str, amount: int) -> None:
        """Once more."""
        self.times += 1
        self.amount += amount
        self.places[where] = self.places.get(where, 0) + 1
        self.last = f"{where}: {detail}"

    def where(self) -> str:
        """The connections by how often, bounded."""
        most = sorted(self.places.items(), key=lambda place: -place[1])
        named = ", ".join(f"{place} ({times})" if times > 1 else place for place, times in most[:MAX_PLACES])
        return named + (f" and {len(most) - MAX_PLACES} more" if len(most) > MAX_PLACES else "")


class ErrorLog:
    """All connections share it: 150 of them with the same error make one line a minute.

    The first error of a kind has its own line. The next ones wait for a line that says how many they were, how much
    they cost and where. Its timer runs only while a connection `hold`s the log.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._holders = 0
        self._kinds: dict[str, tuple[_Tally, str, IDelayedCall]] = {}

    def hold(self) -> None:
        """A connection starts."""
        self._holders += 1

    def release(self) -> None:
        """A connection has stopped. With the last one go the lines that still wait."""
        self._holders -= 1
        if not self._holders:
            kinds, self._kinds = self._kinds, {}
            for kind, (tally, unit, call) in kinds.items():
                call.cancel()
                self._write(kind, tally, unit)

    def report(self, kind: str, where: str, detail: str, amount: int = 0, unit: str = "") -> None:
        """Log an error. There are few kinds: each is a row of the metrics. `amount` adds up what the errors of the kind
        cost, in `unit`. `detail` is cut."""
        waiting = self._kinds.get(kind)
        if waiting is not None:
            waiting[0].add(where, detail[:MAX_DETAIL], amount)
            return
        self._log.warn("{where}: {kind}: {detail}", where=where, kind=kind, detail=detail[:MAX_DETAIL])
        self._wait(kind, unit)

    def lost(self, where: str, reason: str, wait: float, dials_failed: int) -> None:
        """Log a lost socket. A loss has its own line; repeated failed dials share one line a minute."""
        if dials_failed:
            detail = f"{reason}; dial {dials_failed} of this connection, next in {wait:.1f} s"
            self.report("dial failed", where, detail)
        else:
            self._log.warn("{name} lost: {reason}; next dial in {wait:.1f} s", name=where, reason=reason, wait=wait)

    def _wait(self, kind: str, unit: str) -> None:
        if self._holders:
            self._kinds[kind] = _Tally(), unit, self._clock.callLater(INTERVAL, self._summarize, kind)

    def _summarize(self, kind: str) -> None:
        """The minute is over. Without another error in it, the next one has its own line again."""
        tally, unit, _ = self._kinds.pop(kind)
        if tally.times:
            self._write(kind, tally, unit)
            self._wait(kind, unit)

    def _write(self, kind: str, tally: _Tally, unit: str) -> None:
        if tally.times:
            self._log.warn(
                "{kind}: {times} more since the last line of this kind{amount}, on {places}; the last on {last}",
                kind=kind, times=tally.times, amount=f", {tally.amount} {unit}" if unit else "",
                places=tally.where(), last=tally.last,
            )  # fmt: skip
