"""Tables about everything behind the sockets: markets, capture, pages, log."""

from dataclasses import dataclass

from gatherer.config.keys import Form, Reload, number, switch, text


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How the list of markets is kept right."""

    reconcile_interval: float = number(
        300.0,
        "seconds",
        1,
        86_400,
        "time between two complete walks over the REST list of markets",
        "repairs what events missed; one walk reads about 190 pages and takes 1 to 3 minutes",
        reload=Reload.NOW,
    )
    status_interval: float = number(
        60.0,
        "seconds",
        1,
        3600,
        "time between two looks at the exchange's status",
        "tells a pause of trading from a fault",
        reload=Reload.NOW,
    )
    page_size: int = number(
        1000,
        "markets",
        1,
        1000,
        "markets asked for in one REST page",
        "1000 is the most the exchange gives",
    )
    multivariate: str = text(
        "exclude",
        "whether combination markets (KXMVE...) are carried: not, nothing else, or too",
        "there are millions of them, far above the capacity of one gatherer",
        choices=("exclude", "only", "include"),
    )
    request_timeout: float = number(
        30.0,
        "seconds",
        0.1,
        600,
        "time one REST request may take",
        "a page of 1000 markets is 2 to 3 MB and takes about half a second",
    )


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """Where the messages go."""

    kind: str = text(
        "segments",
        "which router takes the messages",
        "segments: files that zstdcat, DuckDB, pandas and polars read as they are",
        choices=("segments",),
    )
    directory: str = text(
        "capture",
        "folder for the segments; made when it does not exist",
        "give it a file system of its own: a busy day fills tens of gigabytes",
        Form.PATH,
    )
    segment_bytes: int = number(
        268_435_456,
        "bytes",
        4096,
        2**40,
        "size of a segment on disk at which the next one is begun",
        "256 MiB are moved and read at a bearable price",
    )
    segment_seconds: float = number(
        300.0,
        "seconds",
        1,
        86_400,
        "age of a segment at which the next one is begun",
        "bounds how old a file is when others may take it over",
    )
    flush_interval: float = number(
        1.0,
        "seconds",
        0.01,
        60,
        "the most that is lost to a kill -9",
        "shorter costs compression, longer costs data",
    )
    buffer_messages: int = number(
        10_000,
        "messages",
        1,
        10_000_000,
        "messages that may wait for the disk before new ones are dropped, counted and marked",
        "a slow disk must cost messages we know of, not all memory",
    )


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Metrics, health and status page."""

    listen: str = text(
        "tcp:9090:interface=127.0.0.1",
        'Twisted endpoint string of the pages; "" turns them off',
        "this machine only, since they are not protected by a password",
        Form.ENDPOINT,
    )


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """When the health page turns red."""

    frozen_after: float = number(
        120.0,
        "seconds",
        0,
        86_400,
        "silence of all tickers and order books, while trading is on, that is called a frozen feed; 0 for never",
        "longer than two looks at the exchange's status, which may explain it; a small exchange may need more",
    )


@dataclass(frozen=True, slots=True)
class ManholeSettings:
    """A Python prompt inside the running service, over SSH."""

    listen: str = text(
        "",
        'Twisted endpoint string, such as tcp:2222:interface=127.0.0.1 or unix:/run/gatherer/manhole; "" keeps it off',
        "whoever gets in can do everything gatherer can, so it listens on this machine only",
        Form.ENDPOINT,
    )
    allow_remote: bool = switch(
        False,
        "whether it may listen where other machines can reach it, or where the string does not tell (systemd:)",
        "a tunnel through the machine's own sshd is safer: it has one more lock and a log",
    )
    authorized_keys_file: str = text(
        "",
        "public keys that may log in, as in ~/.ssh/authorized_keys; required with listen",
        "there is no password",
        Form.PATH,
    )
    host_key_directory: str = text(
        "",
        "folder where the host key is made and kept; required with listen",
        "a host key that stays the same lets ssh notice an impostor",
        Form.PATH,
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the log reads."""

    format: str = text(
        "text",
        "lines for people, or one JSON object a line for machines",
        "text for a terminal, json for a log collector",
        choices=("text", "json"),
    )
    level: str = text(
        "info",
        "the least important events that are logged",
        "debug adds commands and replies, never one line per message",
        choices=("debug", "info", "warn", "error", "critical"),
        reload=Reload.NOW,
    )
