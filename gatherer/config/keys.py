"""How a key is declared: a dataclass field has its type and default, and a `Spec` in its metadata has the rest.

`number`, `text` and `switch` return Any, as `dataclasses.field` does for type checkers: a field of any type takes it.
The dataclass of a table is Any as well, because there is no public type for "a dataclass".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any


class Form(Enum):
    """The form that a text must have."""

    PLAIN = "text"
    WEBSOCKET_URL = "a wss:// URL"
    REST_URL = "an https:// URL"
    PATH = "a path"
    ENDPOINT = "a Twisted endpoint string"
    TOKEN = "a word without blanks"


class Reload(Enum):
    """When a new value takes effect after SIGHUP."""

    NOW = "at once"
    NEXT = "next session"
    """From the next dial or session; open sessions keep the old value."""
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Spec:
    """Everything about a key but its type and default. Bounds are inclusive; texts and switches have none."""

    meaning: str
    reason: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    form: Form = Form.PLAIN
    reload: Reload = Reload.RESTART


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one table."""

    table: str
    name: str
    kind: type
    default: Any
    spec: Spec

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return f"GATHERER_{self.table}_{self.name}".upper()


def number(
    default: float, unit: str, low: float, high: float, meaning: str, reason: str, reload: Reload = Reload.RESTART
) -> Any:
    """A key that is a number of the type of its default, int or float."""
    return field(default=default, metadata={"spec": Spec(meaning, reason, unit, low, high, reload=reload)})


def text(
    default: str, meaning: str, reason: str, form: Form = Form.PLAIN, choices: tuple[str, ...] = (),
    reload: Reload = Reload.RESTART,
) -> Any:  # fmt: skip
    """A key that is a text. An empty text means "not set" if the form allows it."""
    return field(default=default, metadata={"spec": Spec(meaning, reason, choices=choices, form=form, reload=reload)})


def switch(default: bool, meaning: str, reason: str, reload: Reload = Reload.RESTART) -> Any:
    """A key that is true or false."""
    return field(default=default, metadata={"spec": Spec(meaning, reason, reload=reload)})


def keys_of(table: str, cls: Any) -> Iterator[Key]:
    """The keys of one table, in order; `cls` is its dataclass."""
    for each in fields(cls):
        assert isinstance(each.type, type), "the annotations of settings are plain classes"
        yield Key(table, each.name, each.type, each.default, each.metadata["spec"])
