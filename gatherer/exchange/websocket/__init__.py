"""One WebSocket to the exchange: when to dial, how to connect, and how a socket read becomes messages.

Bytes come from TCP or TLS, and all messages of one read go to an `IWebSocketListener` in one call. Nothing here knows
what a message means. Autobahn installs a reactor when it is imported, and only this package may import it.
"""

from gatherer.exchange.websocket.client import WebSocketClient
from gatherer.exchange.websocket.dialing import Dialing, DialPacer, make_dialer
from gatherer.exchange.websocket.protocol import ExchangeProtocol

__all__ = ["DialPacer", "Dialing", "ExchangeProtocol", "WebSocketClient", "make_dialer"]
