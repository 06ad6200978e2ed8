"""The figures of benchmarks.scale as a table, with their targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its name, the kind of run, its text, and its limit."""

    text: str
    kind: str
    value: Callable[[Result], float]
    format: str = "{:,.1f}"
    limit: float | None = None


def _is(key: str) -> Callable[[Result], float]:
    return lambda result: float(result[key])


ROWS = (
    Row("registry to wanted, s of processor time", "simulator", _is("wanted_cpu_seconds")),
    Row("empty to every book here, s of processor time", "simulator", _is("held_cpu_seconds")),
    Row("… markets a second of it", "simulator", lambda r: r["size"] / r["held_cpu_seconds"], "{:,.0f}"),
    Row("longest reactor turn meanwhile, ms", "simulator", _is("longest_turn_ms"), limit=100.0),
    Row("longest single callback of it, ms", "simulator", _is("longest_callback_ms"), limit=100.0),
    Row("memory a market, bytes", "simulator", _is("bytes_market"), "{:,.0f}", limit=400.0),
    Row("… with its ticker's text", "simulator", _is("bytes_total"), "{:,.0f}"),
    Row("reconnect: markets of the connection", "simulator", _is("reconnect_markets"), "{:,.0f}"),
    Row("reconnect: s to full coverage, 1 s of it the wait", "simulator", _is("reconnect_seconds"), "{:,.2f}", 5.0),
    Row("reconnect: s of processor time", "simulator", _is("reconnect_cpu_seconds"), "{:,.3f}"),
    Row("walk over unchanged markets, s of processor time", "simulator", _is("reconcile_cpu_seconds")),
    Row("… longest reactor turn, ms", "simulator", _is("reconcile_turn_ms"), limit=100.0),
    Row("one add: decision, µs", "lean", _is("add_decision_us")),
    Row("one add: until its book is here, µs", "lean", _is("add_us")),
    Row("one remove: decision, µs", "lean", _is("remove_decision_us")),
    Row("one remove: until it is acknowledged, µs", "lean", _is("remove_us")),
    Row("10,000 changes in one turn, ms", "lean", _is("crowd_ms")),
    Row("… until all books are here, ms", "lean", _is("crowd_held_ms")),
    Row("a look at all figures (status), ms", "simulator", _is("status_ms")),
)
RATIOS = ("add_decision_us", "add_us", "remove_decision_us", "remove_us")
"""What may cost at most `DEARER` times as much at the largest size as at the smallest."""
DEARER = 1.3


def table(results: Sequence[Result]) -> str:
    """Markdown. A target that is missed is marked."""
    sizes = sorted({result["size"] for result in results})
    lines = [
        "| | " + " | ".join(f"{size:,}" for size in sizes) + " | at most |",
        "| --- |" + " ---: |" * (len(sizes) + 1),
    ]
    for row in ROWS:
        found = {result["size"]: result for result in results if result["exchange"] == row.kind}
        if found:
            cells = [_cell(row, found[size]) if size in found else "" for size in sizes]
            lines.append(
                f"| {row.text} | {' | '.join(cells)} | {'' if row.limit is None else format(row.limit, 'g')} |"
            )
    return "\n".join(lines + ratios(results))


def _cell(row: Row, result: Result) -> str:
    value = row.value(result)
    missed = row.limit is not None and value > row.limit
    return row.format.format(value) + (" (missed)" if missed else "")


def ratios(results: Sequence[Result]) -> list[str]:
    """The cost of single changes at the largest size, relative to the smallest."""
    lean = sorted((result for result in results if result["exchange"] == "lean"), key=lambda result: result["size"])
    if len(lean) < 2:
        return []
    lines = ["", f"Dearer at {lean[-1]['size']:,} than at {lean[0]['size']:,}, at most {DEARER}:"]
    for key in RATIOS:
        ratio = lean[-1][key] / lean[0][key]
        lines.append(f"{key.removesuffix('_us')}: {ratio:.2f}" + (" (missed)" if ratio > DEARER else ""))
    return lines
