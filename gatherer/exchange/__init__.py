"""The shell towards the exchange: signatures, sockets, sessions and REST.

Messages come from the exchange and go to the router. Wanted markets come from the pool. Decisions are made in `core`;
here they are carried out. Importing this package does not import `websocket`: autobahn installs a reactor when it is
imported. `rest` and `websocket` have their own public names.
"""

from gatherer.exchange.auth import CurrentSigner, Signer, SigningQueue, load_signer
from gatherer.exchange.connection import Connection
from gatherer.exchange.context import CommandSettings, ConnectionSettings, SessionContext
from gatherer.exchange.error_log import ErrorLog

__all__ = [
    "CommandSettings", "Connection", "ConnectionSettings", "CurrentSigner", "ErrorLog", "SessionContext", "Signer",
    "SigningQueue", "load_signer",
]  # fmt: skip
