"""A Python prompt inside the running service, over SSH. Public keys only, this machine only, off by default.

Whoever gets in can do everything gatherer can; what is typed runs in the reactor thread.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.conch.checkers import SSHPublicKeyChecker
from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.interfaces import IConchUser
from twisted.conch.manhole import ColoredManhole
from twisted.conch.manhole_ssh import ConchFactory, TerminalRealm, TerminalSession
from twisted.cred.portal import Portal
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from gatherer.ops.hostkey import AuthorizedKeysFile, host_key
from gatherer.ops.listening import ListeningService
from gatherer.settings.endpoints import require_loopback

MOST_CONNECTIONS = 10


class ManholeService(ListeningService):
    """Listens for SSH. `namespace` is what the prompt knows; each session has its own copy of the dict."""

    def __init__(
        self,
        endpoint: str,
        authorized_keys_file: str | Path,
        host_key_directory: str | Path,
        namespace: Mapping[str, Any],
        reactor: Any,
    ) -> None:
        """ConfigError for an endpoint string that is none, or one that other machines could reach."""
        require_loopback(endpoint, "[manhole] listen")
        keys = AuthorizedKeysFile(Path(authorized_keys_file))
        directory = Path(host_key_directory)

        def make_factory() -> IProtocolFactory:
            keys.check()
            return make_ssh_factory(keys, directory, namespace)

        super().__init__(serverFromString(reactor, endpoint), "manhole", MOST_CONNECTIONS, make_factory)
        self.setName("manhole")


class PromptSession(TerminalSession):
    """Conch's, with what it leaves out: no terminal asked for, window resized, end of input."""

    _log = Logger()
    width, height = 80, 24
    _shell: ServerProtocol | None = None

    def openShell(self, proto: Any) -> None:
        """Give the prompt."""
        self._log.warn("manhole session from {peer}", peer=str(proto.session.conn.transport.getPeer()))
        self._shell = shell = self.chainedProtocolFactory()
        self.transportFactory(proto, shell, IConchUser(self.original), self.width, self.height)

    def windowChanged(self, newWindowSize: tuple[int, int, int, int]) -> None:
        """The user's window has so many rows and columns now."""
        self.height, self.width = newWindowSize[:2]
        if self._shell is not None and self._shell.terminalProtocol is not None:
            self._shell.terminalProtocol.terminalSize(self.width, self.height)

    def eofReceived(self) -> None:
        """Nothing more will be typed."""
        if self._shell is not None:
            self._shell.loseConnection()


def make_ssh_factory(keys: AuthorizedKeysFile, directory: Path, namespace: Mapping[str, Any]) -> IProtocolFactory:
    """The SSH server. The portal has the public-key checker alone, so a password is never even offered."""
    realm: Any = TerminalRealm()
    realm.sessionFactory = PromptSession
    realm.chainedProtocolFactory = lambda: ServerProtocol(ColoredManhole, dict(namespace))
    factory: Any = ConchFactory(Portal(realm, [SSHPublicKeyChecker(keys)]))
    key = host_key(directory)
    factory.publicKeys = {key.sshType(): key.public()}
    factory.privateKeys = {key.sshType(): key}
    factory.noisy = False
    server: IProtocolFactory = factory
    return server
