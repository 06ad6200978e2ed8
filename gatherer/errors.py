"""Every error of ours, sorted by whose fault it is."""


class GathererError(Exception):
    """Root of all errors gatherer raises on purpose."""


class LocalProtocolError(GathererError):
    """We broke a rule of the protocol: a bug of ours, please report it."""


class RemoteProtocolError(GathererError):
    """The exchange sent something its own documentation does not allow."""


class CommandRejected(GathererError):
    """The exchange answered a command with an error (protocol section 3, "Errors")."""

    def __init__(self, code: int, text: str, sid: int | None = None) -> None:
        super().__init__(f"code {code}: {text}")
        self.code = code
        self.text = text
        self.sid = sid


class CommandTimeout(GathererError):
    """No reply came in time. Whether the command took effect is not known."""

    def __init__(self, command_id: int, seconds: float) -> None:
        super().__init__(f"no reply to command {command_id} within {seconds} s")
        self.command_id = command_id
        self.seconds = seconds


class SessionLost(GathererError):
    """The socket that carried the command is gone, and all its state with it."""


class UpgradeRefused(GathererError):
    """The exchange answered the WebSocket upgrade with an HTTP error."""

    def __init__(self, status: int, body: str, clock_skew: float | None = None) -> None:
        skew = "" if clock_skew is None else f" (our clock is {clock_skew:+.1f} s from the exchange's)"
        super().__init__(f"upgrade refused with HTTP {status}{skew}: {body or 'empty body'}")
        self.status = status
        self.body = body
        self.clock_skew = clock_skew


class TlsError(GathererError):
    """No secure connection to the exchange: its certificate did not pass, or the encrypted stream was damaged, cut
    short or of a kind we refuse. A certificate of your own authority needs `[exchange] ca_file`."""


class NoCapacity(GathererError):
    """No connection that is up has room for another market."""


class RestError(GathererError):
    """A REST request failed for good: `status` is None when no response came."""

    def __init__(self, endpoint: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{endpoint}: {reason}")
        self.endpoint = endpoint
        self.reason = reason
        self.status = status


class StartupFailed(GathererError):
    """The service cannot do its job and says so instead of pretending."""


class ConfigError(GathererError):
    """A setting is wrong; the text names the file, the table and the key."""


class AdminError(GathererError):
    """An operator asked for something that makes no sense or cannot be had; the text is the answer."""


class CutByOperator(GathererError):
    """An operator cut the socket."""
