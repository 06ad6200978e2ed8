"""What happens to one market, in plain words, made of what `IConnectionManager.explain` gives. Pure.

The manhole, the status page and the terminal show the same words.
"""

from collections.abc import Callable, Iterator

from gatherer.text import clock_time, counted, moment, one_line, span
from gatherer.values import Facts

QUIET = 60.0
"""Seconds without a message on a whole subscription after which the verdict mentions it."""
MAX_LISTED = 5
"""Moves and gaps that are listed, the newest."""
OPEN = ("live", "subscribing")


def explain(explained: Facts, now: float) -> list[str]:
    """One statement a line, the verdict last. `now` is Unix seconds."""
    connection = explained.get("connection")
    lines = [str(explained["ticker"]), *_listed(explained.get("registry"), now)]
    if connection is not None:
        lines += _placed(explained, connection, now)
        lines += _subscribed(connection, now)
        lines += _happened(explained, connection, now)
    return [*map(_clean, lines), f"verdict: {verdict(explained, now)}"]


def verdict(explained: Facts, now: float) -> str:
    """Why the market is silent, or what is being waited for, or that it is fed."""
    connection = explained.get("connection")
    if connection is None:
        return one_line(_nowhere(explained, now))
    steps: tuple[Callable[[Facts, Facts, float], str | None], ...] = (_line, _asking, _book, _feeding)
    found = (step(explained, connection, now) for step in steps)
    return next(one_line(text) for text in found if text is not None)


def _clean(line: str) -> str:
    """Without line breaks and control characters: tickers and errors come from outside."""
    return line[: len(line) - len(line.lstrip(" "))] + one_line(line)


# -- the verdict, step by step ------------------------------------------------------------------


def _nowhere(explained: Facts, now: float) -> str:
    registry = explained.get("registry")
    if explained.get("unplaced"):
        return "unplaced: wanted, but no connection that takes markets has room; it gets the next place that is free"
    if registry is None:
        return "unknown: the registry does not know it: it is misspelled, or it was settled and removed"
    if registry.get("carried"):
        return "wanted, and not handed to a connection yet"
    return f"not wanted: {_why_not(registry, now)}"


def _why_not(registry: Facts, now: float) -> str:
    status, event, at = registry.get("status"), registry.get("last_event"), registry.get("last_event_at")
    if status == "unopened":
        opens = registry.get("open_ts")
        return "it is not open, and its opening is not known" if opens is None else f"it opens {moment(opens, now)}"
    if status == "doubtful":
        return f"its event {event} contradicts what was known: a look-up will decide"
    if status == "paused":
        return f"trading in it is paused{_since(at, now)}, and it was not carried before"
    if event in ("settled", "determined") and at is not None:
        return f"{event} {moment(at, now)}"
    closed = registry.get("close_ts")
    ended = f", closed {moment(closed, now)}" if closed is not None and closed <= now else ""
    return f"the exchange lists it as {status}{ended}"


def _line(explained: Facts, connection: Facts, now: float) -> str | None:
    """The connection first: without a socket nothing else matters."""
    state = connection.get("state")
    if state in OPEN:
        return None
    name, error = f"connection {connection['conn_id']}", connection.get("last_error")
    because = f"; the last socket or dial ended with: {one_line(error)}" if error else ""
    texts = {
        "queued": f"{name} waits for its turn to dial",
        "dialing": f"{name} is dialling",
        "stopped": f"{name} is stopped",
        "idle": f"{name} was not dialled yet",
    }
    wait = connection.get("next_dial_in")
    backoff = f"{name} is in backoff" + ("" if wait is None else f", next dial in {span(wait)}")
    return texts.get(str(state), backoff) + because


def _asking(explained: Facts, connection: Facts, now: float) -> str | None:
    """Whether the exchange has acknowledged the market."""
    if not connection.get("wanted", True):
        return f"not wanted any more: connection {connection['conn_id']} is about to unsubscribe it"
    if connection.get("rejected") is not None:
        retry = connection.get("retry_at")
        again = "" if retry is None else f", tried again in {span(max(0.0, retry - now))}"
        return f"rejected by the exchange, code {connection['rejected']}{again}"
    if connection.get("held"):
        return None
    pending, paused = connection.get("pending"), explained.get("paused_since")
    if connection.get("standing") == "asked" and pending is not None:
        return f"asked for with command {pending['id']} {span(pending['age'])} ago, no reply yet"
    if paused is not None:
        return f"not subscribed: commands are paused since {moment(paused, now)}; resume() lets them go on"
    if connection.get("standing") == "again":
        return "a command that asked for it failed or got lost: it is asked for again after a pause"
    return f"waits for its turn to be asked for on connection {connection['conn_id']}"


def _book(explained: Facts, connection: Facts, now: float) -> str | None:
    """Whether its book came."""
    held = _held(connection, now)
    if connection.get("owed") or not connection.get("book_at"):
        book = "a fresh book was asked for and" if connection.get("book_at") else "its first book"
        tries = connection.get("asked_in_vain", 0)
        late = f", although it was asked for {counted(tries, 'time')}: gatherer goes on asking" if tries else ""
        return f"{held}, {book} has not come yet{late}"
    waiting = [gap for gap in connection.get("gaps", ()) if gap.get("outcome") == "waiting"]
    if waiting and waiting[-1]["at"] >= connection["book_at"]:
        gap = waiting[-1]
        return f"{held}; {counted(gap['size'], 'number')} skipped {moment(gap['at'], now)}: a fresh book is awaited"
    return None


def _feeding(explained: Facts, connection: Facts, now: float) -> str:
    registry = explained.get("registry") or {}
    parts = [_held(connection, now), f"book came {moment(connection['book_at'], now)}", *_numbers(connection, now)]
    if registry.get("status") == "paused":
        parts.append(f"trading in it is paused{_since(registry.get('last_event_at'), now)}, so it is quiet")
    else:
        parts.append(_deltas(connection, now))
    return ", ".join(parts)


def _deltas(connection: Facts, now: float) -> str:
    watched, last = connection.get("watched_since"), connection.get("delta_at")
    if last is not None:
        return f"fed: last delta {moment(last, now)}"
    heard = connection.get("heard_at")
    if heard is not None and now - heard >= QUIET:
        return f"quiet: nothing came for any market of the sid since {clock_time(heard, now)}"
    if watched is None or now - watched < 1.0:
        return "fed, as far as is known: its deltas are watched from now on, so ask again in a moment"
    return f"quiet: no deltas since {moment(watched, now)}, when watching began, while its sid is alive"


def _held(connection: Facts, now: float) -> str:
    since = connection.get("acknowledged_at")
    return f"held on sid {connection.get('sid')}" + ("" if not since else f" since {clock_time(since, now)}")


def _numbers(connection: Facts, now: float) -> list[str]:
    last, heard = connection.get("last_seq"), connection.get("heard_at")
    if not last:
        return []
    return [f"last number {last:,}" + ("" if heard is None else f" {moment(heard, now)}")]


def _since(at: float | None, now: float) -> str:
    return "" if at is None else f" since {clock_time(at, now)}"


# -- what leads up to it ------------------------------------------------------------------------


def _listed(registry: Facts | None, now: float) -> Iterator[str]:
    if registry is None:
        yield "registry: not known"
        return
    carried = "to be carried" if registry.get("carried") else "not to be carried"
    yield f"registry: {registry.get('status')}, {carried}"
    for key, future, past in (("open_ts", "opens", "opened"), ("close_ts", "closes", "closed")):
        at = registry.get(key)
        if at is not None:
            yield f"  {future if at > now else past} {moment(at, now)}"
    if registry.get("last_event_at") is not None:
        yield f"  last event: {registry.get('last_event')} {moment(registry['last_event_at'], now)}"
    if registry.get("lookup_queued"):
        yield "  a look-up of it is queued"
    if registry.get("in_last_walk") is False:
        yield "  not listed by the last walk over the markets"


def _placed(explained: Facts, connection: Facts, now: float) -> Iterator[str]:
    name = f"connection {connection['conn_id']}"
    yield f"on {name}: {explained.get('why_there')}"
    since = connection.get("session_since")
    up = "" if since is None else f", socket open since {moment(since, now)}"
    if explained.get("still_on") is not None:
        yield f"  connection {explained['still_on']} carries it as well until its book came here"
    yield f"  state: {connection.get('state')}{up}"
    if connection.get("draining"):
        yield "  it is being drained: the market moves as soon as another has room"
    if connection.get("last_message") is not None:
        yield f"  its last message came {moment(connection['last_message'], now)}"


def _subscribed(connection: Facts, now: float) -> Iterator[str]:
    if not connection.get("held"):
        yield "not held: the exchange has not acknowledged it on this socket"
        return
    at, command = connection.get("acknowledged_at"), connection.get("command_id")
    acknowledged = "" if not at else f", acknowledged {moment(at, now)}" + (f" (command {command})" if command else "")
    yield f"held on sid {connection.get('sid')}{acknowledged}"
    book = connection.get("book_at")
    yield f"  latest book: {moment(book, now)}" if book else "  no book so far"


def _happened(explained: Facts, connection: Facts, now: float) -> Iterator[str]:
    for move in explained.get("moves", ())[-MAX_LISTED:]:
        there = "nowhere" if move.get("to") is None else f"connection {move['to']}"
        yield f"moved from connection {move['from']} to {there} {moment(move['at'], now)}: {move['why']}"
    gaps = connection.get("gaps", ())
    for gap in gaps[-MAX_LISTED:]:
        yield f"gap of {gap['size']:,} on sid {gap.get('sid', '?')} {moment(gap['at'], now)}{_outcome(gap)}"


def _outcome(gap: Facts) -> str:
    outcome, seconds = gap.get("outcome"), gap.get("seconds")
    if outcome == "recovered" and seconds is not None:
        return f", recovered in {span(seconds)}"
    return f", {outcome}" if outcome else ""
