"""What TAB does."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.ops.manhole.completion import Completion, complete

NAMES = {"pause": "()", "pending": "()", "explain": '("', "exit": "()", "manager": "", "status": "()"}
TICKERS = ["KXA-1", "KXA-2", "KXB-1"]


def tickers(prefix: str) -> list[str]:
    """Those there are."""
    return [ticker for ticker in TICKERS if ticker.startswith(prefix)]


class CompletionTests(SynchronousTestCase):
    """complete."""

    def assert_completes(self, line: str, insert: str, *choices: str) -> None:
        """What is inserted, and what is offered if nothing is."""
        self.assertEqual(complete(line, NAMES, tickers), Completion(insert, choices), line)

    def test_names(self) -> None:
        """One that fits is completed, with what follows it; several as far as they agree, else they are shown."""
        self.assert_completes("sta", "tus()")
        self.assert_completes("status", "()")
        self.assert_completes("p", "", "pause", "pending")
        self.assert_completes("pe", "nding()")
        self.assert_completes("x = man", "ager")
        self.assert_completes("print(expl", 'ain("')
        self.assert_completes("nothing", "")

    def test_tickers(self) -> None:
        """In the quotes of the commands that take one, of either kind."""
        self.assert_completes('explain("KXB', '-1")')
        self.assert_completes("where( 'KX", "", "KXA-1", "KXA-2", "KXB-1")
        self.assert_completes('snapshot(ticker="KXA', "-")
        self.assert_completes('explain("NO', "")

    def test_other_places(self) -> None:
        """In other texts, behind a dot and inside a number there is nothing to complete."""
        for line in ('print("sta', "manager.sta", 'kick("KX', "1sta", "connections(role='p"):
            self.assert_completes(line, "")

    @given(st.text(max_size=40))
    def test_what_is_inserted_continues_the_line(self, line: str) -> None:
        """Whatever stands there: no choice is offered together with an insertion, and nothing raises."""
        found = complete(line, NAMES, tickers)
        self.assertFalse(found.insert and found.choices)
