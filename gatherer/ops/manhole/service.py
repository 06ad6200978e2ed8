"""A prompt inside the running service, over SSH. Public keys only, off by default, this machine only by default.

A user can do everything that gatherer can; what they type runs in the reactor thread.
`Any` stands for objects of conch, which has no types.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.conch.checkers import SSHPublicKeyChecker
from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.interfaces import IConchUser
from twisted.conch.manhole_ssh import ConchFactory, TerminalRealm, TerminalSession, TerminalUser
from twisted.conch.ssh.keys import FingerprintFormats, Key
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.cred.portal import Portal
from twisted.internet.address import UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.config.endpoints import is_local, require_local
from gatherer.ops.listener import ListeningService
from gatherer.ops.manhole.commands import Caller, Prompt
from gatherer.ops.manhole.interpreter import Terminal
from gatherer.ops.manhole.script import Script
from gatherer.ops.manhole.ssh_keys import AuthorizedKeysFile, host_key
from gatherer.text import one_line

MAX_CONNECTIONS = 10
LOGIN_SECONDS = 30.0
"""Time to log in: idle connections must not keep the operators out."""
GREETING = "gatherer manhole. help() lists the commands, TAB completes, Ctrl-D ends."

MakePrompt = Callable[[Caller], Prompt]


class ManholeService(ListeningService):
    """Listens for SSH. `make_prompt` is called for each session."""

    def __init__(
        self, endpoint: str, authorized_keys_file: str | Path, host_key_directory: str | Path, make_prompt: MakePrompt,
        reactor: Any, allow_remote: bool = False,
    ) -> None:  # fmt: skip
        """ConfigError for an endpoint string that is none, or one that other machines could reach."""
        if not allow_remote:
            require_local(endpoint, "[manhole] listen")
        self._address = endpoint
        keys = AuthorizedKeysFile(Path(authorized_keys_file))
        directory = Path(host_key_directory)

        def make_factory() -> IProtocolFactory:
            keys.check()
            return make_ssh_factory(keys, directory, make_prompt, reactor)

        super().__init__(serverFromString(reactor, endpoint), "manhole", MAX_CONNECTIONS, make_factory)
        self.setName("manhole")

    def startService(self) -> None:
        """Listen, and log a warning if other machines can connect."""
        super().startService()
        if not is_local(self._address, "[manhole] listen"):
            self._log.warn(
                "[manhole] allow_remote: other machines can reach {endpoint}; a user with one of the keys can do "
                "everything that gatherer can", endpoint=self._address,
            )  # fmt: skip


class LoginTransport(SSHServerTransport):
    """Cuts clients that do not log in, and does not log a client's goodbye as an error."""

    _deadline: IDelayedCall | None = None

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self._log = Logger("twisted.conch.ssh.transport")  # otherwise Twisted's lines would have our name
        self._clock = clock

    def connectionMade(self) -> None:
        """A client connected."""
        super().connectionMade()
        self._deadline = self._clock.callLater(LOGIN_SECONDS, self._too_late)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The client is gone."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        super().connectionLost(reason)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        """The client says why it disconnects, mostly because its user wants to. Twisted logs that as an error."""
        self._log.debug("the client goes: {code}, {description}", code=reasonCode, description=description)

    def _too_late(self) -> None:
        transport: Any = self.transport
        if getattr(self, "avatar", None) is None:
            transport.abortConnection()


class KeyChecker(SSHPublicKeyChecker):
    """Twisted's, and a line in the log for each login: the user's name is only claimed, the key is proved."""

    _log = Logger()

    def _verifyKey(self, pubKey: Key, credentials: Any) -> bytes:
        user: bytes = super()._verifyKey(pubKey, credentials)
        fingerprint = pubKey.fingerprint(FingerprintFormats.SHA256_BASE64).rstrip("=")
        self._log.info(
            "manhole: {user} logged in with key SHA256:{fingerprint}", user=_name(user), fingerprint=fingerprint
        )
        return user


class PromptUser(TerminalUser):
    """Twisted's, and it knows its name."""

    def __init__(self, original: Any, avatarId: bytes) -> None:
        super().__init__(original, avatarId)
        self.name = _name(avatarId)


class PromptSession(TerminalSession):
    """Conch's, with what it leaves out: commands without a terminal, a window that changes its size, end of input."""

    width, height = 80, 24
    _has_terminal = False
    _shell: ServerProtocol | None = None
    _script: Script | None = None

    def __init__(self, make_prompt: MakePrompt, original: Any) -> None:
        super().__init__(original)
        self._make_prompt = make_prompt

    def getPty(self, term: bytes, windowSize: tuple[int, int, int, int], attrs: Any) -> None:
        """There is a terminal."""
        super().getPty(term, windowSize, attrs)
        self._has_terminal = True

    def openShell(self, proto: Any) -> None:
        """Give the prompt; without a terminal what comes until the end of input is a script."""
        if not self._has_terminal:
            self._script = Script(proto, partial(self._prompt, proto))
            return
        prompt = self._prompt(proto, self._say)
        terminal = partial(Terminal, prompt.namespace(), prompt.tickers, GREETING, partial(_all_is_well, proto))
        self._shell = shell = ServerProtocol(terminal)
        self.transportFactory(proto, shell, IConchUser(self.original), self.width, self.height)

    def execCommand(self, proto: Any, cmd: bytes) -> None:
        """`ssh host 'status()'`: run it, show the answer, end with status 0 or 1."""
        self._script = Script(proto, partial(self._prompt, proto))
        self._script.run(cmd)

    def windowChanged(self, newWindowSize: tuple[int, int, int, int]) -> None:
        """The user's window has so many rows and columns now."""
        self.height, self.width = newWindowSize[:2]
        if self._shell is not None and self._shell.terminalProtocol is not None:
            self._shell.terminalProtocol.terminalSize(self.width, self.height)

    def eofReceived(self) -> None:
        """Nothing more will be typed."""
        if self._shell is not None:
            self._shell.loseConnection()
        elif self._script is not None:
            self._script.end_of_input()

    def closed(self) -> None:
        """The user is gone."""
        if self._script is not None:
            self._script.cancel()

    def _prompt(self, proto: Any, say: Callable[[str], None]) -> Prompt:
        return self._make_prompt(Caller(self._by(proto), say, lambda: self.width if self._has_terminal else None))

    def _by(self, proto: Any) -> str:
        user: Any = IConchUser(self.original)
        peer = proto.session.conn.transport.getPeer().address
        where = "this machine" if isinstance(peer, UNIXAddress) else f"{peer.host}:{peer.port}"
        return f"manhole user {user.name} from {where}"

    def _say(self, text: str) -> None:
        if self._shell is not None and self._shell.terminalProtocol is not None:
            self._shell.terminalProtocol.addOutput(text + "\n", True)


def make_ssh_factory(
    keys: AuthorizedKeysFile, directory: Path, make_prompt: MakePrompt, clock: Any
) -> IProtocolFactory:
    """The SSH server. The portal has the public-key checker alone, so a password is never even offered."""
    realm: Any = TerminalRealm()
    realm.userFactory = PromptUser
    realm.sessionFactory = partial(PromptSession, make_prompt)
    factory: Any = ConchFactory(Portal(realm, [KeyChecker(keys)]))
    key = host_key(directory)
    factory.protocol = partial(LoginTransport, clock)
    factory.publicKeys = {key.sshType(): key.public()}
    factory.privateKeys = {key.sshType(): key}
    factory.noisy = False
    server: IProtocolFactory = factory
    return server


def _all_is_well(proto: Any) -> None:
    """Report a normal end to the ssh client: otherwise it exits with 255."""
    proto.session.conn.sendRequest(proto.session, b"exit-status", (0).to_bytes(4, "big"))


def _name(user: bytes) -> str:
    return one_line(user.decode("utf-8", "replace"), 40)
