"""Tests for `gatherer.app.service`: the order of starting and stopping."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer, provider
from zope.interface.verify import verifyObject

from gatherer.app.service import STATUS_SECONDS, Gatherer
from gatherer.errors import CaptureIncomplete, ConfigError, RestError, StartupFailed
from gatherer.interfaces import (
    IConnectionManager,
    IExchangeRest,
    IMarketChangeListener,
    IMarketRegistry,
    IMessageRouter,
    PoolStatus,
    RegistryStatus,
    RouterStatus,
)
from gatherer.ops.listener import ListeningService
from gatherer.values import ExchangeStatus, Marker, MarketChange, RawMessage
from tests.ops.support import StubManager, StubRegistry, StubRouter


class Events(list[str]):
    """What happened, in order."""


@implementer(IMessageRouter)
class FakeRouter:
    """Says when it is started and closed."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def start(self) -> None:
        self._events.append("router open")

    def deliver(self, batch: list[RawMessage]) -> int:
        """Nowhere."""
        return 0

    def mark(self, marker: Marker) -> int:
        """Nowhere."""
        return 0

    def backlog(self) -> int:
        return 0

    def status(self) -> RouterStatus:
        return StubRouter().status()

    def close(self) -> Deferred[None]:
        self._events.append("router closed")
        return succeed(None)


@implementer(IExchangeRest)
class FakeRest:
    """Answers when the test says so."""

    def __init__(self, events: Events) -> None:
        self.errors: Any = {}
        self.answer: Deferred[ExchangeStatus] = Deferred()
        self._events = events

    async def exchange_status(self) -> ExchangeStatus:
        return await self.answer

    def markets(self, status: Any = None, multivariate: Any = "exclude", tickers: Any = None) -> Any:
        return iter(())

    async def market(self, ticker: str) -> None:
        return None

    def close(self) -> Deferred[None]:
        self._events.append("rest closed")
        return succeed(None)


@implementer(IConnectionManager, IMarketChangeListener)
class FakeManager(Service):
    """Becomes ready when the test says so."""

    admin: Any = None

    def __init__(self, events: Events) -> None:
        self.ready: Deferred[None] = Deferred()
        self._events = events

    def startService(self) -> None:
        super().startService()
        self._events.append("dialling")

    def stopService(self) -> None:
        super().stopService()
        self._events.append("sockets closed")

    def when_ready(self) -> Deferred[None]:
        return self.ready

    def connections(self) -> list[Any]:
        return []

    def markets_changed(self, changes: Sequence[MarketChange]) -> None:
        """None comes."""

    def carries(self, ticker: str) -> bool:
        return False

    def carried(self) -> Iterator[str]:
        return iter(())

    def status(self) -> PoolStatus:
        return StubManager().status()

    def explain(self, ticker: str) -> dict[str, Any]:
        return {}


@implementer(IMarketRegistry)
class FakeRegistry:
    """Walks at once."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def start(self, listener: Any) -> Deferred[int]:
        self._events.append("walk")
        return succeed(7)

    def stop(self) -> Deferred[None]:
        self._events.append("no more changes")
        return succeed(None)

    def lifecycle_messages(self, batch: list[bytes]) -> None:
        """Nobody sends any."""

    def lifecycle_missed(self) -> None:
        """Nobody misses any."""

    def clock_stepped(self) -> None:
        """Nothing follows."""

    def market_missed(self, ticker: str) -> None:
        """Nobody misses one."""

    def active(self) -> frozenset[str]:
        return frozenset()

    def describe(self, ticker: str) -> None:
        return None

    def status(self) -> RegistryStatus:
        return StubRegistry().status()


class GathererTests(SynchronousTestCase):
    """Fakes around the real order."""

    def setUp(self) -> None:
        self.events, self.clock, self.failures = Events(), Clock(), list[str]()
        self.router, self.rest = FakeRouter(self.events), FakeRest(self.events)
        self.manager, self.registry = FakeManager(self.events), FakeRegistry(self.events)
        self.gatherer = Gatherer(self.router, self.rest, self.manager, self.registry, self.clock, self.failures.append)

    def test_the_fakes_keep_the_contracts(self) -> None:
        """Or this test would prove nothing."""
        verifyObject(IMessageRouter, self.router)
        verifyObject(IExchangeRest, self.rest)
        verifyObject(IConnectionManager, self.manager)
        verifyObject(IMarketRegistry, self.registry)

    def test_order_of_start_and_stop(self) -> None:
        """Router, status, dials, walk; then no more changes, sockets, router last."""
        self.gatherer.startService()
        self.assertEqual(self.events, ["router open"])
        self.rest.answer.callback(ExchangeStatus(True, False))
        self.assertEqual(self.events[1:], ["dialling"])
        self.manager.ready.callback(None)
        self.assertEqual(self.events[2:], ["walk"])
        self.successResultOf(self.gatherer.stopService())
        self.assertEqual(self.events[3:], ["no more changes", "sockets closed", "rest closed", "router closed"])
        self.assertEqual((self.clock.getDelayedCalls(), self.failures), ([], []))

    def test_a_capture_that_is_not_complete_is_a_failure(self) -> None:
        """The stop ends all the same, and the program learns what is missing."""
        self.gatherer.startService()
        self.patch(self.router, "close", lambda: fail(CaptureIncomplete("9 messages could not be written")))
        self.successResultOf(self.gatherer.stopService())
        (failure,) = self.failures
        self.assertIn("not complete on disk: 9 messages could not be written", failure)

    def test_a_stop_after_drops_does_not_look_complete(self) -> None:
        """The last line has their number."""
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.gatherer.startService()
        status = msgspec.structs.replace(self.router.status(), dropped=7, dropped_markers=1)
        self.patch(self.router, "status", lambda: status)
        self.successResultOf(self.gatherer.stopService())
        self.assertIn("but 8 records were dropped", lines[-1])
        self.assertEqual(self.failures, [])

    def test_a_silent_rest_side_does_not_hold_up_the_dials(self) -> None:
        """Neither does one that answers with an error."""
        self.gatherer.startService()
        self.clock.advance(STATUS_SECONDS)
        self.assertIn("dialling", self.events)
        self.setUp()
        self.gatherer.startService()
        self.rest.answer.errback(RestError("/exchange/status", "HTTP 503", 503))
        self.assertIn("dialling", self.events)

    def test_too_few_connections_are_told_once(self) -> None:
        """In one line, to who can end the program."""
        self.gatherer.startService()
        self.rest.answer.callback(ExchangeStatus(True, True))
        self.manager.ready.errback(StartupFailed("3 of 150 connections live"))
        self.assertEqual(self.failures, ["giving up: 3 of 150 connections live"])
        self.assertNotIn("walk", self.events)

    def test_a_stop_while_starting_is_no_failure(self) -> None:
        """At any point of the start."""
        for steps in range(3):
            self.setUp()
            self.gatherer.startService()
            if steps >= 1:
                self.rest.answer.callback(ExchangeStatus(True, True))
            self.successResultOf(self.gatherer.stopService())
            self.assertEqual((self.events[-1], self.failures, self.clock.getDelayedCalls()), ("router closed", [], []))

    def test_a_port_that_cannot_be_had_ends_the_start(self) -> None:
        """The error names the table; nothing was dialled."""

        class Refusing(ListeningService):
            """Cannot listen."""

            def __init__(self) -> None:
                Service.setName(self, "web")

            def startService(self) -> None:
                Service.startService(self)

            def when_listening(self) -> Any:
                from twisted.internet.defer import fail

                return fail(ConfigError("[web] listen: port in use"))

        self.gatherer.add_listener(Refusing())
        self.assertRaises(ConfigError, self.gatherer.startService)
        self.assertEqual(self.events, ["router open"])
