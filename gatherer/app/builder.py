"""Make the parts from the settings and put them together. No reactor is imported here: it is an argument."""

import time
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import urlsplit

from twisted.internet.endpoints import serverFromString
from twisted.logger import Logger, globalLogPublisher

from gatherer.app.clock_watch import ClockWatch
from gatherer.app.service import Gatherer
from gatherer.config.endpoints import is_remote
from gatherer.config.settings import Settings
from gatherer.core.allocation import LeastLoaded
from gatherer.core.backoff import Backoff
from gatherer.core.histograms import Measurements
from gatherer.core.layout import Slot, make_plan
from gatherer.exchange.auth import CurrentSigner, Signer, SigningQueue
from gatherer.exchange.connection import Connection
from gatherer.exchange.context import CommandSettings, ConnectionSettings, SessionContext
from gatherer.exchange.error_log import ErrorLog
from gatherer.exchange.interfaces import IWebSocketListener
from gatherer.exchange.rest.client import RestClient
from gatherer.exchange.rest.http import make_http_client
from gatherer.exchange.websocket.client import WebSocketClient
from gatherer.exchange.websocket.dialing import Dialing, DialPacer, make_dialer
from gatherer.interfaces import IConnectionOwner, IExchangeRest, IMarketRegistry, IMessageRouter
from gatherer.log.levels import LevelControl
from gatherer.ops import HealthService, Summary
from gatherer.ops.listener import ListeningService
from gatherer.ops.manhole import ManholeService, Prompt
from gatherer.ops.web import EventLog, WebService
from gatherer.pool import ConnectionManager
from gatherer.registry import MarketRegistry
from gatherer.router import SegmentRouter
from gatherer.values import Role

START_GRACE = 30.0
"""Seconds on top of what the dials need before too few connections are a failure to start."""
COMMAND_PAUSE = (1.0, 60.0, 2.0, 0.2)
"""First and longest pause in seconds after a command that failed, factor, jitter."""


class Builder:
    """One gatherer. `random` gives floats from [0, 1); `failed` gets the reason when it cannot do its job."""

    _log = Logger()

    def __init__(
        self, settings: Settings, signer: Signer, reactor: Any, random: Callable[[], float],
        failed: Callable[[str], None], levels: LevelControl | None = None,
    ) -> None:  # fmt: skip
        """`levels` decides what is logged; the manhole can change it. `reactor` is
        `Any`, here and in the rest of `app`: it provides several interfaces, for which there is no common type."""
        self._levels = levels or LevelControl()
        self._measurements = Measurements()
        self._settings = settings
        self._signer = CurrentSigner(signer)
        self._reactor = reactor
        self._random = random
        self._failed = failed
        self._pacer = DialPacer(reactor, settings.pool.dial_rate)
        self._error_log = ErrorLog(reactor)
        self._backoffs: list[Backoff] = []
        self.events = EventLog(globalLogPublisher)
        self._health: HealthService | None = None

    def gatherer(self, router: IMessageRouter | None = None) -> Gatherer:
        """All parts, wired. Raises `ConfigError` for a URL or file that will not do; nothing is opened yet."""
        router = self.router() if router is None else router
        rest = self.rest()
        registry = self.registry(rest)
        manager = self.manager(router, registry)
        gatherer = Gatherer(router, rest, manager, registry, self._reactor, self._failed)
        frozen_after, clock = self._settings.health.frozen_after, self._reactor
        health = HealthService(
            clock, time.time_ns, time.monotonic, self._measurements, manager, registry, router, frozen_after
        )
        self._health = health
        watch = ClockWatch(clock, time.time_ns, time.monotonic, router, registry)
        for service in (self.events, health, watch, Summary(clock, health.status)):
            gatherer.addService(service)
        for listener in self._listeners(gatherer, health):
            gatherer.add_listener(listener)
        return gatherer

    @property
    def health(self) -> HealthService:
        """Of the gatherer that was made here."""
        assert self._health is not None, "no gatherer was made"
        return self._health

    def apply(self, gatherer: Gatherer, settings: Settings, signer: Signer) -> None:
        """Give the parts of a gatherer made here new values for the keys that need no restart."""
        before, self._settings = self._settings, settings
        self._signer.replace(signer)
        if settings.pool.dial_rate != before.pool.dial_rate:  # it may have slowed down for a reason
            self._pacer.set_rate(settings.pool.dial_rate)
        if settings.log.level != before.log.level:  # an operator may have set another one meanwhile
            self._levels.set(settings.log.level)
        registry = cast(MarketRegistry, gatherer.registry)
        registry.set_intervals(settings.registry.reconcile_interval, settings.registry.status_interval)
        again = settings.reconnect
        for backoff in self._backoffs:
            backoff.change(again.initial_delay, again.max_delay, again.factor, again.jitter)
        context, own = self._session_context(gatherer.router), self._connection_settings()
        for connection in gatherer.manager.connections():
            cast(Connection, connection).reconfigure(context, own)

    def router(self) -> SegmentRouter:
        """Where the messages go."""
        own = self._settings.router
        return SegmentRouter(
            own.directory, self._reactor, segment_bytes=own.segment_bytes, segment_seconds=own.segment_seconds,
            flush_interval=own.flush_interval, buffer_messages=own.buffer_messages,
            buffer_bytes=own.buffer_bytes,
        )  # fmt: skip

    def rest(self) -> RestClient:
        """The exchange's REST side."""
        exchange, own = self._settings.exchange, self._settings.registry
        http = make_http_client(self._reactor, exchange.ca_file or None)
        return RestClient(
            http, exchange.rest_url, self._signer, self._reactor, time.time_ns, random=self._random,
            timeout=own.request_timeout, page_size=own.page_size,
        )  # fmt: skip

    def registry(self, rest: IExchangeRest) -> MarketRegistry:
        """The part that knows the markets."""
        own = self._settings.registry
        return MarketRegistry(
            rest, self._reactor, time.time_ns, reconcile_interval=own.reconcile_interval,
            status_interval=own.status_interval, multivariate=own.multivariate, random=self._random,
        )  # fmt: skip

    def manager(self, router: IMessageRouter, registry: IMarketRegistry) -> ConnectionManager:
        """The pool, not yet dialled."""
        pool, capacity = self._settings.pool, self._settings.orderbook.markets_per_connection
        plan = make_plan(pool.ticker, pool.trade, pool.lifecycle, pool.orderbook)
        books = [slot.conn_id for slot in plan if slot.role is Role.ORDERBOOK]
        start_timeout = len(plan) / pool.dial_rate + 3 * pool.connect_timeout + START_GRACE
        return ConnectionManager(
            plan, self._connection_maker(router), LeastLoaded(books, capacity), registry, self._reactor, time.time_ns,
            capacity=capacity, min_healthy=pool.min_healthy, start_timeout=start_timeout,
            rehome_after=self._settings.reconnect.rehome_after, batch=self._settings.orderbook.batch_size,
            balance_share=pool.balance_share,
        )  # fmt: skip

    def _listeners(self, gatherer: Gatherer, health: HealthService) -> Iterator[ListeningService]:
        web, manhole = self._settings.web, self._settings.manhole
        parts = (gatherer.manager, gatherer.registry, gatherer.router, health.status)
        if web.listen:
            if is_remote(web.listen, "[web] listen"):
                self._log.warn(
                    "[web] listen = {listen}: other machines can reach the pages, which are read-only and need no "
                    "password; put a proxy with a password before them", listen=web.listen,
                )  # fmt: skip
            endpoint = serverFromString(self._reactor, web.listen)
            yield WebService(endpoint, gatherer.manager, health, self.events, self._reactor, time.time_ns)
        if manhole.listen:
            yield ManholeService(
                manhole.listen,
                manhole.authorized_keys_file,
                manhole.host_key_directory,
                lambda caller: Prompt(*parts, self._levels, self._reactor, time.time_ns, caller),
                self._reactor,
                manhole.allow_remote,
            )

    def _connection_maker(self, router: IMessageRouter) -> Callable[[Slot, IConnectionOwner], Connection]:
        dialing, context, own = self._dialing(), self._session_context(router), self._connection_settings()

        def make_connection(slot: Slot, owner: IConnectionOwner) -> Connection:
            return Connection(slot, owner, make_client, make_backoff, context, own)

        def make_client(listener: IWebSocketListener) -> WebSocketClient:
            return WebSocketClient(listener, dialing, self._redial_backoff())

        def make_backoff() -> Backoff:
            return Backoff(*COMMAND_PAUSE, self._random)

        return make_connection

    def _dialing(self) -> Dialing:
        exchange, pool = self._settings.exchange, self._settings.pool
        path = urlsplit(exchange.websocket_url).path or "/"

        def sign() -> dict[str, str]:
            return self._signer.headers("GET", path, time.time_ns() // 1_000_000)

        dialer = make_dialer(self._reactor, exchange.websocket_url, exchange.ca_file or None, pool.connect_timeout)
        return Dialing(
            exchange.websocket_url, dialer, SigningQueue(self._reactor, sign), self._pacer, self._reactor,
            time.time_ns, pool.connect_timeout, exchange.compression,
        )  # fmt: skip

    def _session_context(self, router: IMessageRouter) -> SessionContext:
        own = self._settings.orderbook
        commands = CommandSettings(own.command_timeout, own.use_yes_price)
        recover, ping_timeout = own.on_gap == "snapshot", self._settings.pool.ping_timeout
        return SessionContext(
            router, self._error_log, self._reactor, time.time_ns, commands, recover, ping_timeout, self._measurements
        )  # fmt: skip

    def _connection_settings(self) -> ConnectionSettings:
        pool, own = self._settings.pool, self._settings.orderbook
        return ConnectionSettings(
            pool.ping_timeout, self._settings.reconnect.healthy_after, own.batch_size, own.snapshot_deadline
        )

    def _redial_backoff(self) -> Backoff:
        own = self._settings.reconnect
        backoff = Backoff(own.initial_delay, own.max_delay, own.factor, own.jitter, self._random)
        self._backoffs.append(backoff)
        return backoff
