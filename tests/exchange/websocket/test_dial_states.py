"""Tests for the states of `gatherer.exchange.websocket.client`: any inputs, in any order."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import RemoteProtocolError
from gatherer.exchange.websocket.client import NEXT_STATES, DialState
from tests.support.sockets import FakeConnector, Rig, acceptance

REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
INPUTS = ("start", "stop", "abort", "healthy", "proceed", "proceed", "refuse", "lose", "fail", "wait", "wait long")
"""`proceed` is TCP coming up, or the upgrade on it. It is there twice, so that sockets often open."""


class Network:
    """What can happen to one client. An event that is impossible now, such as an upgrade without TCP, does nothing."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.client = self.rig.client
        self.stops: list[Deferred[None]] = []

    def happen(self, event: str) -> None:
        """One call of the client's owner, or one event of the network."""
        match event:
            case "start":
                self.client.start()
            case "stop":
                self.stops.append(self.client.stop())
            case "abort":
                self.client.abort(RemoteProtocolError("cut"))
            case "healthy":
                self.client.healthy()
            case "wait":
                self.rig.clock.advance(0)
            case "wait long":
                self.rig.clock.pump([12.0, 0])
            case _ if self.rig.connectors:
                self._network(event, self.rig.connector)

    def _network(self, event: str, connector: FakeConnector) -> None:
        socket, is_dialing = self.client._socket, self.client.state == "dialing"
        if socket is None and is_dialing and event == "proceed":
            connector.accept()
        elif socket is None and is_dialing and event == "fail":
            self.client.clientConnectionFailed(connector, Failure(ConnectionRefusedError("no")))
        elif socket is None or connector.transport.lost:
            return
        elif is_dialing and event == "proceed":
            socket.dataReceived(acceptance(socket))
        elif is_dialing and event == "refuse":
            socket.dataReceived(REFUSAL)
        elif event == "lose":
            connector.transport.lose(ConnectionResetError("lost"))


class DialStateTests(SynchronousTestCase):
    """The client answers every input in every state."""

    def test_every_state_has_its_followers(self) -> None:
        """The table names every state, and nothing but another stop follows a stop."""
        self.assertEqual(set(NEXT_STATES), set(DialState))
        self.assertEqual(NEXT_STATES[DialState.STOPPED], {DialState.STOPPED})

    @given(st.lists(st.sampled_from(INPUTS), min_size=5, max_size=40))
    def test_any_inputs_in_any_order(self, events: list[str]) -> None:
        """Each `opened` has its `closed`, an open client says so, and a stop leaves no socket and no timer."""
        network = Network()
        for event in ("start", "wait", *events):
            network.happen(event)
            calls = [call[0] for call in network.rig.listener.calls]
            self.assertNotIn("opened opened", " ".join(calls))
            self.assertEqual(network.client.is_open, calls[-1:] == ["opened"])
            self.assertEqual(network.client.next_dial_in() is not None, network.client.state == "backoff")
        self.assertEqual(network.client.internal_errors, 0)
        network.happen("stop")
        dials = network.rig.connector.dials if network.rig.connectors else 0
        network.rig.clock.pump([0, 12.0, 0])
        self.assertEqual(network.client.state, "stopped")
        for stop in network.stops:
            self.successResultOf(stop)
        network.happen("start")
        network.rig.clock.pump([0, 400.0, 0])
        self.assertEqual(network.rig.clock.getDelayedCalls(), [])
        self.assertEqual(network.rig.connector.dials if network.rig.connectors else 0, dials)
