"""The faults of a day. The seed decides every event, its moment and its size before the day begins."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from gatherer.simulator.feed.faults import Faults
from tests.support.disk_router import BAD_DISKS

NEW_YORK = ZoneInfo("America/New_York")
BOOKS, LIFECYCLE = "orderbook_delta", "market_lifecycle_v2"
CHANNELS = (BOOKS, BOOKS, BOOKS, LIFECYCLE, "trade", "ticker")
CODES = (1, 5, 7, 9, 10, 11, 13, 14, 17, 18, 25, 26, 27, 28, 99)
APPLIED = (5, 10, 18, 25, 27, 99)


@dataclass(frozen=True, slots=True)
class Event:
    """At `at` (Unix seconds) the day calls `act`. `text` is its line in the trace."""

    at: float
    text: str
    act: Callable[[], object]


def first_day(random: Random) -> float:
    """Midnight in New York of some day. Half of the days are Thursdays, the day of the maintenance."""
    thursday = datetime(2026, 12, 3, tzinfo=NEW_YORK)
    day = thursday + timedelta(days=7 * random.randrange(40))
    return (day if random.random() < 0.5 else day + timedelta(days=random.randrange(1, 7))).timestamp()


def maintenance(start: float) -> tuple[float, float] | None:
    """Begin and end of the maintenance, Thursdays 03:00 to 05:00 New York time, if that day has one."""
    day = datetime.fromtimestamp(start, UTC).astimezone(NEW_YORK)
    if day.weekday() != 3:
        return None
    return day.replace(hour=3).timestamp(), day.replace(hour=5).timestamp()


class FaultSchedule:
    """Draws the events. The method of a kind draws all its numbers and returns the text and the action."""

    def __init__(self, random: Random, day: Any) -> None:
        self._random = random
        self._day = day

    def events(self, begin: float, end: float, number: int) -> list[Event]:
        """This number of events between two times, in order."""
        kinds = (
            self._cut, self._cut, self._cut_many, self._half_open, self._refuse, self._terminate, self._terminate,
            self._unsubscribed, self._errors, self._errors, self._applied, self._lose, self._late, self._double,
            self._slow, self._lose_books, self._storm, self._count_anew, self._drain, self._skip, self._repeat,
            self._garbage, self._rest_failures, self._rest_down, self._rest_stale, self._rest_slow,
            self._lose_lifecycle, self._pause, self._change_markets, self._list_markets, self._disk,
            self._rest_odd, self._break_listener,
        )  # fmt: skip
        moments = sorted(self._random.uniform(begin, end) for _ in range(number))
        return [Event(moment, *self._random.choice(kinds)()) for moment in moments]

    @property
    def _faults(self) -> Faults:
        faults: Faults = self._day.exchange.faults
        return faults

    def _number(self, most: int) -> int:
        """Small ones are more likely."""
        return 1 + int(most * self._random.random() ** 3)

    def _cut(self) -> tuple[str, Callable[[], object]]:
        count = self._number(10)
        return f"cut {count} sockets", lambda: self._faults.cut(count)

    def _cut_many(self) -> tuple[str, Callable[[], object]]:
        count = self._number(150)
        return f"cut {count} sockets", lambda: self._faults.cut(count)

    def _half_open(self) -> tuple[str, Callable[[], object]]:
        count = self._number(8)
        return f"{count} sockets half-open", lambda: self._faults.half_open(count)

    def _refuse(self) -> tuple[str, Callable[[], object]]:
        status, number, count = self._random.choice((401, 429, 503)), self._number(60), self._number(30)

        def act() -> None:
            self._faults.refuse_upgrade(status, number)
            self._faults.cut(count)

        return f"refuse {number} upgrades with {status}, cut {count} sockets", act

    def _terminate(self) -> tuple[str, Callable[[], object]]:
        code, count, channel = self._random.choice((10, 25)), self._number(20), self._random.choice(CHANNELS)
        return f"end {channel} of {count} by code {code}", lambda: self._faults.terminate(code, count, None, channel)

    def _unsubscribed(self) -> tuple[str, Callable[[], object]]:
        count, channel = self._number(20), self._random.choice(CHANNELS)
        return f"unsubscribe {count} from {channel}", lambda: self._faults.unsubscribed(count, None, channel)

    def _errors(self) -> tuple[str, Callable[[], object]]:
        code, number = self._random.choice(CODES), self._number(10)
        return f"{number} errors {code}", lambda: self._with_commands(self._faults.error, code, number)

    def _applied(self) -> tuple[str, Callable[[], object]]:
        code, number = self._random.choice(APPLIED), self._number(5)
        return f"{number} errors {code}, applied", lambda: self._with_commands(self._faults.error, code, number, True)

    def _lose(self) -> tuple[str, Callable[[], object]]:
        number = self._number(10)
        return f"lose {number} replies", lambda: self._with_commands(self._faults.lose_replies, number)

    def _late(self) -> tuple[str, Callable[[], object]]:
        number, seconds = self._number(10), self._random.choice((0.5, 4.9, 6.0, 40.0))
        act = self._faults.late_replies
        return f"{number} replies {seconds} s late", lambda: self._with_commands(act, number, seconds)

    def _slow(self) -> tuple[str, Callable[[], object]]:
        seconds, minutes = self._random.choice((5.1, 6.0, 12.0, 40.0)), self._number(20)

        def act() -> None:
            self._with_commands(self._faults.reply_delay, seconds)
            self._day.later(60.0 * minutes, lambda: self._faults.reply_delay(0.0))

        return f"every reply {seconds} s late for {minutes} minutes", act

    def _lose_books(self) -> tuple[str, Callable[[], object]]:
        number = self._number(300)
        return f"lose {number} books", lambda: self._with_commands(self._faults.lose_books, number)

    def _storm(self) -> tuple[str, Callable[[], object]]:
        number = self._number(200)

        def act() -> None:
            self._faults.skip_seq(number, 2)
            for second in range(10):
                self._day.later(float(second), lambda: self._day.traffic(number))

        return f"{number} gaps within ten seconds", act

    def _count_anew(self) -> tuple[str, Callable[[], object]]:
        number = self._number(10)

        def act() -> None:
            self._faults.restart_seq(number)
            self._day.traffic(50)

        return f"{number} sids count from 1 again", act

    def _drain(self) -> tuple[str, Callable[[], object]]:
        conn_id, minutes = self._random.randrange(7, 151), self._number(120)
        return f"drain {conn_id} for {minutes} minutes", lambda: self._day.drain(conn_id, 60.0 * minutes)

    def _double(self) -> tuple[str, Callable[[], object]]:
        return "the next reply on each socket twice", lambda: self._with_commands(self._day.double_replies)

    def _with_commands(self, arm: Callable[..., object], *facts: Any) -> None:
        """Prepare a fault for commands, and list new markets, so that commands follow."""
        arm(*facts)
        self._day.list_markets(15)

    def _skip(self) -> tuple[str, Callable[[], object]]:
        number, size = self._number(10), self._number(5)

        def act() -> None:
            self._faults.skip_seq(number, size)
            self._day.traffic(50)

        return f"skip {size} numbers {number} times", act

    def _repeat(self) -> tuple[str, Callable[[], object]]:
        number = self._number(10)

        def act() -> None:
            self._faults.repeat_seq(number)
            self._day.traffic(50)

        return f"repeat {number} numbers", act

    def _garbage(self) -> tuple[str, Callable[[], object]]:
        kind, number = self._random.choice(("json", "binary", "unknown_type")), self._number(5)
        return f"{number} frames of {kind} garbage", lambda: self._faults.garbage(kind, number)

    def _rest_failures(self) -> tuple[str, Callable[[], object]]:
        fates = [self._random.choice((None, 0, 429, 503, 200)) for _ in range(self._number(20))]
        return f"{len(fates)} REST requests: {fates}", lambda: self._day.rest.fates.extend(fates)

    def _rest_down(self) -> tuple[str, Callable[[], object]]:
        seconds = 10.0 * self._number(100)
        return f"REST down for {seconds} s", lambda: self._day.rest_down(seconds)

    def _rest_stale(self) -> tuple[str, Callable[[], object]]:
        seconds, times = 5.0 * self._number(100), self._number(6)
        return f"{times} lists {seconds} s old", lambda: self._day.rest_stale(seconds, times)

    def _rest_odd(self) -> tuple[str, Callable[[], object]]:
        number, status, seconds = self._number(20), self._random.choice((200, 500)), 10.0 * self._number(300)
        return f"REST cannot tell {number} markets", lambda: self._day.rest_odd(number, status, seconds)

    def _break_listener(self) -> tuple[str, Callable[[], object]]:
        return "the pool fails in the middle of its changes", self._day.break_listener

    def _rest_slow(self) -> tuple[str, Callable[[], object]]:
        latency = self._random.choice((0.01, 0.4, 3.0, 15.0))
        return f"REST takes {latency} s", lambda: setattr(self._day.rest, "latency", latency)

    def _lose_lifecycle(self) -> tuple[str, Callable[[], object]]:
        return "no lifecycle channel while markets change", self._day.lose_events

    def _disk(self) -> tuple[str, Callable[[], object]]:
        how, seconds = self._random.choice(BAD_DISKS), 10.0 * self._number(100)
        return f"the disk is {how} for {seconds} s", lambda: self._day.spoil_disk(how, seconds)

    def _pause(self) -> tuple[str, Callable[[], object]]:
        seconds = 10.0 * self._number(60)
        return f"trading pauses for {seconds} s", lambda: self._day.pause_trading(seconds)

    def _change_markets(self) -> tuple[str, Callable[[], object]]:
        number = self._number(300)
        return f"{number} changes of markets at once", lambda: self._day.change_markets(number)

    def _list_markets(self) -> tuple[str, Callable[[], object]]:
        number = self._number(300)
        return f"{number} new markets at once", lambda: self._day.list_markets(number)
