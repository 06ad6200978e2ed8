"""Notify systemd: sd_notify(3) and the watchdog of sd_watchdog_enabled(3).

Our own, because a message is one datagram. The libraries for it either block in `send` and need a compiler
(systemd-python), or are no shorter than this (sdnotify, without a release since 2017).
"""

import socket
from collections.abc import Awaitable, Callable, Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.interfaces import GathererStatus, IConnectionManager, IMessageRouter, RouterStatus
from gatherer.log.throttle import Throttle

STATUS_INTERVAL = 10.0
"""Seconds between two status lines, as between two lines of the summary in the log."""
STARTING_INTERVAL = 5.0
"""Seconds between two messages that the start goes on."""
EXTENSION = 30_000_000
"""Microseconds more that each of those messages asks for. The start fails by a deadline of its own."""
MAX_STANDSTILL = 30.0
"""Seconds the writer of the capture may stand still with work to do; after that a restart is better."""

Send = Callable[[str], None]


class NotifySocket:
    """Sends to the socket systemd gave us. Never blocks and never raises: what is lost is sent again."""

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
                self._log.warn("systemd cannot be notified: {error}", error=str(error))


def notify_address(environ: Mapping[str, str]) -> str:
    """Where systemd listens, "" when it does not. A vsock address is for a whole machine, so it counts as none."""
    address = environ.get("NOTIFY_SOCKET", "")
    return address if address[:1] in ("/", "@") and len(address) > 1 else ""


def watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    """How often a sign of life is due; None when none is asked for, or another process than `pid` has to give it."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid) or not (microseconds.isascii() and microseconds.isdigit()):
        return None
    return int(microseconds) / 1e6 or None


class WriterWatch:
    """Whether the writer of the capture moves. If the disk refuses, a restart does not help."""

    def __init__(self) -> None:
        self._written = -1
        self._moved_at = 0.0

    def standstill(self, now: float, router: RouterStatus) -> float:
        """Seconds since something was last written although something waits; 0.0 while all is well."""
        if router.written != self._written or not router.backlog or router.trouble:
            self._written, self._moved_at = router.written, now
        return now - self._moved_at


def status_line(status: GathererStatus) -> str:
    """What `systemctl status` shows."""
    pool = status.pool
    text = (
        f"{pool.healthy} of {len(pool.connections)} connections live, "
        f"{pool.books:,} of {pool.markets:,} markets with a book"
    )
    if status.registry.exchange_active is False:
        text += ", the exchange pauses"
    if status.router.trouble:
        text += f", the capture cannot be written: {status.router.trouble}"
    return " ".join(text.split())


class SystemdService(Service):
    """Ready means: enough connections are live, so units that start after us have a feed.

    Reading the list of markets and their books takes minutes on the real exchange; the status line shows it instead.
    The reactor gives the signs of life, so a reactor that hangs gives none, and only while the writer moves. They go
    on while the exchange is away: a restart would not bring it back.
    """

    _log = Logger()

    def __init__(
        self, send: Send, watchdog: float | None, manager: IConnectionManager, router: IMessageRouter,
        status: Callable[[], GathererStatus], clock: IReactorTime, monotonic: Callable[[], int],
    ) -> None:  # fmt: skip
        """`watchdog` in seconds, or None. `monotonic` gives nanoseconds of CLOCK_MONOTONIC, which systemd compares.
        Signs of life need the router alone: a bug in the status of another part must not end them."""
        self._send = send
        self._watchdog = watchdog
        self._manager = IConnectionManager(manager)
        self._router = IMessageRouter(router)
        self._status = status
        self._clock = clock
        self._monotonic = monotonic
        self._writer = WriterWatch()
        self._ready = False
        self._withheld = False
        self._status_sent_at = float("-inf")
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def startService(self) -> None:
        """Ask systemd to wait until enough connections are live."""
        super().startService()
        self._manager.when_ready().addCallbacks(self._is_ready, self._will_not_be)
        # A third, so that a ping may be late by as much again.
        interval = STARTING_INTERVAL if self._watchdog is None else min(STARTING_INTERVAL, self._watchdog / 3)
        self._loop.start(interval).addErrback(self._broke_off)

    def stopService(self) -> None:
        """Say that the stop is intended."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        self._send("STOPPING=1\nSTATUS=closing connections, writing what is left")

    async def around(self, reload: Callable[[], Awaitable[str]]) -> None:
        """Reload, and notify systemd before and after: `systemctl reload` shows the outcome, one line, as status."""
        if self._ready:  # systemd tells two reloads apart by when they began
            self._send(f"RELOADING=1\nMONOTONIC_USEC={self._monotonic() // 1000}")
        outcome = " ".join((await reload()).split())
        if self._ready:
            self._send(f"READY=1\nSTATUS={outcome}")
            self._status_sent_at = self._clock.seconds()

    def _is_ready(self, _: None) -> None:
        self._ready = True
        self._send(f"READY=1\nSTATUS={self._status_text()}")

    def _will_not_be(self, failure: Failure) -> None:
        self._log.debug("not ready: {reason}", reason=failure.getErrorMessage())  # the service itself gives up

    def _tick(self) -> None:
        words = [] if self._ready else [f"EXTEND_TIMEOUT_USEC={EXTENSION}"]
        if self._watchdog is not None and self._works():
            words.append("WATCHDOG=1")
        now = self._clock.seconds()
        if now - self._status_sent_at >= STATUS_INTERVAL - 0.1:
            self._status_sent_at = now
            words.append(f"STATUS={self._status_text()}")
        if words:
            self._send("\n".join(words))

    def _works(self) -> bool:
        standstill = self._writer.standstill(self._clock.seconds(), self._router.status())
        withheld, self._withheld = self._withheld, standstill > MAX_STANDSTILL
        if self._withheld and not withheld:
            self._log.critical(
                "the capture has not been written for {seconds:.0f} s although messages wait: systemd gets no more "
                "signs of life and will restart the service", seconds=standstill,
            )  # fmt: skip
        return not self._withheld

    def _status_text(self) -> str:
        try:
            return status_line(self._status())
        except Exception:  # a figure that cannot be had is no reason to be restarted
            self._log.failure("no status line for systemd")
            return "running"

    def _broke_off(self, failure: Failure) -> None:
        self._log.failure("a bug: systemd gets no more notifications", failure)
