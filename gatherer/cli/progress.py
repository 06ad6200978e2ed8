"""A progress bar on a terminal; nothing in a pipe, or without tqdm."""

from importlib.util import find_spec
from types import TracebackType
from typing import Any, TextIO


class Progress:
    """A context manager. The bar appears with the first `show`."""

    def __init__(self, out: TextIO, doing: str = "") -> None:
        self._is_shown = out.isatty() and find_spec("tqdm") is not None
        self._out = out
        self._doing = doing
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int) -> None:
        """So many segments of so many."""
        if not self._is_shown:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=self._doing, unit="segment", file=self._out, leave=False)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def doing(self, what: str, done: int, total: int) -> None:
        """The same with what is being done, as `gatherer.data.tables.Progress` has it."""
        self.show(done, total)
        if self._bar is not None:
            self._bar.set_description(what)
