"""The errors of gatherer, sorted by whose fault they are. Facts are attributes; a docstring explains to operators."""


class GathererError(Exception):
    """The base class of all errors that gatherer raises on purpose."""


class LocalProtocolError(GathererError):
    """gatherer broke a rule of the protocol. This is a bug; please report it."""


class RemoteProtocolError(GathererError):
    """The exchange sent something that its own documentation does not allow."""


class CommandRejected(GathererError):
    """The exchange answered a command with an error (protocol section 3, "Errors")."""

    def __init__(self, code: int, text: str, sid: int | None = None) -> None:
        super().__init__(f"code {code}: {text}")
        self.code = code
        self.text = text
        self.sid = sid


class CommandTimeout(GathererError):
    """No reply came in time. The command may or may not have taken effect."""

    def __init__(self, command_id: int, seconds: float) -> None:
        super().__init__(f"no reply to command {command_id} within {seconds:.1f} s")
        self.command_id = command_id
        self.seconds = seconds


class SessionLost(GathererError):
    """The socket of the command is closed, and its state is lost."""


class UpgradeRefused(GathererError):
    """The exchange answered the WebSocket upgrade with an HTTP error."""

    def __init__(self, status: int, body: str, clock_skew: float | None = None) -> None:
        skew = "" if clock_skew is None else f" (our clock is {clock_skew:+.1f} s from the exchange's)"
        super().__init__(f"upgrade refused with HTTP {status}{skew}: {body or 'empty body'}")
        self.status = status
        self.body = body
        self.clock_skew = clock_skew


class TlsError(GathererError):
    """There is no secure connection to the exchange. Its certificate was refused, or the encrypted stream was damaged,
    cut short or of a kind that we refuse. A certificate of your own authority needs `[exchange] ca_file`."""


class NoCapacity(GathererError):
    """No live connection has room for another market."""


class RestError(GathererError):
    """A REST request failed finally. `status` is None if there was no response."""

    def __init__(self, endpoint: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{endpoint}: {reason}")
        self.endpoint = endpoint
        self.reason = reason
        self.status = status


class StartupFailed(GathererError):
    """Too few connections came up in time; the service ends."""


class CaptureIncomplete(GathererError):
    """The router was closed, and not all that it had taken over is safe on disk. The text says what is not, and why."""


class ConfigError(GathererError):
    """A setting is wrong; the text names the file, the table and the key."""


class AdminError(GathererError):
    """An operator asked for something wrong or impossible; the text is the answer."""


class CutByOperator(GathererError):
    """An operator closed the socket."""
