"""TLS between TCP and the WebSocket: the trusted authorities, the records of one connection, and the transport.

Ciphertext comes from TCP, and the plaintext of one socket read goes up in one call. Nothing here knows what the
plaintext means. REST uses Twisted's own TLS, and from here only the trusted authorities.
"""

from gatherer.exchange.tls.records import TlsClient
from gatherer.exchange.tls.transport import SecureFactory, SecureTransport
from gatherer.exchange.tls.trust import trust_root

__all__ = ["SecureFactory", "SecureTransport", "TlsClient", "trust_root"]
