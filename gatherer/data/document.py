"""`python -m gatherer.data.document > docs/tables.md`: the page about the tables, made of their schema."""

import sys

from gatherer.data.schema import document

INTRODUCTION = """\
# The tables

`gatherer tables CAPTURE --out DIR` writes them as Parquet, `DIR/<table>/date=YYYY-MM-DD/<name>.parquet`, compressed
with zstd. The date is the UTC day of `received_at`. For `coverage` it is the day of the interval, and for `markets`
the day of the market's first message. [Captured data](data.md) shows how to work with the tables. This page is made
from the schema in the code, and a test holds every written file against it.

* **Order.** A replay of one market's `book_snapshots` and `book_deltas` by `received_ns`, `segment`, `line` is the
  exchange's book wherever `coverage` says `complete`. A snapshot replaces the book; a delta is added to its level.
  Where the book goes on with another connection, the first rows are a snapshot. It is the exchange's own, or it is
  made of that connection's earlier messages; then it has the `received_ns` of the switch, and the segment and line of
  the last message in it.
* **Holes.** Messages of a connection whose book was in doubt are not in the book tables. They are in the capture.
* **Once.** A trade is recognised by `trade_id`. Tickers and lifecycle messages are recognised by their text: the n-th
  equal text of one connection is the n-th of another. So what one connection received twice is here twice.
* **Origin.** `gatherer`, `segment` and `line` lead each row back to the raw bytes: `zstdcat SEGMENT | sed -n LINEp`.
* **Several gatherers.** The first one that was ever named goes first, and the next fills its holes. Segments that
  come in a later run still fill holes. A file of a day may then be written again; each file appears whole.

"""


def page() -> str:
    """The whole page."""
    return INTRODUCTION + "\n".join(document()).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
