"""Every command of a client, and its answers (protocol section 3). Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from gatherer.simulator.feed import params, wire
from gatherer.simulator.feed.faults import ReplyFault
from gatherer.simulator.feed.params import Refusal
from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.feed.session import ClientSession
from gatherer.simulator.feed.subscription import Subscription
from gatherer.simulator.feed.wire import BOOKS, MARKET_CHANNELS, PRIVATE_CHANNELS, PUBLIC_CHANNELS, TICKER, Json
from gatherer.simulator.markets.market import OVER


@dataclass(slots=True)
class CommandContext:
    """One command while it is carried out."""

    session: ClientSession
    publisher: Publisher
    id: int | None
    """The id that replies carry. None without an id; id 0 counts as no id."""
    params: object
    reply_fault: ReplyFault

    def reply(self, build: Callable[[], bytes]) -> None:
        """Answer, unless a fault loses or delays it. A seq is taken when the answer is sent."""
        if self.reply_fault.delay:
            self.publisher.later(self.reply_fault.delay, lambda: self.session.transmit(build()))
        elif not self.reply_fault.lost:
            self.session.transmit(build())

    def acknowledge(self, sub: Subscription, options: Json) -> None:
        """`ok` with the whole list after the change, unless the client does not want the list."""

        def build() -> bytes:
            skip = params.flag(options, "skip_ticker_ack")
            msg = {} if skip else {"market_tickers": list(sub.markets)}
            return wire.reply(self.id, "ok", msg, sub.sid, sub.next_seq())

        self.reply(build)


def execute(session: ClientSession, publisher: Publisher, frame: bytes) -> None:
    """Carry out one frame of a client. A faulty frame gets an error reply."""
    context = CommandContext(session, publisher, None, None, publisher.faults.next_reply_fault())
    try:
        _dispatch(context, frame)
    except Refusal as refusal:
        _refuse(context, refusal)


def _dispatch(context: CommandContext, frame: bytes) -> None:
    try:
        command = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refusal(1) from None
    if not isinstance(command, dict) or not params.is_id(command.get("id", 0)):
        raise Refusal(1)
    context.id = command.get("id") or None
    context.params = command.get("params")
    action = COMMANDS.get(command["cmd"]) if isinstance(command.get("cmd"), str) else None
    if action is None:
        raise Refusal(5)
    if action in (_subscribe, _update):
        _limit_rate(context)
        _fail_if_scripted(context, action)
    action(context)


def _refuse(context: CommandContext, refusal: Refusal) -> None:
    """Send an error. An error about a subscription takes a seq."""
    sub = refusal.sub
    if sub is None:
        context.reply(lambda: wire.error(context.id, refusal.code, refusal.text))
        return
    if refusal.code in wire.TERMINAL and sub.live:
        context.session.drop(sub)
    context.reply(lambda: wire.error(context.id, refusal.code, refusal.text, sub.sid, sub.next_seq()))


def _target(context: CommandContext) -> Subscription | None:
    """The subscription that a command seems to be about, before its parameters are checked."""
    wanted = context.params if isinstance(context.params, dict) else {}
    sids = wanted.get("sids", [wanted.get("sid")])
    channels = wanted.get("channels")
    if isinstance(channels, list) and channels and isinstance(channels[0], str):
        return context.session.on_channel(channels[0])
    return (
        context.session.subscriptions.get(sids[0])
        if isinstance(sids, list) and sids and params.is_int(sids[0])
        else None
    )


def _limit_rate(context: CommandContext) -> None:
    """Error 27 above the configured number of commands a second."""
    second, seen = int(context.publisher.now), 0
    if context.session.commands_at[0] == second:
        seen = context.session.commands_at[1]
    context.session.commands_at = (second, seen + 1)
    if seen >= context.publisher.limits.commands_per_second:
        raise Refusal(27, sub=_target(context))


def _fail_if_scripted(context: CommandContext, action: Callable[[CommandContext], None]) -> None:
    """Raise a scripted error, if there is one. If it is `applied`, the command takes effect before that."""
    scripted = context.publisher.faults.next_error()
    if scripted is None:
        return
    if scripted.applied:
        reply_fault, context.reply_fault = context.reply_fault, ReplyFault(lost=True)
        try:
            action(context)
        finally:
            context.reply_fault = reply_fault
    raise Refusal(scripted.code, sub=_target(context))


def _subscribe(context: CommandContext) -> None:
    options = params.options(context.params)
    channels = params.channels(options)
    for channel in channels:
        if channel not in PUBLIC_CHANNELS | PRIVATE_CHANNELS:
            raise Refusal(8)
        if not context.session.authenticated:
            raise Refusal(9)
    tickers = params.tickers(options, context.publisher.listing, ids_allowed=BOOKS not in channels)
    if BOOKS in channels and not tickers:
        raise Refusal(14)
    for name in params.FLAGS:
        params.flag(options, name)
    for channel in channels:
        _subscribe_one(context, channel, tickers, options)


def _subscribe_one(context: CommandContext, channel: str, tickers: list[str], options: Json) -> None:
    sub = context.session.on_channel(channel)
    fresh = _fresh(context, sub, tickers)
    if sub is None:
        sub = opened = context.session.open_subscription(channel, params.flag(options, "use_yes_price"))
        context.reply(lambda: wire.reply(context.id, "subscribed", {"channel": channel, "sid": opened.sid}))
        _add(context, opened, fresh, not tickers)
    else:
        _add(context, sub, fresh, not tickers, lambda held: context.acknowledge(held, options))
    if channel == TICKER and params.flag(options, "send_initial_snapshot"):
        context.publisher.send_tickers(sub, fresh)


def _fresh(context: CommandContext, sub: Subscription | None, tickers: Iterable[str]) -> list[str]:
    """The tickers that the subscription does not have yet. Error 26 if they are too many."""
    held = {} if sub is None else sub.markets
    fresh = [ticker for ticker in dict.fromkeys(tickers) if ticker not in held]
    if len(held) + len(fresh) > context.publisher.limits.markets_per_subscription:
        raise Refusal(26, sub=sub)
    return fresh


def _add(
    context: CommandContext,
    sub: Subscription,
    fresh: list[str],
    everything: bool,
    acknowledge: Callable[[Subscription], None] = lambda sub: None,
) -> None:
    """Extend a subscription. The acknowledgement comes first, then the books (protocol section 3)."""
    if sub.channel in MARKET_CHANNELS and not everything:
        markets = {ticker: context.publisher.listing.get(ticker) for ticker in fresh}
        sub.markets.update(markets)
    else:
        markets = {}
        sub.everything = True
    acknowledge(sub)
    if sub.channel == BOOKS:
        context.session.queue_snapshots(sub, (market for market in markets.values() if market is not None))


def _update(context: CommandContext) -> None:
    options = params.options(context.params)
    sub = params.subscription(options, context.session.subscriptions)
    action = options.get("action")
    if action is None:
        raise Refusal(15, sub=sub)
    perform = ACTIONS.get(action) if isinstance(action, str) else None
    if perform is None or sub.channel not in MARKET_CHANNELS or (perform is _get_snapshot and sub.channel != BOOKS):
        raise Refusal(13, sub=sub)
    try:
        perform(context, sub, options)
    except Refusal as refusal:
        refusal.sub = sub
        raise


def _add_markets(context: CommandContext, sub: Subscription, options: Json) -> None:
    tickers = params.tickers(options, context.publisher.listing, ids_allowed=sub.channel != BOOKS)
    if not tickers and sub.channel == BOOKS:
        raise Refusal(14)
    _add(context, sub, _fresh(context, sub, tickers), not tickers, lambda held: context.acknowledge(held, options))


def _delete_markets(context: CommandContext, sub: Subscription, options: Json) -> None:
    tickers = params.tickers(options, context.publisher.listing, ids_allowed=sub.channel != BOOKS)
    if not tickers:
        raise Refusal(14)
    for ticker in tickers:
        market = sub.markets.pop(ticker, None)
        if market is not None:
            context.publisher.release(sub, market)
    context.acknowledge(sub, options)


def _get_snapshot(context: CommandContext, sub: Subscription, options: Json) -> None:
    """The books are the answers and carry the command's id. An empty list gives no answer."""
    if "market_tickers" not in options:
        raise Refusal(14)
    for ticker in params.ticker_list(options["market_tickers"]):
        market = sub.markets.get(ticker)
        if market is not None and market.status not in OVER:
            context.publisher.hold(sub, market)
            if context.publisher.faults.next_book_is_lost():
                continue
            context.reply(lambda market=market: context.publisher.snapshot(sub, market, context.id))  # type: ignore[misc]


def _unsubscribe(context: CommandContext) -> None:
    sids = params.sids(params.options(context.params))
    for sid in dict.fromkeys(sids):
        sub = context.session.subscriptions.get(sid)
        if sub is None:
            _refuse(context, Refusal(7))
        else:
            context.session.drop(sub)
            context.reply(lambda sub=sub: wire.reply(context.id, "unsubscribed", None, sub.sid, sub.next_seq()))  # type: ignore[misc]


def _list(context: CommandContext) -> None:
    pairs = [(sub.channel, sub.sid) for sub in context.session.subscriptions.values()]
    context.reply(lambda: wire.reply(context.id, "ok", wire.subscriptions(pairs)))


COMMANDS: dict[str, Callable[[CommandContext], None]] = {
    "subscribe": _subscribe,
    "update_subscription": _update,
    "unsubscribe": _unsubscribe,
    "list_subscriptions": _list,
}
ACTIONS: dict[str, Callable[[CommandContext, Subscription, Json], None]] = {
    "add_markets": _add_markets,
    "delete_markets": _delete_markets,
    "get_snapshot": _get_snapshot,
}
