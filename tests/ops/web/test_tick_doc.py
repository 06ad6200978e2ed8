"""docs/status-page.md names exactly what /live sends."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.ops.web import event_log as journal
from gatherer.ops.web import live as broadcast
from gatherer.ops.web import tick as model
from gatherer.ops.web import trends as history
from gatherer.ops.web.live import LiveFeed
from gatherer.ops.web.service import MAX_CONNECTIONS, REQUEST_TIMEOUT
from tests.ops.support import StubManager, StubRegistry, StubRouter, make_events, make_health
from tests.ops.web.test_live_feed import Watcher
from tests.support.wall import wall_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "status-page.md"
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
        LiveFeed(clock, wall_of(clock), make_health(*parts).status, make_events()).add(watcher.stream)
        sent = dict(watcher.take())
        self.assertEqual(sorted(documented("tick")), sorted(names(sent["tick"])))
        self.assertEqual(set(sent["history"]), {"columns", "rows"})

    def test_limits(self) -> None:
        """The numbers in the text are those of the code."""
        minutes = history.INTERVAL * history.MAX_SAMPLES / 60
        text = " ".join(PAGE.read_text(encoding="utf-8").split())
        for claim in (
            f"At most {MAX_CONNECTIONS} connections are open at a time, {broadcast.MAX_STREAMS} of them on `/live`",
            f"whole within {REQUEST_TIMEOUT:.0f} s",
            f"after {broadcast.MAX_UNREAD_SECONDS:.0f} s it is cut off",
            f"at most the newest {journal.MAX_ENTRIES}, oldest first",
            f"one line, at most {journal.MAX_TEXT} characters",
            f"a row every {history.INTERVAL:.0f} s for at most {minutes:.0f} minutes",
            f"by kind, the {model.MAX_KINDS} most frequent",
        ):
            self.assertIn(claim, text)
