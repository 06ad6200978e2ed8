"""What a client may ask, and every answer to it (protocol section 3). Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from gatherer.simulator.feed import params, wire
from gatherer.simulator.feed.faults import ReplyFault
from gatherer.simulator.feed.params import Refusal
from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.feed.session import Session
from gatherer.simulator.feed.subscription import Subscription
from gatherer.simulator.feed.wire import BOOKS, MARKET_CHANNELS, PRIVATE_CHANNELS, PUBLIC_CHANNELS
from gatherer.simulator.markets.market import OVER


@dataclass(slots=True)
class CommandContext:
    """What a command needs while it is carried out."""

    session: Session
    floor: Publisher
    id: int | None
    """What replies carry; None when the client gave none, or 0, which counts as none."""
    params: Any
    fate: ReplyFault

    def reply(self, build: Callable[[], bytes]) -> None:
        """Answer, unless a fault loses or delays it. The number is taken when the answer is sent."""
        if self.fate.delay:
            self.floor.later(self.fate.delay, lambda: self.session.transmit(build()))
        elif not self.fate.lost:
            self.session.transmit(build())

    def acknowledge(self, sub: Subscription, options: dict[str, Any]) -> None:
        """`ok`: the whole list after the change, unless the client does not care for it."""

        def build() -> bytes:
            skip = params.flag(options, "skip_ticker_ack")
            msg = {} if skip else {"market_tickers": list(sub.markets)}
            return wire.reply(self.id, "ok", msg, sub.sid, sub.next_seq())

        self.reply(build)


def execute(session: Session, floor: Publisher, frame: bytes) -> None:
    """Carry out one frame of a client: whatever is wrong with it becomes an error reply."""
    turn = CommandContext(session, floor, None, None, floor.faults.next_reply_fault())
    try:
        _dispatch(turn, frame)
    except Refusal as refusal:
        _refuse(turn, refusal)


def _dispatch(turn: CommandContext, frame: bytes) -> None:
    try:
        command = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refusal(1) from None
    if not isinstance(command, dict) or not params.is_id(command.get("id", 0)):
        raise Refusal(1)
    turn.id = command.get("id") or None
    turn.params = command.get("params")
    action = COMMANDS.get(command["cmd"]) if isinstance(command.get("cmd"), str) else None
    if action is None:
        raise Refusal(5)
    if action in (_subscribe, _update):
        _pace(turn)
        _fail_as_told(turn, action)
    action(turn)


def _refuse(turn: CommandContext, refusal: Refusal) -> None:
    """Send an error; one that belongs to a subscription uses up a number of it."""
    sub = refusal.sub
    if sub is None:
        turn.reply(lambda: wire.error(turn.id, refusal.code, refusal.text))
        return
    if refusal.code in wire.TERMINAL and sub.live:
        turn.session.drop(sub)
    turn.reply(lambda: wire.error(turn.id, refusal.code, refusal.text, sub.sid, sub.next_seq()))


def _target(turn: CommandContext) -> Subscription | None:
    """The subscription a command is about, as far as one can tell without judging it."""
    wanted = turn.params if isinstance(turn.params, dict) else {}
    sids = wanted.get("sids", [wanted.get("sid")])
    channels = wanted.get("channels")
    if isinstance(channels, list) and channels and isinstance(channels[0], str):
        return turn.session.on_channel(channels[0])
    return (
        turn.session.subscriptions.get(sids[0]) if isinstance(sids, list) and sids and params.is_int(sids[0]) else None
    )


def _pace(turn: CommandContext) -> None:
    """Error 27 above the configured number of commands a second."""
    second, seen = int(turn.floor.now), 0
    if turn.session.commands_at[0] == second:
        seen = turn.session.commands_at[1]
    turn.session.commands_at = (second, seen + 1)
    if seen >= turn.floor.limits.commands_per_second:
        raise Refusal(27, sub=_target(turn))


def _fail_as_told(turn: CommandContext, action: Callable[[CommandContext], None]) -> None:
    """A scripted error instead of the answer; with `applied` the command takes effect all the same."""
    scripted = turn.floor.faults.next_error()
    if scripted is None:
        return
    if scripted.applied:
        fate, turn.fate = turn.fate, ReplyFault(lost=True)
        try:
            action(turn)
        finally:
            turn.fate = fate
    raise Refusal(scripted.code, sub=_target(turn))


def _subscribe(turn: CommandContext) -> None:
    options = params.options(turn.params)
    channels = params.channels(options)
    for channel in channels:
        if channel not in PUBLIC_CHANNELS | PRIVATE_CHANNELS:
            raise Refusal(8)
        if not turn.session.authenticated:
            raise Refusal(9)
    tickers = params.tickers(options, turn.floor.listing, ids_allowed=BOOKS not in channels)
    if BOOKS in channels and not tickers:
        raise Refusal(14)
    for name in params.FLAGS:
        params.flag(options, name)
    for channel in channels:
        _subscribe_one(turn, channel, tickers, options)


def _subscribe_one(turn: CommandContext, channel: str, tickers: list[str], options: dict[str, Any]) -> None:
    sub = turn.session.on_channel(channel)
    fresh = _fresh(turn, sub, tickers)
    if sub is None:
        sub = opened = turn.session.open_subscription(channel, params.flag(options, "use_yes_price"))
        turn.reply(lambda: wire.reply(turn.id, "subscribed", {"channel": channel, "sid": opened.sid}))
        _add(turn, opened, fresh, not tickers)
    else:
        _add(turn, sub, fresh, not tickers, lambda held: turn.acknowledge(held, options))
    if channel == "ticker" and params.flag(options, "send_initial_snapshot"):
        turn.floor.tickers_at_once(sub, fresh)


def _fresh(turn: CommandContext, sub: Subscription | None, tickers: Iterable[str]) -> list[str]:
    """Tickers the subscription does not have yet; error 26 when it cannot take them."""
    held = {} if sub is None else sub.markets
    fresh = [ticker for ticker in dict.fromkeys(tickers) if ticker not in held]
    if len(held) + len(fresh) > turn.floor.limits.markets_per_subscription:
        raise Refusal(26, sub=sub)
    return fresh


def _add(
    turn: CommandContext,
    sub: Subscription,
    fresh: list[str],
    everything: bool,
    acknowledge: Callable[[Subscription], None] = lambda sub: None,
) -> None:
    """Extend a subscription: acknowledgement first, then the books (protocol section 3)."""
    if sub.channel in MARKET_CHANNELS and not everything:
        markets = {ticker: turn.floor.listing.get(ticker) for ticker in fresh}
        sub.markets.update(markets)
    else:
        markets = {}
        sub.everything = True
    acknowledge(sub)
    if sub.channel == BOOKS:
        turn.session.queue_snapshots(sub, (market for market in markets.values() if market is not None))


def _update(turn: CommandContext) -> None:
    options = params.options(turn.params)
    sub = params.subscription(options, turn.session.subscriptions)
    action = options.get("action")
    if action is None:
        raise Refusal(15, sub=sub)
    perform = ACTIONS.get(action) if isinstance(action, str) else None
    if perform is None or sub.channel not in MARKET_CHANNELS or (perform is _get_snapshot and sub.channel != BOOKS):
        raise Refusal(13, sub=sub)
    try:
        perform(turn, sub, options)
    except Refusal as refusal:
        refusal.sub = sub
        raise


def _add_markets(turn: CommandContext, sub: Subscription, options: dict[str, Any]) -> None:
    tickers = params.tickers(options, turn.floor.listing, ids_allowed=sub.channel != BOOKS)
    if not tickers and sub.channel == BOOKS:
        raise Refusal(14)
    _add(turn, sub, _fresh(turn, sub, tickers), not tickers, lambda held: turn.acknowledge(held, options))


def _delete_markets(turn: CommandContext, sub: Subscription, options: dict[str, Any]) -> None:
    tickers = params.tickers(options, turn.floor.listing, ids_allowed=sub.channel != BOOKS)
    if not tickers:
        raise Refusal(14)
    for ticker in tickers:
        market = sub.markets.pop(ticker, None)
        if market is not None:
            turn.floor.release(sub, market)
    turn.acknowledge(sub, options)


def _get_snapshot(turn: CommandContext, sub: Subscription, options: dict[str, Any]) -> None:
    """The answers are the books themselves, with the command's id; an empty list gives nothing."""
    if "market_tickers" not in options:
        raise Refusal(14)
    for ticker in params.ticker_list(options["market_tickers"]):
        market = sub.markets.get(ticker)
        if market is not None and market.status not in OVER:
            turn.floor.hold(sub, market)
            turn.reply(lambda market=market: turn.floor.snapshot(sub, market, turn.id))  # type: ignore[misc]


def _unsubscribe(turn: CommandContext) -> None:
    sids = params.sids(params.options(turn.params))
    for sid in dict.fromkeys(sids):
        sub = turn.session.subscriptions.get(sid)
        if sub is None:
            _refuse(turn, Refusal(7))
        else:
            turn.session.drop(sub)
            turn.reply(lambda sub=sub: wire.reply(turn.id, "unsubscribed", None, sub.sid, sub.next_seq()))  # type: ignore[misc]


def _list(turn: CommandContext) -> None:
    pairs = [(sub.channel, sub.sid) for sub in turn.session.subscriptions.values()]
    turn.reply(lambda: wire.reply(turn.id, "ok", wire.subscriptions(pairs)))


COMMANDS: dict[str, Callable[[CommandContext], None]] = {
    "subscribe": _subscribe,
    "update_subscription": _update,
    "unsubscribe": _unsubscribe,
    "list_subscriptions": _list,
}
ACTIONS: dict[str, Callable[[CommandContext, Subscription, dict[str, Any]], None]] = {
    "add_markets": _add_markets,
    "delete_markets": _delete_markets,
    "get_snapshot": _get_snapshot,
}
