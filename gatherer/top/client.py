"""The HTTP client: reads the events of `/live`, in a thread that reconnects, and asks single questions.

`Any` here is decoded JSON; `DashboardState.take` and `KeyBindings.answered` check it.
"""

import http.client
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from gatherer.errors import GathererError
from gatherer.text import one_line
from gatherer.top.state import DashboardError

MAX_BYTES = 1_000_000
"""Of one event; the gatherer's are under 30 KB."""
TIMEOUT = 10.0
"""Seconds without a byte until the connection is closed. A gatherer sends an event every second."""
RETRY_SECONDS = 2.0
MAX_ANSWER = 4_000_000
"""Bytes of one answer."""
SCHEMES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class EventParser:
    """Splits server-sent events. Each connection needs a new one."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, Any]]:
        """Name and decoded value of every event that is complete now. Raises `DashboardError` for data that is not an
        event."""
        *blocks, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._rest) > MAX_BYTES:
            raise DashboardError("an event that does not end")
        for block in blocks:
            fields = [line.partition(b": ") for line in block.split(b"\n")]
            name = b"".join(value for field, _, value in fields if field == b"event")
            data = b"\n".join(value for field, _, value in fields if field == b"data")
            if name:
                yield name.decode("utf-8", "replace"), _decoded(data)


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise DashboardError(f"what it sends is not JSON: {error}") from error


class Unreachable(GathererError):
    """No gatherer answers; the text says why."""


class Site:
    """The web port of a gatherer. Raises ValueError if the URL is not one."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in SCHEMES or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError(f"not an http:// or https:// URL: {url}")
        self._make = SCHEMES[parts.scheme]
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self.url = f"{parts.scheme}://{parts.netloc}{self._path}"

    def live(self) -> Iterator[tuple[str, Any]]:
        """Yield events until the connection is lost, then raise `Unreachable`."""
        connection = self._make(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"{self._path}/live", headers={"Accept": "text/event-stream"})
            answer = connection.getresponse()
            if answer.status != 200 or "text/event-stream" not in answer.headers.get("content-type", ""):
                raise Unreachable(_complaint(answer))
            parser = EventParser()
            while data := answer.read1(65_536):
                yield from parser.feed(data)
            raise Unreachable("it closed the connection")
        except (OSError, http.client.HTTPException, DashboardError) as error:
            raise Unreachable(_reason(error)) from error
        finally:
            connection.close()

    def ask(self, path: str, **query: str) -> dict[str, Any]:
        """The JSON answer to a question, also if it is an `error`. Raises `Unreachable` if there is none."""
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        connection = self._make(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"{self._path}{path}?{pairs}")
            value = msgspec.json.decode(connection.getresponse().read(MAX_ANSWER))
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(_reason(error)) from error
        except msgspec.DecodeError as error:
            raise Unreachable("its answer is not JSON") from error
        finally:
            connection.close()
        if not isinstance(value, dict):
            raise Unreachable("its answer is not an object")
        return value


class LiveReader(threading.Thread):
    """Reads `/live` and reconnects. Calls `receive(name, value)` for each event, and `receive("lost", reason)` before
    each new attempt, from its own thread."""

    def __init__(self, site: Site, receive: Callable[[str, Any], None]) -> None:
        super().__init__(name="live reader", daemon=True)  # a read may still block when the program ends
        self._site = site
        self._receive = receive
        self._stopped = threading.Event()

    def run(self) -> None:
        """See `threading.Thread`."""
        while not self._stopped.is_set():
            try:
                for name, value in self._site.live():
                    self._receive(name, value)
            except Unreachable as error:
                self._receive("lost", str(error))
            self._stopped.wait(RETRY_SECONDS)

    def stop(self) -> None:
        """Make no further attempt."""
        self._stopped.set()


def _complaint(answer: http.client.HTTPResponse) -> str:
    try:
        text = msgspec.json.decode(answer.read(MAX_ANSWER))["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        text = "it is not a gatherer of this version"
    return f"it answers {answer.status}: {one_line(text, 200)}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer for {TIMEOUT:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
