"""The tables about everything else: markets, capture, pages, log."""

from dataclasses import dataclass

from gatherer.config.keys import Form, Reload, number, switch, text


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How the list of markets stays correct."""

    reconcile_interval: float = number(
        300.0,
        "seconds",
        1,
        86_400,
        "time between two complete reads of the REST list of markets",
        "repairs what missed events left wrong; one read takes about 190 pages and 1 to 3 minutes",
        reload=Reload.NOW,
    )
    status_interval: float = number(
        60.0,
        "seconds",
        1,
        3600,
        "time between two requests for the status of the exchange",
        "distinguishes a pause of trading from a fault",
        reload=Reload.NOW,
    )
    page_size: int = number(
        1000,
        "markets",
        1,
        1000,
        "markets in one REST page",
        "1000 is the maximum of the exchange",
    )
    multivariate: str = text(
        "exclude",
        "whether to carry combination markets (KXMVE...): none of them, only them, or all markets",
        "there are millions of them, far above the capacity of one gatherer",
        choices=("exclude", "only", "include"),
    )
    request_timeout: float = number(
        30.0,
        "seconds",
        0.1,
        600,
        "time limit of one REST request",
        "a page of 1000 markets is 2 to 3 MB and takes about half a second",
    )


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """Where the messages are written."""

    kind: str = text(
        "segments",
        "the kind of router",
        "segments are files that zstdcat, DuckDB, pandas and polars read directly",
        choices=("segments",),
    )
    directory: str = text(
        "capture",
        "folder for the segments; created if it does not exist",
        "give it a file system of its own: a busy day fills tens of gigabytes",
        Form.PATH,
    )
    segment_bytes: int = number(
        268_435_456,
        "bytes",
        4096,
        2**40,
        "size of a segment on disk at which the next one begins",
        "256 MiB are quick enough to copy and to read",
    )
    segment_seconds: float = number(
        300.0,
        "seconds",
        1,
        86_400,
        "age of a segment at which the next one begins",
        "limits how long other programs wait for a finished file",
    )
    flush_interval: float = number(
        1.0,
        "seconds",
        0.01,
        60,
        "time between two writes to disk: the most that kill -9 loses",
        "a shorter time compresses worse, a longer time loses more",
    )
    buffer_messages: int = number(
        10_000,
        "messages",
        1,
        10_000_000,
        "messages that wait for the disk at most; new ones are then dropped, counted and marked",
        "a slow disk may cost messages, which are counted, but not all memory",
    )
    buffer_bytes: int = number(
        64 << 20,
        "bytes",
        1 << 20,
        1 << 40,
        "memory for what waits for the disk; a quarter of it is for markers only",
        "10,000 messages of the usual 300 bytes need 4 MB, 10,000 large books would need 400 MB",
    )


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Metrics, health and status page."""

    listen: str = text(
        "tcp:9090:interface=127.0.0.1",
        'Twisted endpoint string of the pages; "" turns them off',
        "only this machine, because no password protects the pages",
        Form.ENDPOINT,
    )


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """When the health check fails."""

    frozen_after: float = number(
        120.0,
        "seconds",
        0,
        86_400,
        "time without a ticker or order book message, during trading, after which the feed is frozen; 0 for never",
        "longer than two requests for the status of the exchange, which may explain it; a quiet exchange may need more",
    )


@dataclass(frozen=True, slots=True)
class ManholeSettings:
    """A Python prompt inside the running service, over SSH."""

    listen: str = text(
        "",
        'Twisted endpoint string, such as tcp:2222:interface=127.0.0.1 or unix:/run/gatherer/manhole; "" keeps it off',
        "a user who gets in can do everything that gatherer can, so it listens on this machine only",
        Form.ENDPOINT,
    )
    allow_remote: bool = switch(
        False,
        "whether it may listen where other machines can reach it, or where the string does not say (systemd:)",
        "a tunnel through sshd of this machine is safer: it has its own login and log",
    )
    authorized_keys_file: str = text(
        "",
        "public keys that may log in, as in ~/.ssh/authorized_keys; required with listen",
        "there is no password",
        Form.PATH,
    )
    host_key_directory: str = text(
        "",
        "folder where the host key is created and kept; required with listen",
        "ssh notices another server only if the host key stays the same",
        Form.PATH,
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and how."""

    format: str = text(
        "text",
        "text lines for people, or one JSON object a line for programs",
        "text for a terminal, json for a log collector",
        choices=("text", "json"),
    )
    level: str = text(
        "info",
        "the lowest level that is logged",
        "debug adds commands and replies, never one line per message",
        choices=("debug", "info", "warn", "error", "critical"),
        reload=Reload.NOW,
    )
