"""A prompt on a pool in memory."""

from typing import Any

from gatherer.log.levels import LevelControl
from gatherer.ops.manhole.commands import Caller, Prompt
from tests.ops.support import StubRegistry, StubRouter, make_health
from tests.support.pool import FakeRegistry, Pool
from tests.support.wall import wall_of

BY = "manhole user ada from 127.0.0.1:4711"


class _Registry(FakeRegistry):
    """Has never heard of NOPE."""

    def describe(self, ticker: str) -> Any:
        return None if ticker == "NOPE" else super().describe(ticker)


class _Pool(Pool):
    def make_registry(self) -> Any:
        return _Registry()


class Prompting:
    """`names` is what the prompt knows, `said` what it said by itself."""

    def __init__(self, width: int | None = None, **options: Any) -> None:
        self.pool = _Pool(**options).start()
        self.pool.add(self.pool.tickers)
        self.pool.step()
        self.levels = LevelControl()
        self.registry = StubRegistry()
        self.said: list[str] = []
        self.width = width
        self.prompt = self.make_prompt(Caller(BY, self.said.append, lambda: self.width))
        self.names = self.prompt.namespace()

    def make_prompt(self, caller: Caller) -> Prompt:
        """For somebody else."""
        parts = (self.pool.manager, self.registry, StubRouter())
        return Prompt(
            *parts, make_health(*parts).status, self.levels, self.pool.clock, wall_of(self.pool.clock), caller
        )
