"""Tables about the sockets: which exchange, how many connections, how they ask and how they come back."""

from dataclasses import dataclass

from gatherer.config.keys import Form, Reload, number, switch, text

MAX_CONNECTIONS = 150
"""Ids of the fixed plan. The exchange allows about 200 sockets per user, so more means another gatherer and account."""


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """Which exchange, and who we are to it."""

    websocket_url: str = text(
        "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
        "where the WebSockets connect",
        "production, by the host name Kalshi recommends; ws:// is allowed to this machine only",
        Form.WEBSOCKET_URL,
    )
    rest_url: str = text(
        "https://external-api.kalshi.com/trade-api/v2",
        "base of every REST request",
        "must belong to the same environment as websocket_url: keys of production and demo are separate",
        Form.REST_URL,
    )
    key_id: str = text(
        "",
        "id of the API key; required",
        "every WebSocket upgrade is signed, for public channels too",
        Form.TOKEN,
        reload=Reload.NEXT,
    )
    private_key_file: str = text(
        "",
        "PEM file with the private key (RSA or Ed25519), not encrypted; required",
        "a path and never the key itself, so that this file may be shown to others",
        Form.PATH,
        reload=Reload.NEXT,
    )
    ca_file: str = text(
        "",
        'PEM file with certificate authorities to trust besides the system\'s; "" for none',
        "for exchanges of your own, with certificates of your own",
        Form.PATH,
    )
    compression: bool = switch(
        False,
        "whether the exchange may compress messages (permessage-deflate)",
        "it saves bandwidth and costs many times the CPU time of a plain message; for a thin line, not for a busy core",
    )


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many connections, and how they are dialled. Ids follow in the order of the first four keys, from 1."""

    ticker: int = number(
        2,
        "connections",
        0,
        MAX_CONNECTIONS,
        "connections that carry the whole ticker channel",
        "a pair: one goes on while the other reconnects",
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
        "a pair, as above; missed events have no replay, only the next reconciliation repairs them",
    )
    orderbook: int = number(
        144,
        "connections",
        0,
        MAX_CONNECTIONS,
        "connections that share the order books",
        "with the three pairs 150 connections, under the exchange's usual limit of 200 for a user",
    )
    min_healthy: int = number(
        100,
        "connections",
        1,
        MAX_CONNECTIONS,
        "connections that must be up before the start counts as done; not more than the plan has",
        "two thirds are enough to carry every market, and fewer means something is wrong that waiting does not cure",
    )
    dial_rate: float = number(
        10.0,
        "dials per second",
        0.01,
        1000,
        "the most dials, first and repeated ones, over all connections",
        "150 sockets that return in the same second are answered with 429",
        reload=Reload.NOW,
    )
    connect_timeout: float = number(
        10.0,
        "seconds",
        0.1,
        300,
        "time a dial may take until the upgrade is answered",
        "a host that does not answer must not hold its slot up",
    )
    ping_timeout: float = number(
        30.0,
        "seconds",
        11,
        600,
        "without a ping of the exchange for so long a socket is cut",
        "it pings every 10 s, so three in a row were missed",
        reload=Reload.NEXT,
    )

    @property
    def connections(self) -> int:
        """Size of the plan."""
        return self.ticker + self.trade + self.lifecycle + self.orderbook


@dataclass(frozen=True, slots=True)
class OrderbookSettings:
    """How order books are asked for."""

    markets_per_connection: int = number(
        7500,
        "markets",
        1,
        500_000,
        "the most order books one connection takes",
        "144 of them make 1,080,000; the exchange refuses above 500,000",
    )
    batch_size: int = number(
        500,
        "tickers",
        1,
        10_000,
        "the most tickers in one command, adds and deletes alike",
        "each added market returns a full book, and what we do not read in time ends the subscription (error 25)",
        reload=Reload.NEXT,
    )
    command_timeout: float = number(
        5.0,
        "seconds",
        0.1,
        300,
        "time a command may go without a reply before its result counts as unknown",
        "replies take well under 1 s",
        reload=Reload.NEXT,
    )
    snapshot_deadline: float = number(
        30.0,
        "seconds",
        0.1,
        3600,
        "time an added market may go without its first book before it is asked for again",
        "dead tickers subscribe without complaint and stay silent",
        reload=Reload.NEXT,
    )
    on_gap: str = text(
        "snapshot",
        "what a gap in the sequence numbers leads to: fresh books of that subscription, or only a warning",
        "a gap does not say which market lost data, so all books of the subscription are in doubt",
        choices=("snapshot", "log"),
        reload=Reload.NEXT,
    )
    use_yes_price: bool = switch(
        False,
        "whether no-side levels are given as yes prices",
        "sent explicitly because the exchange has announced to change its own default",
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
        "most drops are over at once",
        reload=Reload.NOW,
    )
    max_delay: float = number(
        300.0,
        "seconds",
        0.01,
        86_400,
        "the longest wait",
        "the exchange's weekly maintenance lasts hours; 5 minutes are little beside it",
        reload=Reload.NOW,
    )
    factor: float = number(
        2.0,
        "",
        1,
        10,
        "how many times longer each wait is than the one before",
        "doubling leaves a struggling exchange alone soon",
        reload=Reload.NOW,
    )
    jitter: float = number(
        0.2,
        "",
        0,
        0.99,
        "share of a wait by which it is made longer or shorter at random",
        "connections lost together must not return together",
        reload=Reload.NOW,
    )
    healthy_after: float = number(
        10.0,
        "seconds",
        0,
        3600,
        "time a connection must be up and subscribed before its next wait is initial_delay again",
        "an exchange that accepts and cuts at once would otherwise be dialled once a second for ever",
        reload=Reload.NEXT,
    )
    rehome_after: float = number(
        120.0,
        "seconds",
        0,
        86_400,
        "time an order book connection may stay down before its markets move to the others; 0 for never",
        "most drops are over in seconds, and every move costs a fresh book; markets must not stay dark for long",
    )
