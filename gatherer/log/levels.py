"""TODO-DOC gatherer/log/levels.py."""

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
"""Twisted tells at "info" of every factory, port, page and SSH request; at "debug" they are shown."""


@implementer(ILogFilterPredicate)
class LevelControl:
    """The least important level that is logged; it may be changed while the log is written."""

    def __init__(self, level: str = "info") -> None:
        """ConfigError as `set`."""
        self._predicate = LogLevelFilterPredicate()
        self._components: dict[str, LogLevel] = {}
        self.level = level
        self.set(level)

    def set(self, level: str | None, component: str | None = None) -> None:
        """From now on this level and above, for all that have none of their own or for one component and what is below
        it ("gatherer.exchange"), which None makes like the others. ConfigError names the levels there are; then
        nothing changes."""
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
        """`info`, `info; debug for gatherer.exchange`."""
        return "; ".join([self.level, *(f"{level.name} for {name}" for name, level in self._components.items())])

    def __call__(self, event: LogEvent) -> Any:
        """See `ILogFilterPredicate`."""
        return self._predicate(event)
