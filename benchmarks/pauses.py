"""How long the garbage collector blocks the reactor, with the maximum of markets in memory.

Run: python -m benchmarks.pauses. Registry, manager, connections and sessions are the real ones. The exchange is the
lean stand-in, in the same process. While the markets arrive, `gc.callbacks` measures the pauses. Afterwards each
generation is collected several times by hand, and the longest pause is printed. With `--no-freeze` the imported code is
not frozen, as without `gc.freeze()` in `gatherer/app/tap.py`.
"""

import argparse
import gc
import platform
from time import process_time
from typing import Any

from benchmarks.rig import Rig
from benchmarks.scale import tickers

TIMES = 5


class Pauses:
    """Processor time of each collection, by generation."""

    def __init__(self) -> None:
        self.longest = [0.0, 0.0, 0.0]
        self.count = [0, 0, 0]
        self._since = 0.0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        """See `gc.callbacks`."""
        if phase == "start":
            self._since = process_time()
            return
        generation = info["generation"]
        self.count[generation] += 1
        self.longest[generation] = max(self.longest[generation], process_time() - self._since)

    def __str__(self) -> str:
        return ", ".join(
            f"generation {number}: {count} times, {longest * 1e3:.1f} ms at most"
            for number, (count, longest) in enumerate(zip(self.count, self.longest, strict=True))
        )


def main() -> None:
    """Fill, then collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=1_080_000)
    parser.add_argument("--no-freeze", action="store_true", help="leave what was imported to the collector")
    options = parser.parse_args()
    rig = Rig(lambda: tickers(options.markets), None)
    if not options.no_freeze:
        gc.freeze()  # where tap does it: after the parts are made, before anything runs
    filling, by_hand = Pauses(), Pauses()
    gc.callbacks.append(filling)
    rig.open()
    rig.walk()
    rig.quiet()
    gc.callbacks.remove(filling)
    gc.callbacks.append(by_hand)
    for generation in (0, 1, 2) * TIMES:
        gc.collect(generation)
    held = sum(book.status().held for book in rig.books)
    print(
        f"CPython {platform.python_version()}, {held:,} markets held, {len(gc.get_objects()):,} objects to walk through"
    )
    print(f"while they came in: {filling}")
    print(f"by hand: {by_hand}")


if __name__ == "__main__":
    main()
