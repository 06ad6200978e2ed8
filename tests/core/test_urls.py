"""Base URLs: plain ones stay on this machine."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.urls import REST_SCHEMES, WEBSOCKET_SCHEMES, check_url, is_loopback
from gatherer.errors import ConfigError


class CheckUrlTests(SynchronousTestCase):
    """What `check_url` accepts and refuses."""

    def test_encrypted_anywhere_plain_only_here(self) -> None:
        """https and wss go anywhere; http and ws only to loopback names and addresses."""
        for host in ("external-api.kalshi.com", "localhost:1", "127.9.9.9:8000", "[::1]:8000", "demo.localhost"):
            check_url(f"https://{host}/trade-api/v2", REST_SCHEMES)
            check_url(f"wss://{host}/trade-api/ws/v2", WEBSOCKET_SCHEMES)
        for host in ("localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "demo.localhost"):
            check_url(f"http://{host}:8000/x", REST_SCHEMES)
        for host in ("kalshi.com", "10.0.0.1", "0.0.0.0", "[fe80::1]", "localhost.kalshi.com", "127.0.0.1.nip.io"):
            with self.assertRaises(ConfigError) as caught:
                check_url(f"ws://{host}/x", WEBSOCKET_SCHEMES, "websocket_url")
            self.assertIn("not encrypted", str(caught.exception))
            self.assertIn("websocket_url", str(caught.exception))

    def test_malformed(self) -> None:
        """A text that is not a base URL is refused with a cause, and never with another error."""
        for url in (
            "",
            "kalshi.com",
            "ftp://a/",
            "https://",
            "https:///x",
            "https://a:0/",
            "https://a:99999/",
            "https://a:b/",
            "https://[::1/",
            "https://u:p@a/",
            "https://u@a/",
            "https://a/?q=1",
            "https://a/#f",
            "https://a b/",
            "https://a/\n",
            "https://\u00e9.com/",
        ):
            with self.assertRaises(ConfigError):
                check_url(url, REST_SCHEMES)

    def test_loopback(self) -> None:
        """Only names and addresses of this machine count as loopback."""
        for host in ("localhost", "a.localhost", "127.0.0.1", "::1"):
            self.assertTrue(is_loopback(host))
        for host in ("", "localhost.com", "128.0.0.1", "::2", "127.1.example"):
            self.assertFalse(is_loopback(host))
