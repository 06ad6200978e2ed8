"""The core of kalshi-simulator in its own process, behind a pipe. Its memory, garbage collections and time do not
count as ours."""

import gc
import marshal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.session import ClientSession

Request = tuple[str, int, bytes]


class RemoteExchange:
    """An `Exchange` with this many markets. Every call waits for its answer."""

    def __init__(self, markets: int, now: float) -> None:
        context = get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, markets, now), daemon=True)
        self._process.start()
        theirs.close()
        self._last = 0

    def tickers(self, begin: int, count: int) -> list[str]:
        """This many markets, from number `begin` on."""
        return [name.decode() for name in self.ask(("tickers", begin, b"%d" % count))]

    def open_session(self, send: Callable[[bytes], None]) -> "RemoteSession":
        """See `Exchange.open_session`."""
        self._last += 1
        self.ask(("open", self._last, b""))
        return RemoteSession(self, self._last, send)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)

    def ask(self, request: Request) -> list[bytes]:
        """One request, and the messages it makes the session send."""
        self._pipe.send_bytes(marshal.dumps(request))
        answer: list[bytes] = marshal.loads(self._pipe.recv_bytes())
        return answer


class RemoteSession:
    """The exchange's end of one socket."""

    def __init__(self, exchange: RemoteExchange, number: int, send: Callable[[bytes], None]) -> None:
        self._exchange = exchange
        self._number = number
        self._send = send

    def receive(self, frame: bytes) -> None:
        """See `ClientSession.receive`."""
        for payload in self._exchange.ask(("receive", self._number, frame)):
            self._send(payload)

    def close(self) -> None:
        """See `ClientSession.close`."""
        self._exchange.ask(("close", self._number, b""))


def _serve(pipe: Pipe, markets: int, now: float) -> None:
    exchange = Exchange(markets, now=now, multivariate=0)
    listed = exchange.active_tickers()
    gc.freeze()
    said: list[bytes] = []
    sessions: dict[int, ClientSession] = {}
    while True:
        try:
            what, number, payload = marshal.loads(pipe.recv_bytes())
        except EOFError:
            return
        if what == "tickers":
            said.extend(ticker.encode() for ticker in listed[number : number + int(payload)])
        elif what == "open":
            sessions[number] = exchange.open_session(said.append)
        elif what == "receive":
            sessions[number].receive(payload)
        else:
            sessions.pop(number).close()
        pipe.send_bytes(marshal.dumps(said))
        said.clear()
