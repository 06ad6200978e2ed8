"""The service without sockets: it listens on both endpoints or none, and takes the time from its clock."""

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gatherer.errors import GathererError
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.fault_options import parse_fault
from gatherer.simulator.service import SimulatorService
from tests.simulator.rig import NOW, Client


@implementer(IListeningPort)
class FakePort:
    """Does not listen."""

    def __init__(self) -> None:
        self.open = True

    def startListening(self) -> None:
        """Nothing to do."""

    def stopListening(self) -> Deferred[None]:
        """Done at once."""
        self.open = False
        return succeed(None)

    def getHost(self) -> UNIXAddress:
        """A made-up address."""
        return UNIXAddress(None)


@implementer(IStreamServerEndpoint)
class FakeEndpoint:
    """Fires with a port, fails, or does not fire."""

    def __init__(self, outcome: Deferred[Any]) -> None:
        self._outcome = outcome

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """The outcome that the test chose."""
        return self._outcome


class ServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.exchange = Exchange(markets=10, now=NOW, clock=self.clock)
        self.ports = [FakePort(), FakePort()]

    def service(self, outcomes: list[Deferred[Any]] | None = None, **settings: Any) -> SimulatorService:
        endpoints = [FakeEndpoint(outcome) for outcome in outcomes or map(succeed, self.ports)]
        websocket, rest = endpoints
        return SimulatorService(self.clock, self.exchange, websocket, rest, {}, **settings)

    def test_fakes_are_faithful(self) -> None:
        """They provide the interfaces that they replace."""
        verifyObject(IListeningPort, FakePort())
        verifyObject(IStreamServerEndpoint, FakeEndpoint(succeed(None)))

    def test_start_and_stop_leave_nothing(self) -> None:
        """Ports are closed and no timer is left. when_listening also fires for late callers."""
        service = self.service(rate=5.0, faults=[parse_fault("cut=1@60"), parse_fault("cut=1@every:60")])
        early = service.when_listening()
        service.startService()
        self.assertEqual((self.successResultOf(early), self.successResultOf(service.when_listening())), ((0, 0),) * 2)
        self.clock.advance(1)
        self.successResultOf(service.stopService())
        self.assertEqual(([port.open for port in self.ports], self.clock.getDelayedCalls()), ([False, False], []))

    def test_second_listener_fails_first_is_closed(self) -> None:
        """No port stays open, and the error is logged."""
        service = self.service([succeed(self.ports[0]), fail(GathererError("port in use"))])
        service.startService()
        self.assertEqual(str(self.failureResultOf(service.when_listening()).value), "port in use")
        self.assertEqual((self.ports[0].open, self.clock.getDelayedCalls()), (False, []))
        self.successResultOf(service.stopService())

    def test_stopped_while_starting(self) -> None:
        """A port that comes after the stop is closed."""
        late: Deferred[Any] = Deferred()
        service = self.service([succeed(self.ports[0]), late])
        service.startService()
        self.successResultOf(service.stopService())
        late.callback(self.ports[1])
        self.assertEqual(([port.open for port in self.ports], self.clock.getDelayedCalls()), ([False, False], []))

    def test_rate_is_kept_whatever_the_ticks(self) -> None:
        """150 events a second over uneven ticks; after a delay of a minute only a second is made up for."""
        counted: list[int] = []
        self.exchange.emit = lambda count: counted.append(count) or 0  # type: ignore[method-assign, func-returns-value]
        service = self.service(rate=150.0)
        service.startService()
        self.clock.pump([0.02, 0.05, 0.13, 0.3, 0.5])
        self.assertEqual(sum(counted), 150)
        self.clock.advance(60)
        self.assertEqual(sum(counted), 300)
        self.successResultOf(service.stopService())

    def test_time_reaches_the_exchange(self) -> None:
        """Markets open and close by the clock of the service."""
        ticker = self.exchange.create_market(open_in=1, close_in=2)
        service = self.service()
        service.startService()
        found = []
        for _ in range(2):
            self.clock.pump([0.02] * 51)
            found.append(str(self.exchange.market(ticker).status))
        self.assertEqual(found, ["active", "closed"])
        self.successResultOf(service.stopService())

    def test_timed_faults(self) -> None:
        """Once after 2 s; repeated every 3 s."""
        service = self.service(faults=[parse_fault("cut=1@2"), parse_fault("cut=2@every:3")])
        for _ in range(9):
            Client(self.exchange)
        service.startService()
        left = []
        for _ in range(7):
            self.clock.advance(1)
            left.append(len(self.exchange.sessions))
        self.assertEqual(left, [9, 8, 6, 6, 6, 4, 4])
        self.successResultOf(service.stopService())
