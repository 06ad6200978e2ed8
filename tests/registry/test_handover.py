"""A listener that fails loses nothing for long."""

from twisted.trial.unittest import SynchronousTestCase

from tests.registry.test_registry import RegistryRig, make_row, message


class BrokenListenerTests(SynchronousTestCase):
    """The listener raises in the middle of its changes."""

    def setUp(self) -> None:
        """A, B and C are carried; the listener fails for chosen tickers."""
        self.rig = RegistryRig(self, make_row("A"), make_row("B"), make_row("C"))
        self.rig.start()
        self.rig.got("add A", "add B", "add C")
        self.failing: set[str] = set()
        take = self.rig.recorder.apply

        def apply(change: object) -> None:
            if change.ticker in self.failing:  # type: ignore[attr-defined]
                raise ZeroDivisionError
            take(change)  # type: ignore[arg-type]

        self.patch(self.rig.recorder, "apply", apply)

    def fails(self) -> int:
        """How many failures were logged since the last look."""
        return len(self.flushLoggedErrors(ZeroDivisionError))

    def test_rest_of_the_chunk_is_not_lost(self) -> None:
        """The changes behind the one that failed reach the listener in the same turn, a lost refresh too."""
        self.failing.add("A")
        events = [message("determined", "A"), message("activated", "B"), message("activated", "D")]
        self.rig.registry.lifecycle_messages([*events, message("determined", "C")])
        self.assertEqual((self.rig.recorder.log, self.fails()), (["refresh B", "add D", "remove C"], 1))
        self.assertEqual(self.rig.registry.status().repaired, 2)

    def test_next_walk_repairs_the_rest(self) -> None:
        """What fails even alone is passed on again after each walk, and the difference is logged when it is gone."""
        self.failing |= {"A", "D"}
        self.rig.registry.lifecycle_messages([message("determined", "A"), message("activated", "D")])
        self.rig.rest.put(make_row("A", "determined"), make_row("D"))
        self.rig.wait(301)
        self.assertEqual((self.rig.recorder.carrying, self.fails()), ({"A", "B", "C"}, 1))
        self.failing.clear()
        self.rig.wait(300)
        self.rig.got("add D", "remove A")
        self.assertEqual(self.rig.registry.status().repaired, 2)

    def test_listener_that_drifts(self) -> None:
        """What a listener lost, and what it kept, is repaired after the next walk; nothing else moves."""
        self.rig.recorder.carrying ^= {"A", "X"}
        self.rig.wait(301)
        self.rig.got("add A", "remove X")
        self.rig.wait(900)
        self.rig.got()

    def test_comparison_is_paced(self) -> None:
        """A large comparison gives the reactor back after every 2,000 markets, and may meet changes meanwhile."""
        rig = RegistryRig(self, *(make_row(f"B{n}") for n in range(5000)), page_size=1000)
        rig.start()
        rig.recorder.carrying.discard("B7")
        steps = 0
        for _ in rig.registry._handover.compare():
            steps += 1
            rig.registry.lifecycle_messages([message("determined", f"B{4000 + steps}")])
        self.assertEqual((steps, rig.recorder.log[5000:].count("add B7")), (4, 1))
        self.assertEqual(rig.recorder.carrying, rig.registry.active())

    def test_stopped(self) -> None:
        """After the stop nothing is compared."""
        self.rig.registry.stop()
        self.rig.recorder.carrying.clear()
        self.assertEqual(list(self.rig.registry._handover.compare()), [])
