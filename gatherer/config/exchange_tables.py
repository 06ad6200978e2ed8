"""The tables about the connections: which exchange, how many connections, what they request, how they reconnect."""

from dataclasses import dataclass

from gatherer.config.keys import Form, Reload, number, switch, text

MAX_CONNECTIONS = 150
"""Connections of the fixed plan. The exchange allows about 200 sockets per user; more need a second account."""


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """The exchange, and the key that identifies us to it."""

    websocket_url: str = text(
        "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
        "URL of the WebSockets",
        "production, with the host name that Kalshi recommends; ws:// is allowed only to this machine",
        Form.WEBSOCKET_URL,
    )
    rest_url: str = text(
        "https://external-api.kalshi.com/trade-api/v2",
        "base URL of the REST requests",
        "must belong to the same environment as websocket_url, because production and demo have separate keys",
        Form.REST_URL,
    )
    key_id: str = text(
        "",
        "id of the API key; required",
        "every WebSocket upgrade is signed, also for public channels",
        Form.TOKEN,
        reload=Reload.NEXT,
    )
    private_key_file: str = text(
        "",
        "PEM file with the private key (RSA or Ed25519), not encrypted; required",
        "a path and never the key itself, so that this file can be shown to others",
        Form.PATH,
        reload=Reload.NEXT,
    )
    ca_file: str = text(
        "",
        'PEM file with certificate authorities to trust besides those of the system; "" for none',
        "for your own exchange with its own certificate",
        Form.PATH,
    )
    compression: bool = switch(
        False,
        "whether the exchange may compress messages (permessage-deflate)",
        "it saves bandwidth, but a message then costs many times the CPU time; for slow networks only",
    )


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many connections, and how they are dialled. Ids count from 1 in the order of the first four keys."""

    ticker: int = number(
        2,
        "connections",
        0,
        MAX_CONNECTIONS,
        "connections that carry the whole ticker channel",
        "a pair: one receives while the other reconnects",
    )
    trade: int = number(
        2,
        "connections",
        0,
        MAX_CONNECTIONS,
        "connections that carry the whole trade channel",
        "a pair, as above",
    )
    lifecycle: int = number(
        2,
        "connections",
        0,
        MAX_CONNECTIONS,
        "connections that carry the lifecycle channel",
        "a pair, as above; the exchange does not repeat a missed event, only the next reconciliation repairs it",
    )
    orderbook: int = number(
        144,
        "connections",
        0,
        MAX_CONNECTIONS,
        "connections that share the order books",
        "150 connections with the three pairs; the usual limit of the exchange is 200 for a user",
    )
    min_healthy: int = number(
        100,
        "connections",
        1,
        MAX_CONNECTIONS,
        "connections that must be up before the service is ready; at most the size of the plan",
        "two thirds can carry every market; fewer means a fault that waiting does not cure",
    )
    dial_rate: float = number(
        10.0,
        "dials per second",
        0.01,
        1000,
        "the highest rate of dials, first and repeated, over all connections",
        "the exchange answers 150 dials in the same second with 429",
        reload=Reload.NOW,
    )
    balance_share: float = number(
        0.05,
        "of all markets",
        0,
        1,
        "the most markets that move in a minute to even out the connections; 0 for never",
        "a move costs a fresh book, and a connection with too many messages is cut by the exchange (error 25)",
    )
    connect_timeout: float = number(
        10.0,
        "seconds",
        0.1,
        300,
        "time until a dial must have its upgrade answered",
        "a host that does not answer must not block its slot",
    )
    ping_timeout: float = number(
        30.0,
        "seconds",
        11,
        600,
        "time without a ping of the exchange after which a socket is closed",
        "the exchange pings every 10 s, so three pings in a row were missed",
        reload=Reload.NEXT,
    )

    @property
    def connections(self) -> int:
        """Size of the plan."""
        return self.ticker + self.trade + self.lifecycle + self.orderbook


@dataclass(frozen=True, slots=True)
class OrderbookSettings:
    """How order books are requested."""

    markets_per_connection: int = number(
        7500,
        "markets",
        1,
        500_000,
        "the maximum of order books on one connection",
        "144 connections then carry 1,080,000; the exchange refuses more than 500,000",
    )
    batch_size: int = number(
        500,
        "tickers",
        1,
        10_000,
        "the maximum of tickers in one command, to add or to delete",
        "each added market returns a full book, and the exchange ends the subscription of a slow reader (error 25)",
        reload=Reload.NEXT,
    )
    command_timeout: float = number(
        5.0,
        "seconds",
        0.1,
        300,
        "shortest time without a reply after which a command's result counts as unknown; slow replies make it longer",
        "replies take well under 1 s",
        reload=Reload.NEXT,
    )
    snapshot_deadline: float = number(
        30.0,
        "seconds",
        0.1,
        3600,
        "time without its first book after which an added market is requested again",
        "the exchange accepts a subscription to a dead ticker and then sends nothing",
        reload=Reload.NEXT,
    )
    on_gap: str = text(
        "snapshot",
        "what happens after a gap in the sequence numbers: fresh books of that subscription, or only a warning",
        "a gap does not show which market lost data, so all books of the subscription are in doubt",
        choices=("snapshot", "log"),
        reload=Reload.NEXT,
    )
    use_yes_price: bool = switch(
        False,
        "whether the exchange sends no-side levels as yes prices",
        "always sent, because the exchange has announced that its default will change",
        reload=Reload.NEXT,
    )


@dataclass(frozen=True, slots=True)
class ReconnectSettings:
    """How long to wait before a lost or refused connection is dialled again."""

    initial_delay: float = number(
        1.0,
        "seconds",
        0.01,
        3600,
        "the first wait",
        "most losses are over at once",
        reload=Reload.NOW,
    )
    max_delay: float = number(
        300.0,
        "seconds",
        0.01,
        86_400,
        "the longest wait",
        "the weekly maintenance of the exchange lasts hours; 5 minutes are short beside that",
        reload=Reload.NOW,
    )
    factor: float = number(
        2.0,
        "",
        1,
        10,
        "each wait is this many times longer than the one before",
        "doubling soon takes the load off an exchange in trouble",
        reload=Reload.NOW,
    )
    jitter: float = number(
        0.2,
        "",
        0,
        0.99,
        "share of a wait by which chance makes it longer or shorter",
        "connections lost together must not return together",
        reload=Reload.NOW,
    )
    healthy_after: float = number(
        10.0,
        "seconds",
        0,
        3600,
        "time that a connection must be up and subscribed before its next wait is initial_delay again",
        "an exchange that accepts and closes at once would otherwise be dialled every second for ever",
        reload=Reload.NEXT,
    )
    rehome_after: float = number(
        120.0,
        "seconds",
        0,
        86_400,
        "time down after which the markets of an order book connection move to the others; 0 for never",
        "most losses are over in seconds and each move costs a fresh book, but no market may lack data for long",
    )
