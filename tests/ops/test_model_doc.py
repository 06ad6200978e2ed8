"""docs/status-page.md names exactly what /live sends."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.ops import broadcast, history, journal, model
from gatherer.ops.broadcast import Broadcast
from gatherer.ops.journal import Journal
from gatherer.ops.web import MOST_CONNECTIONS, REQUEST_TIMEOUT
from tests.ops.support import StubManager, StubRegistry, StubRouter, make_vitals
from tests.ops.test_broadcast import Watcher

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "status-page.md"
NESTED = ("health", "ready", "pool", "registry", "router")


def documented(section: str) -> list[str]:
    """First column of the table in a section."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n### {section}\n")[2]
    table = re.split(r"^##", text, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE)


def names(value: dict[str, Any]) -> Iterator[str]:
    """Of a tick, as the page writes them."""
    for name, inner in value.items():
        if name in NESTED:
            yield from (f"{name}.{each}" for each in inner)
        else:
            yield name


class DocumentTests(SynchronousTestCase):
    """Tables against values."""

    def test_columns(self) -> None:
        """Columns are named in their order."""
        self.assertEqual(documented("history"), list(history.COLUMNS))
        self.assertEqual(documented("events"), list(journal.COLUMNS))
        self.assertEqual(documented("tick.connections"), list(model.COLUMNS))

    def test_tick(self) -> None:
        """Every name of a tick has its row, and every row a name."""
        parts = (StubManager(), StubRegistry(), StubRouter())
        clock = Clock()
        watcher = Watcher(clock)
        Broadcast(clock, *parts, make_vitals(*parts), Journal()).add(watcher.stream)
        told = dict(watcher.take())
        self.assertEqual(sorted(documented("tick")), sorted(names(told["tick"])))
        self.assertEqual(set(told["history"]), {"columns", "rows"})

    def test_limits(self) -> None:
        """The numbers in the text are those of the code."""
        minutes = history.INTERVAL * history.MOST_SAMPLES / 60
        text = " ".join(PAGE.read_text(encoding="utf-8").split())
        for claim in (
            f"At most {MOST_CONNECTIONS} connections are open at a time, {broadcast.MOST_STREAMS} of them on `/live`",
            f"whole within {REQUEST_TIMEOUT:.0f} s",
            f"after {broadcast.PATIENCE:.0f} s it is cut off",
            f"at most the newest {journal.MOST_ENTRIES}, oldest first",
            f"one line, at most {journal.MOST_TEXT} characters",
            f"a row every {history.INTERVAL:.0f} s for at most {minutes:.0f} minutes",
            f"by kind, the {model.MOST_KINDS} most frequent",
        ):
            self.assertIn(claim, text)
