"""Tests for `gatherer.exchange.websocket.client`: dialling, waiting, giving up, stopping."""

from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.core.backoff import Backoff
from gatherer.errors import LocalProtocolError, RemoteProtocolError, UpgradeRefused
from gatherer.exchange.interfaces import IWebSocketClient
from tests.support.sockets import Rig


def refusal(status: str, body: bytes = b"", headers: bytes = b"") -> bytes:
    """An HTTP answer that is not an upgrade."""
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status.encode(), headers, len(body)) + body


class WebSocketClientTests(SynchronousTestCase):
    """One client on a clock. A timer that is left at the end is an error."""

    def setUp(self) -> None:
        self.rig = Rig()
        self.client = self.rig.client

    def stopped(self) -> None:
        """Stop, finish what stopping needs, and look for leftovers."""
        done = self.client.stop()
        self.rig.clock.pump([0, 3, 0])
        self.successResultOf(done)
        self.assertEqual(self.rig.clock.getDelayedCalls(), [])

    def fail_dial(self) -> float:
        """TCP is refused. Returns the seconds until the next dial."""
        connector = self.rig.connector
        self.client.clientConnectionFailed(connector, Failure(ConnectionRefusedError("no")))
        wait = self.client.next_dial_in()
        assert wait is not None
        self.rig.clock.advance(wait)
        self.rig.clock.advance(0)
        return round(wait, 6)

    def test_it_is_a_client(self) -> None:
        """The contract holds."""
        verifyObject(IWebSocketClient, self.client)

    def test_waits_double_up_to_the_cap(self) -> None:
        """The waits are 1, 2, 4 ... 300 seconds."""
        self.client.start()
        self.rig.clock.advance(0)
        self.assertEqual([self.fail_dial() for _ in range(10)], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300])
        self.assertEqual(self.rig.connector.dials, 11)
        self.stopped()

    def test_a_socket_that_opens_and_dies_does_not_reset_the_wait(self) -> None:
        """Only `healthy` does. Otherwise an exchange that cuts every new socket would be dialled once a second."""
        self.rig.open()
        waits = []
        for healthy in (False, False, True):
            if healthy:
                self.client.healthy()
            self.rig.connector.transport.lose(ConnectionResetError("cut"))
            self.rig.clock.advance(0)
            wait = self.client.next_dial_in()
            waits.append(wait)
            self.rig.clock.advance(wait or 0)
            self.rig.clock.advance(0)
            self.rig.upgrade()
        self.assertEqual(waits, [1, 2, 1])
        self.stopped()

    def test_jitter_stays_within_its_share(self) -> None:
        """The jitter changes the wait, not the base of the next wait."""
        rig = Rig(Backoff(1.0, 300.0, 2.0, 0.2, lambda: 1.0))
        rig.client.start()
        rig.clock.advance(0)
        waits = []
        for _ in range(3):
            rig.client.clientConnectionFailed(rig.connector, Failure(ConnectionRefusedError("no")))
            wait = rig.client.next_dial_in()
            assert wait is not None
            waits.append(round(wait, 6))
            rig.clock.advance(wait)
            rig.clock.advance(0)
        self.assertEqual(waits, [1.2, 2.4, 4.8])

    def test_a_refused_upgrade_lengthens_the_wait(self) -> None:
        """TCP comes up each time, but that does not reset the wait."""
        self.client.start()
        self.rig.clock.advance(0)
        waits = []
        for _ in range(3):
            self.rig.refuse(refusal("503 Service Unavailable"))
            wait = self.client.next_dial_in()
            waits.append(wait)
            self.rig.clock.advance(wait or 0)
            self.rig.clock.advance(0)
        self.assertEqual(waits, [1, 2, 4])
        self.stopped()

    def test_a_401_tells_status_body_and_clock_skew(self) -> None:
        """The skew is our clock minus the exchange's `Date`. The body may come in a later read."""
        self.client.start()
        self.rig.clock.advance(0)
        answer = refusal("401 Unauthorized", b'{"error":"no"}', b"Date: Fri, 15 Jan 2027 07:59:25 GMT\r\n")
        protocol = self.rig.connector.accept()
        protocol.dataReceived(answer[:-5])
        self.assertEqual(self.client.state, "dialing")
        protocol.dataReceived(answer[-5:])
        self.rig.clock.advance(0)
        error = self.rig.listener.calls[-1][1]
        assert isinstance(error, UpgradeRefused)
        self.assertEqual((error.status, error.body, error.clock_skew), (401, '{"error":"no"}', 35.0))
        self.assertIn("+35.0 s", str(error))
        self.stopped()

    def test_the_skew_is_told_before_a_long_body(self) -> None:
        """A log line is cut at some length, and the skew must survive a page of HTML: it explains a 401."""
        self.assertIn("+35.0 s", str(UpgradeRefused(401, "x" * 4000, 35.0))[:100])

    def test_a_refusal_cut_short_is_still_told(self) -> None:
        """The exchange announces a body and closes. The status is reported nonetheless."""
        self.client.start()
        self.rig.clock.advance(0)
        self.rig.connector.accept().dataReceived(refusal("403 Forbidden", b"0123456789")[:-4])
        self.rig.connector.transport.lose(ConnectionResetError("cut"))
        self.rig.clock.advance(0)
        error = self.rig.listener.calls[-1][1]
        self.assertEqual((error.status, error.body), (403, "012345"))
        self.stopped()

    def test_each_dial_is_signed_anew(self) -> None:
        """The signature is made when TCP is up, not when the wait began."""
        protocol = self.rig.open()
        self.rig.connector.transport.lose(ConnectionResetError("cut"))
        self.rig.clock.pump([0, 1, 0])
        again = self.rig.connector.accept()
        self.assertIn(b"KALSHI-ACCESS-KEY: signature 1", protocol.http_request_data)
        self.assertIn(b"KALSHI-ACCESS-KEY: signature 2", again.http_request_data)
        self.assertIn(b"GET /trade-api/ws/v2 HTTP/1.1", again.http_request_data)
        self.stopped()

    def test_an_upgrade_that_hangs_is_given_up(self) -> None:
        """The deadline covers TCP, TLS and the upgrade."""
        self.client.start()
        self.rig.clock.advance(0)
        self.rig.connector.accept()
        self.rig.clock.pump([10, 0])
        self.assertIn("not open within 10.0 s", str(self.rig.listener.calls[-1][1]))
        self.assertEqual(self.client.state, "backoff")
        self.stopped()

    def test_a_dial_that_hangs_is_given_up(self) -> None:
        """The deadline also holds before TCP is up."""
        self.client.start()
        self.rig.clock.pump([0, 10])
        self.assertEqual((self.rig.connector.stopped, self.client.state), (1, "backoff"))
        self.stopped()

    def test_a_429_slows_every_dial(self) -> None:
        """The pace of the whole pool halves. An upgrade that succeeds restores it."""
        self.client.start()
        self.rig.clock.advance(0)
        self.rig.refuse(refusal("429 Too Many Requests"))
        self.assertEqual(self.rig.pacer.interval, 0.2)
        self.rig.clock.pump([1, 0])
        self.rig.upgrade()
        self.assertEqual(self.rig.pacer.interval, 0.1)
        self.stopped()

    def test_abort_cuts_and_redials(self) -> None:
        """There is no closing handshake: the other end is presumed dead."""
        self.rig.open()
        self.client.abort(RemoteProtocolError("no ping for 30 s"))
        self.rig.clock.advance(0)
        error = self.rig.listener.calls[-1][1]
        assert isinstance(error, RemoteProtocolError)
        self.assertIn("no ping", str(error))
        self.assertEqual(self.client.state, "backoff")
        self.stopped()

    def test_send_needs_an_open_socket(self) -> None:
        """It is our bug, and the error says so."""
        self.assertRaises(LocalProtocolError, self.client.send, b"{}")

    def test_a_closing_socket_takes_no_commands(self) -> None:
        """A command that comes during the closing handshake is dropped without an error, whichever side began it."""
        self.rig.open()
        done = self.client.stop()
        sent = self.rig.connector.transport.value()
        self.client.send(b"{}")
        self.assertEqual(self.rig.connector.transport.value(), sent)
        self.rig.clock.pump([0, 3, 0])
        self.successResultOf(done)
        rig = Rig()
        protocol = rig.open()
        protocol.dataReceived(b"\x88\x02\x03\xe9")  # a close frame with code 1001
        rig.client.send(b"{}")
        self.assertFalse(rig.listener.calls[-1][0] == "closed")
        rig.clock.pump([0, 3, 0])
        self.assertEqual(rig.listener.calls[-1][0], "closed")
        rig.client.stop()

    def test_stopping_an_open_socket_says_goodbye(self) -> None:
        """The close code is 1000. An exchange that does not answer is cut after a while."""
        self.rig.open()
        self.rig.connector.transport.clear()
        done = self.client.stop()
        sent = self.rig.connector.transport.value()
        self.assertEqual(sent[0], 0x88)
        self.assertEqual(bytes(b ^ sent[2 + i % 4] for i, b in enumerate(sent[6:8])), (1000).to_bytes(2, "big"))
        self.assertNoResult(done)
        self.stopped()
        self.successResultOf(done)
        self.assertEqual(self.client.state, "stopped")

    def test_stopping_in_every_phase_leaves_nothing(self) -> None:
        """It works when idle, queued, dialling, upgrading or waiting, and a second time."""
        self.stopped()
        for steps in range(4):
            self.rig = Rig()
            self.client = self.rig.client
            self.client.start()
            if steps >= 1:
                self.rig.clock.advance(0)
            if steps >= 2:
                self.rig.connector.accept()
            if steps >= 3:
                self.rig.connector.transport.lose(ConnectionResetError("cut"))
                self.rig.clock.advance(0)
            self.stopped()
            self.stopped()

    def test_nothing_dials_after_a_stop(self) -> None:
        """After a day there is still only one dial."""
        self.rig.open()
        self.stopped()
        self.rig.clock.advance(86_400)
        self.assertEqual(self.rig.connector.dials, 1)
