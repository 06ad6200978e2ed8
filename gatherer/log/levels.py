"""Which events are logged: one level for all, and levels of single components. Both can change at run time."""

from typing import Any

from twisted.logger import (
    ILogFilterPredicate,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
)
from zope.interface import implementer

from gatherer.errors import ConfigError

CHATTY = ("log_legacy", "twisted.web.client", "twisted.python.log", "twisted.conch")
"""Twisted logs every factory, port, page and SSH request at "info". We show that only at level "debug"."""


@implementer(ILogFilterPredicate)
class LevelControl:
    """A filter by level, which can be changed at run time."""

    def __init__(self, level: str = "info") -> None:
        """Raises ConfigError as `set`."""
        self._predicate = LogLevelFilterPredicate()
        self._components: dict[str, LogLevel] = {}
        self.level = level
        self.set(level)

    def set(self, level: str | None, component: str | None = None) -> None:
        """Log this level and above from now on.

        With a component ("gatherer.exchange") the level holds for it and what is below it; None removes it again.
        Raises ConfigError, which names the levels, for an unknown level; then nothing changes.
        """
        names = {constant.name: constant for constant in LogLevel.iterconstants()}
        if level not in names and (level is not None or component is None):
            raise ConfigError(f'[log] level must be one of {", ".join(names)}, not "{level}"')
        if component is None:
            self.level = str(level)
        elif level is None:
            self._components.pop(component, None)
        else:
            self._components[component] = names[level]
        predicate = LogLevelFilterPredicate(defaultLogLevel=names[self.level])
        chatty = dict.fromkeys(CHATTY, LogLevel.warn) if self.level == "info" else {}
        for namespace, constant in {**chatty, **self._components}.items():
            predicate.setLogLevelForNamespace(namespace, constant)
        self._predicate = predicate

    def describe(self) -> str:
        """The levels as text: `info`, or `info; debug for gatherer.exchange`."""
        return "; ".join([self.level, *(f"{level.name} for {name}" for name, level in self._components.items())])

    def __call__(self, event: LogEvent) -> Any:  # Any: a constant of PredicateResult, which has no type
        """See `ILogFilterPredicate`."""
        return self._predicate(event)
