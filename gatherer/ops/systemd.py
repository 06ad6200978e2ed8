"""Tell systemd how it goes: sd_notify(3) and the watchdog of sd_watchdog_enabled(3).

Spoken by ourselves: it is one datagram a message. The libraries for it either block in `send` and need a compiler
(systemd-python), or are no shorter than this (sdnotify, without a release since 2017).
"""

import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.log.throttle import Throttle

STATUS_INTERVAL = 10.0
"""Seconds between two status lines, as between two lines of the summary in the log."""
STARTING_INTERVAL = 5.0
"""Seconds between two words that the start goes on."""
EXTENSION = 30_000_000
"""Microseconds more that each of those words asks for. The start has a deadline of its own and fails by it."""
MAX_STANDSTILL = 30.0
"""Seconds the writer of the capture may stand still with work to do before a restart is the better choice."""

Status = dict[str, Any]
Send = Callable[[str], None]


class NotifySocket:
    """Sends to the socket systemd gave us. Never blocks and never raises: a word that is lost is said again."""

    _log = Logger()

    def __init__(self, address: str, clock: IReactorTime) -> None:
        """`address` is a path, or a name in the abstract namespace after "@"."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._throttle = Throttle(clock)

    def __call__(self, text: str) -> None:
        """One datagram. Opened each time: it is a microsecond's work, and systemd may have been started anew."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(text.encode(), self._address)
        except OSError as error:
            if self._throttle.note("lost"):
                self._log.warn("systemd cannot be told how it goes: {error}", error=str(error))


def notify_address(environ: Mapping[str, str]) -> str:
    """Where systemd listens, "" when it does not. Of the kinds there are, vsock is for whole machines, not for us."""
    address = environ.get("NOTIFY_SOCKET", "")
    return address if address[:1] in ("/", "@") and len(address) > 1 else ""


def watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    """How often a sign of life is due, None when nobody waits for one or it is not `pid` who has to give it."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid) or not (microseconds.isascii() and microseconds.isdigit()):
        return None
    return int(microseconds) / 1e6 or None


class WriterWatch:
    """Whether the writer of the capture moves. A disk that refuses is not its fault, and no restart cures it."""

    def __init__(self) -> None:
        self._written = -1
        self._moved_at = 0.0

    def standstill(self, now: float, router: Status) -> float:
        """Seconds since something was last written although something waits; 0.0 while all is well."""
        if router["written"] != self._written or not router["backlog"] or router.get("trouble"):
            self._written, self._moved_at = router["written"], now
        return now - self._moved_at


def status_line(manager: Status, registry: Status, router: Status) -> str:
    """What `systemctl status` shows."""
    books = manager["held"] - manager["owed"]
    text = (
        f"{manager['healthy']} of {len(manager['connections'])} connections live, "
        f"{books:,} of {manager['markets']:,} markets with a book"
    )
    if registry.get("exchange_active") is False:
        text += ", the exchange pauses"
    if router.get("trouble"):
        text += f", the capture cannot be written: {router['trouble']}"
    return " ".join(text.split())


class SystemdService(Service):
    """Ready means: enough connections are live, so that who starts after us has a feed.

    Reading the list of markets and their books takes minutes on the real exchange and is told in the status line
    instead. A sign of life is given by the reactor, so one that hangs gives none, and only while the writer moves.
    An exchange that is away is no reason to withhold it: a restart would not bring it back.
    """

    _log = Logger()

    def __init__(
        self, send: Send, watchdog: float | None, manager: Any, registry: Any, router: Any, clock: IReactorTime,
        monotonic: Callable[[], int],
    ) -> None:  # fmt: skip
        """`watchdog` in seconds, or None; `monotonic` gives nanoseconds of CLOCK_MONOTONIC, which systemd compares."""
        self._send = send
        self._watchdog = watchdog
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._clock = clock
        self._monotonic = monotonic
        self._writer = WriterWatch()
        self._ready = False
        self._withheld = False
        self._told_at = float("-inf")
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def startService(self) -> None:
        """Ask for patience until enough connections are live."""
        super().startService()
        self._manager.when_ready().addCallbacks(self._is_ready, self._will_not_be)
        # A third, so that a ping may be late by as much again.
        interval = STARTING_INTERVAL if self._watchdog is None else min(STARTING_INTERVAL, self._watchdog / 3)
        self._loop.start(interval).addErrback(self._broke_off)

    def stopService(self) -> None:
        """Say that the end is wanted."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        self._send("STOPPING=1\nSTATUS=closing connections, writing what is left")

    async def around(self, reload: Callable[[], Awaitable[str]]) -> None:
        """Read the settings anew, with systemd knowing: `systemctl reload` shows the outcome, one line, as status."""
        if self._ready:  # when the reload began is how systemd tells two of them apart
            self._send(f"RELOADING=1\nMONOTONIC_USEC={self._monotonic() // 1000}")
        outcome = " ".join((await reload()).split())
        if self._ready:
            self._send(f"READY=1\nSTATUS={outcome}")
            self._told_at = self._clock.seconds()

    def _is_ready(self, _: None) -> None:
        self._ready = True
        self._send(f"READY=1\nSTATUS={self._status()}")

    def _will_not_be(self, failure: Failure) -> None:
        self._log.debug("not ready: {reason}", reason=failure.getErrorMessage())  # the service itself gives up

    def _tick(self) -> None:
        words = [] if self._ready else [f"EXTEND_TIMEOUT_USEC={EXTENSION}"]
        if self._watchdog is not None and self._works():
            words.append("WATCHDOG=1")
        now = self._clock.seconds()
        if now - self._told_at >= STATUS_INTERVAL - 0.1:
            self._told_at = now
            words.append(f"STATUS={self._status()}")
        if words:
            self._send("\n".join(words))

    def _works(self) -> bool:
        standstill = self._writer.standstill(self._clock.seconds(), self._router.status())
        withheld, self._withheld = self._withheld, standstill > MAX_STANDSTILL
        if self._withheld and not withheld:
            self._log.critical(
                "the capture has not been written for {seconds:.0f} s although messages wait: no more signs of life "
                "to systemd, so that it starts us anew", seconds=standstill,
            )  # fmt: skip
        return not self._withheld

    def _status(self) -> str:
        try:
            return status_line(self._manager.status(), self._registry.status(), self._router.status())
        except Exception:  # a figure that cannot be had is no reason to be restarted
            self._log.failure("no status line for systemd")
            return "running"

    def _broke_off(self, failure: Failure) -> None:
        self._log.failure("a bug: systemd is told nothing any more", failure)
