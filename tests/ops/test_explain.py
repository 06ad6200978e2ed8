"""A market's story and verdict: each cause of silence has words of its own."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.ops.explain import explain, verdict

NOW = 1_795_380_000.0  # 2026-11-22 20:40:00 UTC


def registry(**facts: Any) -> dict[str, Any]:
    """What the registry knows of an active market."""
    return {
        "ticker": "T", "carried": True, "status": "active", "open_ts": NOW - 3600, "close_ts": NOW + 7200,
        "last_event": None, "last_event_at": None, "in_last_walk": True, "lookup_queued": False, **facts,
    }  # fmt: skip


def connection(**facts: Any) -> dict[str, Any]:
    """A live connection that holds the market and has its book."""
    return {
        "conn_id": 17, "state": "live", "wanted": True, "gaps": [], "session_since": NOW - 600, "held": True, "sid": 1,
        "command_id": 4, "acknowledged_at": NOW - 590, "book_at": NOW - 589, "owed": False, "last_seq": 5512,
        "heard_at": NOW - 0.2, "rejected": None, "retry_at": None, "next_dial_in": None, "last_error": None,
        "standing": "held", "pending": None, "watched_since": NOW - 40, "delta_at": None, **facts,
    }  # fmt: skip


def explained(**facts: Any) -> dict[str, Any]:
    """A market that is fed."""
    return {
        "ticker": "T", "registry": registry(), "unplaced": False, "connection": connection(),
        "why_there": "least loaded when it was added", "moves": [], "paused_since": None, **facts,
    }  # fmt: skip


class VerdictTests(SynchronousTestCase):
    """Why it is silent."""

    def assert_verdict(self, expected: str, **facts: Any) -> None:
        """The whole text is this, and it ends the story."""
        story = explained(**facts)
        self.assertEqual(verdict(story, NOW), expected)
        self.assertEqual(explain(story, NOW)[-1], f"verdict: {expected}")

    def test_a_market_nobody_knows(self) -> None:
        """It is not called closed, and the spelling is suspected."""
        text = "unknown: the registry does not know it: it is misspelled, or it was settled and removed"
        self.assert_verdict(text, registry=None, connection=None)

    def test_markets_that_are_not_wanted(self) -> None:
        """The registry's reason is given with its time."""
        for facts, text in (
            ({"status": "final", "last_event": "settled", "last_event_at": NOW - 60}, "settled 20:39:00 (60 s ago)"),
            ({"status": "unopened", "open_ts": NOW + 60}, "it opens 20:41:00 (in 60 s)"),
            ({"status": "unopened", "open_ts": None}, "it is not open, and its opening is not known"),
            ({"status": "closed", "close_ts": NOW - 5}, "the exchange lists it as closed, closed 20:39:55 (5.0 s ago)"),
            (
                {"status": "paused", "last_event_at": NOW - 60},
                "trading in it is paused since 20:39:00, and it was not carried before",
            ),
        ):
            known = registry(carried=False, **facts)
            self.assert_verdict(f"not wanted: {text}", registry=known, connection=None)

    def test_no_room(self) -> None:
        """A market without a connection waits for a place, and that is said."""
        text = "unplaced: wanted, but no connection that takes markets has room; it gets the next place that is free"
        self.assert_verdict(text, unplaced=True, connection=None)

    def test_a_connection_that_is_down(self) -> None:
        """The next dial and the last error come before anything about the market."""
        down = connection(state="backoff", next_dial_in=3.2, last_error="refused\nHTTP 503", held=False)
        self.assert_verdict(
            "connection 17 is in backoff, next dial in 3.2 s; the last socket or dial ended with: refused HTTP 503",
            connection=down,
        )
        self.assert_verdict("connection 17 waits for its turn to dial", connection=connection(state="queued"))

    def test_what_the_exchange_was_asked(self) -> None:
        """Refused, not answered, to be repeated, not asked yet and held back have different verdicts."""
        pending = {"id": 9, "age": 0.3, "action": "add_markets", "markets": 2}
        for facts, text in (
            ({"rejected": 16, "retry_at": NOW + 312}, "rejected by the exchange, code 16, tried again in 5 min"),
            ({"standing": "asked", "pending": pending}, "asked for with command 9 0.3 s ago, no reply yet"),
            (
                {"standing": "again"},
                "a command that asked for it failed or got lost: it is asked for again after a pause",
            ),
            ({"standing": "queued"}, "waits for its turn to be asked for on connection 17"),
        ):
            self.assert_verdict(text, connection=connection(**{"held": False, **facts}))
        self.assert_verdict(
            "not subscribed: commands are paused since 20:39:00 (60 s ago); resume() lets them go on",
            connection=connection(held=False, standing="queued"), paused_since=NOW - 60,
        )  # fmt: skip

    def test_a_book_that_did_not_come(self) -> None:
        """First book, fresh book, a book that is late and a gap have their own words."""
        held = "held on sid 1 since 20:30:10"
        gap = {"at": NOW - 2, "sid": 1, "size": 3, "outcome": "waiting", "seconds": None}
        for facts, text in (
            ({"owed": True, "book_at": None}, f"{held}, its first book has not come yet"),
            ({"owed": True}, f"{held}, a fresh book was asked for and has not come yet"),
            (
                {"book_at": None, "owed": True, "asked_in_vain": 2},
                f"{held}, its first book has not come yet, although it was asked for 2 times: gatherer goes on asking",
            ),
            ({"gaps": [gap]}, f"{held}; 3 numbers skipped 20:39:58 (2.0 s ago): a fresh book is awaited"),
        ):
            self.assert_verdict(text, connection=connection(**facts))

    def test_a_market_that_is_fed_or_quiet(self) -> None:
        """A quiet market on a living sid, a quiet sid and a paused market have other verdicts than one that is fed."""
        start = "held on sid 1 since 20:30:10, book came 20:30:11 (10 min ago), last number 5,512 "
        alive = f"{start}20:39:59 (0.2 s ago), "
        paused = registry(status="paused", last_event_at=NOW - 60)
        for facts, about, text in (
            ({"delta_at": NOW - 0.5}, {}, f"{alive}fed: last delta 20:39:59 (0.5 s ago)"),
            (
                {},
                {},
                f"{alive}quiet: no deltas since 20:39:20 (40 s ago), when watching began, while its sid is alive",
            ),
            (
                {"heard_at": NOW - 90},
                {},
                f"{start}20:38:30 (90 s ago), quiet: nothing came for any market of the sid since 20:38:30",
            ),
            ({}, {"registry": paused}, f"{alive}trading in it is paused since 20:39:00, so it is quiet"),
        ):
            self.assert_verdict(text, connection=connection(**facts), **about)


class StoryTests(SynchronousTestCase):
    """What leads up to the verdict."""

    def test_the_newest_moves_and_gaps_are_told(self) -> None:
        """With time, cause and outcome, and no more than five of each."""
        moves = [{"ticker": "T", "at": NOW - n, "from": n, "to": 17, "why": "drained"} for n in range(9, 0, -1)]
        gaps = [{"at": NOW - 9, "sid": 1, "size": 3, "outcome": "recovered", "seconds": 0.42}]
        lines = explain(explained(moves=moves, connection=connection(gaps=gaps)), NOW)
        self.assertEqual([line for line in lines if line.startswith("moved")][-1].split(" 20:")[0],
                         "moved from connection 1 to connection 17")  # fmt: skip
        self.assertEqual(sum(line.startswith("moved") for line in lines), 5)
        self.assertIn("gap of 3 on sid 1 20:39:51 (9.0 s ago), recovered in 0.4 s", lines)

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                key: st.none() | st.sampled_from([True, False, 0, 3, NOW, -1e18, 1e18, "live", "backoff", "x\ny"])
                for key in (*connection(), *registry())
                if key not in ("gaps", "pending", "conn_id")
            },
        ),
        st.booleans(),
    )
    def test_any_facts_make_a_story(self, facts: dict[str, Any], placed: bool) -> None:
        """Whatever is missing or odd, there is a story of whole lines, and its last is the verdict."""
        numbers = {k: v for k, v in facts.items() if not isinstance(v, str) or k in ("state", "status", "last_error")}
        known = {key: numbers.get(key, value) for key, value in registry().items()}
        there = {**connection(), **numbers} if placed else None
        lines = explain(explained(registry=known, connection=there), NOW)
        self.assertTrue(lines[-1].startswith("verdict: "))
        self.assertFalse([line for line in lines if "\n" in line])
