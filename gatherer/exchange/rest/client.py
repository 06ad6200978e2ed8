"""The REST client: each request is signed, paced and retried, and half a page is an error (protocol section 6)."""

import random as standard_random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from gatherer.core.backoff import Backoff
from gatherer.core.token_bucket import TokenBucket
from gatherer.core.urls import REST_SCHEMES, check_url
from gatherer.core.wire import rest_bodies
from gatherer.core.wire.handshake import clock_skew
from gatherer.errors import RestError
from gatherer.exchange.auth import CurrentSigner, Signer
from gatherer.exchange.rest.http import (
    NETWORK_ERRORS,
    BodyTooLarge,
    PooledHTTPClient,
    explain,
    raise_timeout,
    read_body,
    was_cancelled,
)
from gatherer.interfaces import IExchangeRest
from gatherer.values import ExchangeStatus, MarketRow

T = TypeVar("T")

STATUS, MARKETS, MARKET = "/exchange/status", "/markets", "/markets/{ticker}"
"""Endpoints, as errors and metrics name them."""

REQUEST_TOKENS = 10
"""The cost of one ordinary request."""

MAX_PAGES = 20_000
"""Pages of one list. The largest list that was ever seen had 3,700."""

BURST_SECONDS = 3
"""The capacity of the basic tier's read bucket, in seconds of its rate."""


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """One complete HTTP answer."""

    code: int
    date: str
    body: bytes

    def text(self) -> str:
        """The beginning of the body, for an error message."""
        return self.body[:500].decode("utf-8", "replace").strip() or "empty body"


class _TryAgain(Exception):
    """This try failed, the next one may succeed. `status` is the HTTP status, if there was one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@implementer(IExchangeRest)
class RestClient:
    """The registry's requests. A gatherer has one client, so that one token bucket sees all requests."""

    _log = Logger()

    def __init__(
        self,
        http: Any,  # treq's types ask for a whole reactor and refuse our headers
        base_url: str,
        signer: Signer | CurrentSigner,
        clock: IReactorTime,
        wall: Callable[[], int],
        random: Callable[[], float] = standard_random.random,
        timeout: float = 30.0,
        read_tokens_per_second: float = 200.0,
        page_size: int = 1000,
        tries: int = 8,
        max_body: int = 64 * 1024 * 1024,
    ) -> None:
        """`http` is a treq client (`make_http_client`, or `StubTreq`). `timeout` is for one whole try, in seconds.

        `wall` gives Unix time in nanoseconds. It dates the signatures. Raises `ConfigError` for a bad URL.
        """
        self._http = http
        self._path = check_url(base_url, REST_SCHEMES, "rest_url").path.rstrip("/")
        self._base = base_url.rstrip("/")
        self._signer = signer
        self._clock = clock
        self._wall = wall
        self._random = random
        self._timeout = timeout
        self._page_size = page_size
        self._tries = tries
        self._max_body = max_body
        self._bucket = TokenBucket(
            read_tokens_per_second, max(REQUEST_TOKENS, BURST_SECONDS * read_tokens_per_second), clock.seconds()
        )
        self.errors: Counter[str] = Counter()
        self.unreadable_rows = 0

    async def exchange_status(self) -> ExchangeStatus:
        """The exchange's own status. An error answer with the same object counts too."""
        return await self._get(STATUS, STATUS, {}, rest_bodies.decode_status, frozenset({200, 500, 503, 504}))

    async def markets(
        self, status: str | None = None, multivariate: str = "exclude", tickers: Sequence[str] | None = None
    ) -> AsyncIterator[list[MarketRow]]:
        """Pages of markets, see `IExchangeRest`. Empty `tickers` give no page: as a filter they would mean all."""
        if tickers is not None and not tickers:
            return
        params = self._filter(status, multivariate, tickers)
        seen = {""}
        while True:
            page = await self._get(MARKETS, MARKETS, params, rest_bodies.decode_page)
            self._count_unreadable(page.unreadable)
            yield page.rows
            if not page.cursor:
                return
            if page.cursor in seen:
                raise self._failed(MARKETS, "the exchange sent a cursor twice: the walk would never end", 200)
            if len(seen) > MAX_PAGES:
                raise self._failed(MARKETS, f"more than {MAX_PAGES} pages: the walk would never end", 200)
            seen.add(page.cursor)
            params["cursor"] = page.cursor

    async def market(self, ticker: str) -> MarketRow | None:
        """One market, or None for a 404. A new market can be a 404 for a moment."""
        path = f"/markets/{quote(ticker, safe='')}"
        return await self._get(MARKET, path, {}, rest_bodies.decode_market, frozenset({200, 404}))

    def close(self) -> Deferred[None]:
        """Fires with None when no idle connection is left. The callers must cancel their own requests."""
        return self._http.close() if isinstance(self._http, PooledHTTPClient) else succeed(None)

    def _filter(self, status: str | None, multivariate: str, tickers: Sequence[str] | None) -> dict[str, str]:
        params = {"limit": str(self._page_size)}
        if status is not None:
            params["status"] = status
        if multivariate != "include":
            params["mve_filter"] = multivariate
        if tickers is not None:
            params["tickers"] = ",".join(tickers)
        return params

    def _count_unreadable(self, tickers: list[str]) -> None:
        if tickers:
            self.unreadable_rows += len(tickers)
            self._log.warn(
                "skipped {count} market rows of unexpected shape, among them {tickers}",
                count=len(tickers),
                tickers=", ".join(tickers[:5]),
            )

    async def _get(
        self,
        endpoint: str,
        path: str,
        params: dict[str, str],
        decode: Callable[[int, bytes], T],
        accepted: frozenset[int] = frozenset({200}),
    ) -> T:
        """Ask until there is a usable answer. Raises `RestError` for a refusal, and after the last try."""
        backoff = Backoff(0.5, 30.0, 2.0, 0.2, self._random)
        for left in reversed(range(self._tries)):
            try:
                answer = await self._try(endpoint, path, params, accepted)
                return self._decode(endpoint, answer, decode)
            except _TryAgain as failed:
                if not left:
                    reason = f"gave up after {self._tries} tries: {failed.reason}"
                    raise self._failed(endpoint, reason, failed.status) from None
                await self._wait(endpoint, failed, backoff.next())
        raise AssertionError("at least one try is made")

    async def _wait(self, endpoint: str, failed: _TryAgain, seconds: float) -> None:
        self.errors[endpoint] += 1
        self._log.info(
            "{endpoint}: {reason}; trying again in {seconds:.1f} s",
            endpoint=endpoint,
            reason=failed.reason,
            seconds=seconds,
        )
        await deferLater(self._clock, seconds)

    def _decode(self, endpoint: str, answer: RestAnswer, decode: Callable[[int, bytes], T]) -> T:
        try:
            return decode(answer.code, answer.body)
        except rest_bodies.OddShape as error:
            raise self._failed(endpoint, f"HTTP {answer.code} with an odd shape: {error}", answer.code) from None
        except rest_bodies.Unreadable as error:
            raise _TryAgain(f"HTTP {answer.code} with an unreadable body: {error}", answer.code) from None

    def _failed(self, endpoint: str, reason: str, status: int | None) -> RestError:
        self.errors[endpoint] += 1
        return RestError(endpoint, reason, status)

    async def _try(self, endpoint: str, path: str, params: dict[str, str], accepted: frozenset[int]) -> RestAnswer:
        if (wait := self._bucket.reserve(REQUEST_TOKENS, self._clock.seconds())) > 0:
            await deferLater(self._clock, wait)
        request = Deferred.fromCoroutine(self._exchange(path, params))
        request.addTimeout(self._timeout, self._clock, raise_timeout(self._timeout))
        try:
            answer = await request
        except NETWORK_ERRORS as error:
            if was_cancelled(error):
                raise CancelledError from None
            raise _TryAgain(explain(error)) from None
        except BodyTooLarge:
            raise self._failed(endpoint, f"body of more than {self._max_body} bytes", None) from None
        if answer.code in accepted:
            return answer
        raise self._refusal(endpoint, answer)

    def _refusal(self, endpoint: str, answer: RestAnswer) -> Exception:
        """429 and 5xx will pass. Any other status is about our request, and repeating it would not help."""
        reason = f"HTTP {answer.code}: {answer.text()}"
        if answer.code == 429:  # it has no Retry-After, and the tokens that the bucket counted are not there
            self._bucket.drain(self._clock.seconds())
        if answer.code in (408, 429) or answer.code >= 500:
            return _TryAgain(reason, answer.code)
        if answer.code == 401 and (skew := clock_skew(answer.date, self._wall() / 1e9)) is not None:
            reason += f"; our clock is {skew:+.1f} s from the exchange's"
        return self._failed(endpoint, reason, answer.code)

    async def _exchange(self, path: str, params: dict[str, str]) -> RestAnswer:
        """Sign and send. Redirects are not followed, because the signature is for this host and path."""
        now_ms = self._wall() // 1_000_000
        response = await self._http.get(
            self._base + path,
            params=params,
            headers=self._signer.headers("GET", self._path + path, now_ms),
            allow_redirects=False,
            unbuffered=True,
            reactor=self._clock,
        )
        body = await read_body(response, self._max_body)
        date = response.headers.getRawHeaders("date", [""])[0]
        return RestAnswer(response.code, date, body)
