"""The status as lines and tables for a prompt. Pure: `now` is Unix seconds."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gatherer import __version__
from gatherer.errors import AdminError
from gatherer.interfaces import ConnectionStatus, GathererStatus, PoolStatus, RegistryStatus, RouterStatus
from gatherer.text import clock_time, counted, moment, one_line, size, span
from gatherer.values import Facts

GAP = "  "
MIN_WIDTH = 6
"""Characters that are left of a text, however narrow the terminal."""
CUT = "…"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> list[str]:
    """Lines of equal columns, the headers first. Columns of numbers stand right; None is an empty cell.

    Texts are cut, the longest first, until a line is not wider than `width`; numbers never are.
    """
    cells = [tuple(row) for row in rows]
    numeric = [_is_numeric([row[column] for row in cells]) for column in range(len(headers))]
    shown = [[one_line(header) for header in headers], *([_shown(cell) for cell in row] for row in cells)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(headers))]
    if width is not None:
        _shrink(widths, numeric, width)
    return [_line(row, widths, numeric) for row in shown]


def _is_numeric(cells: list[object]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known)


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return one_line(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.1f}"


def _shrink(widths: list[int], numeric: list[bool], width: int) -> None:
    """Take a character from the widest text, again and again."""
    texts = [column for column, is_number in enumerate(numeric) if not is_number]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width:
        widest = max(texts, key=lambda column: widths[column], default=None)
        if widest is None or widths[widest] <= MIN_WIDTH:
            return
        widths[widest] -= 1


def _line(row: list[str], widths: list[int], numeric: list[bool]) -> str:
    cells = []
    for text, width, is_number in zip(row, widths, numeric, strict=True):
        cut = text if len(text) <= width else text[: width - len(CUT)] + CUT
        cells.append(cut.rjust(width) if is_number else cut.ljust(width))
    return GAP.join(cells).rstrip()


DOWN, DRAINING = "down", "draining"
"""States that `connections` knows besides those of a connection: anything but live, and being drained."""


def status_lines(status: GathererStatus, now: float) -> list[str]:
    """The whole in a few lines."""
    pool = status.pool
    lines = [("gatherer", f"{__version__}, {clock_time(now, now)} UTC")]
    lines += [("connections", _pool(pool)), ("markets", _markets(pool)), ("feed", _feed(pool, now))]
    lines += [("registry", _registry(status.registry, now)), ("capture", _capture(status.router))]
    lines += [(name, text) for name, text in _unusual(pool, status.router, now) if text]
    return [f"{name:<12} {text}" for name, text in lines]


def _pool(pool: PoolStatus) -> str:
    others = Counter(each.state for each in pool.connections if not each.is_live)
    down = "".join(f", {count} {state}" for state, count in others.most_common())
    return f"{pool.healthy} of {len(pool.connections)} live ({pool.min_healthy} needed){down}"


def _markets(pool: PoolStatus) -> str:
    text = f"{pool.markets:,} wanted, {pool.books:,} held with their book, {pool.owed:,} without"
    for count, what in (
        (pool.without_book, "whose book is late"),
        (pool.divergence, "to add or delete"),
        (pool.unplaced, "unplaced"),
        (pool.rejected, "rejected"),
    ):
        text += f", {count:,} {what}" if count else ""
    return text


def _feed(pool: PoolStatus, now: float) -> str:
    connections = pool.connections
    received, amount = sum(each.received for each in connections), sum(each.bytes_received for each in connections)
    gaps, reconnects = sum(each.gaps for each in connections), sum(each.reconnects for each in connections)
    newest = max((each.last_message for each in connections if each.last_message), default=None)
    heard = "" if newest is None else f", the latest {span(max(0.0, now - newest))} ago"
    marks = f"{counted(gaps, 'gap')}, {counted(reconnects, 'reconnect')}"
    return f"{counted(received, 'message')}, {size(amount)}{heard}; {marks}"


def _registry(registry: RegistryStatus, now: float) -> str:
    words = {True: "active", False: "NOT ACTIVE", None: "not known"}
    walked = "no walk finished yet" if registry.last_sync is None else f"last walk {moment(registry.last_sync, now)}"
    return (
        f"{registry.active_markets:,} of {registry.markets_total:,} markets active, {walked}; "
        f"exchange {words[registry.exchange_active]}, trading {words[registry.trading_active]}"
    )


def _capture(router: RouterStatus) -> str:
    return (
        f"{counted(router.written, 'message')} written, {router.backlog:,} wait for the disk, "
        f"{router.dropped:,} dropped"
    )


def _unusual(pool: PoolStatus, router: RouterStatus, now: float) -> Iterator[tuple[str, str | None]]:
    paused = pool.paused_since
    yield "paused", None if paused is None else f"commands wait since {moment(paused, now)}; resume() ends it"
    yield "draining", f"{', '.join(map(str, pool.draining))}; undrain(id) ends it" if pool.draining else None
    yield "alarm", pool.alarm
    yield "trouble", router.trouble and f"the capture cannot be written: {router.trouble}"


# -- tables -------------------------------------------------------------------------------------


def connection_lines(
    connections: list[ConnectionStatus], role: object, state: object, now: float, width: int | None
) -> list[str]:
    """Connections of a role (a part of its name will do) and a state. `AdminError` for words that mean nothing."""
    roles = _checked(role, sorted({each.role.value for each in connections}), "role")
    states = _checked(state, _known_states(connections), "state")
    chosen = [
        each for each in connections
        if (roles is None or each.role.value in roles) and (states is None or states & _states(each))
    ]  # fmt: skip
    headers = ("id", "role", "state", "markets", "messages", "latest", "remarks")
    rows = (_row(each, now) for each in chosen)
    return [*table(headers, rows, width), f"{len(chosen)} of {counted(len(connections), 'connection')}"]


def _row(each: ConnectionStatus, now: float) -> tuple[object, ...]:
    heard = each.last_message
    latest = None if heard is None else f"{span(max(0.0, now - heard))} ago"
    remarks = "; ".join(_remarks(each))
    return each.conn_id, each.role.value, each.state, each.held, each.received, latest, remarks


def _remarks(each: ConnectionStatus) -> Iterator[str]:
    if each.next_dial_in is not None:
        yield f"next dial in {span(each.next_dial_in)}"
    if each.draining:
        yield DRAINING
    if each.divergence:
        yield f"{each.divergence:,} to add or delete" if each.is_live else f"{counted(each.wanted, 'market')} wait"
    if each.owed:
        late = f", {each.without_book:,} of them late" if each.without_book else ""
        yield f"{each.owed:,} without a book{late}"
    if each.rejected:
        yield f"{each.rejected:,} rejected"
    if each.gaps:
        yield counted(each.gaps, "gap")
    if each.reconnects:
        yield counted(each.reconnects, "reconnect")


def _states(each: ConnectionStatus) -> set[str]:
    states = {each.state} if each.is_live else {each.state, DOWN}
    return states | {DRAINING} if each.draining else states


def _known_states(connections: list[ConnectionStatus]) -> list[str]:
    usual = ("live", "subscribing", "backoff", "queued", "dialing", DOWN, DRAINING)
    return sorted({*usual, *(each.state for each in connections)})


def _checked(word: object, known: list[str], what: str) -> set[str] | None:
    """The known words that contain it, or None when it was not given."""
    if word is None:
        return None
    exact = {each for each in known if each == word}
    fitting = exact or {each for each in known if isinstance(word, str) and word and word in each}
    if not fitting:
        raise AdminError(f"no {what} {word!r:.40}: there are {', '.join(known)}")
    return fitting


def pending_lines(commands: list[Facts], divergence: int, width: int | None) -> list[str]:
    """Commands without a reply, and how much is still to be asked for."""
    left = f"{counted(divergence, 'market')} in all to be added or deleted" if divergence else ""
    if not commands:
        return [f"no command waits for a reply{f'; {left}' if left else ''}"]
    rows = (
        (c["conn_id"], c["id"], c["action"], c["sid"] or None, c["markets"], span(c["age"]), c["first"])
        for c in commands
    )
    lines = table(("id", "command", "kind", "sid", "markets", "age", "first market"), rows, width)
    return [*lines, left] if left else lines


def gap_lines(gaps: list[Facts], seconds: float, now: float, width: int | None) -> list[str]:
    """Gaps, oldest first."""
    if not gaps:
        return [f"no gaps in the last {span(seconds)}"]
    rows = (
        (
            clock_time(gap["at"], now), gap["conn_id"], gap["sid"], gap["size"], gap["outcome"],
            None if gap["seconds"] is None else span(gap["seconds"]),
        )
        for gap in gaps
    )  # fmt: skip
    lines = table(("time", "id", "sid", "numbers", "outcome", "took"), rows, width)
    missing, open_ = sum(gap["size"] for gap in gaps), sum(gap["seconds"] is None for gap in gaps)
    return [*lines, f"{counted(len(gaps), 'gap')}, {counted(missing, 'number')} missing, {open_} not recovered"]


def help_lines(commands: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]], width: int | None) -> list[str]:
    """What there is at the prompt: usage and a sentence each."""
    both = [*commands], [*others]
    broad = max(len(name) for part in both for name, _ in part) + 2
    lines = [line for name, text in both[0] for line in _hanging(name, text, broad, width)]
    lines += ["", "for experts, the parts themselves:"]
    lines += [line for name, text in both[1] for line in _hanging(name, text, broad, width)]
    return [*lines, "", "help(kick) explains one. TAB completes names and tickers; Ctrl-D ends the session."]


def _hanging(name: str, text: str, indent: int, width: int | None) -> list[str]:
    return textwrap.wrap(
        one_line(text), max(width or 100, indent + 30), initial_indent=name.ljust(indent),
        subsequent_indent=" " * indent,
    )  # fmt: skip
