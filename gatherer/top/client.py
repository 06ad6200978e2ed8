"""The way to the gatherer: `/live` in a thread that comes back by itself, single questions in threads of their own."""

import http.client
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from gatherer.top.state import DashboardError

MAX_BYTES = 1_000_000
"""Of one event; the gatherer's are under 30 KB."""


class EventParser:
    """One for each connection."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, Any]]:
        """Name and decoded value of every event that is whole now. `DashboardError` for what is none."""
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
        raise DashboardError(f"what it sends is no JSON: {error}") from error


TIMEOUT = 10.0
"""Seconds without a byte, of which there should be some every second, before the connection is given up."""
AGAIN_AFTER = 2.0
MAX_ANSWER = 4_000_000
SCHEMES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class Unreachable(Exception):
    """There is no gatherer, or it does not answer as one; the text says why."""


class Site:
    """The web port of a gatherer. ValueError for a URL that is none."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in SCHEMES or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError(f"not an http:// or https:// URL: {url}")
        self._make = SCHEMES[parts.scheme]
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self.url = f"{parts.scheme}://{parts.netloc}{self._path}"

    def live(self) -> Iterator[tuple[str, Any]]:
        """Events, until the connection is lost: `Unreachable`, always."""
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
        """A JSON answer, one with an `error` as well."""
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        connection = self._make(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"{self._path}{path}?{pairs}")
            value = msgspec.json.decode(connection.getresponse().read(MAX_ANSWER))
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(_reason(error)) from error
        except msgspec.DecodeError as error:
            raise Unreachable("its answer is no JSON") from error
        finally:
            connection.close()
        if not isinstance(value, dict):
            raise Unreachable("its answer is no object")
        return value


class Watch(threading.Thread):
    """Calls `tell(name, value)` for each event, and `tell("lost", why)` before each new try. From its own thread."""

    def __init__(self, site: Site, tell: Callable[[str, Any], None]) -> None:
        super().__init__(name="gatherer-top", daemon=True)  # it may be in a read that lasts
        self._site = site
        self._tell = tell
        self._stopped = threading.Event()

    def run(self) -> None:
        """See `threading.Thread`."""
        while not self._stopped.is_set():
            try:
                for name, value in self._site.live():
                    self._tell(name, value)
            except Unreachable as error:
                self._tell("lost", str(error))
            self._stopped.wait(AGAIN_AFTER)

    def stop(self) -> None:
        """No new try."""
        self._stopped.set()


def _complaint(answer: http.client.HTTPResponse) -> str:
    try:
        told = msgspec.json.decode(answer.read(MAX_ANSWER))["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        told = "no gatherer of this version"
    return f"it answers {answer.status}: {str(told)[:200]}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer for {TIMEOUT:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
