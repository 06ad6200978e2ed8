"""Writes conf/gatherer.toml and the reference page from the declared keys. Pure; a test keeps both up to date."""

import textwrap
from typing import Any

from gatherer.config.keys import Form, keys_of
from gatherer.config.settings import Key, tables

WIDTH = 110
HEAD = """\
# Settings of gatherer: every key with its default value, its unit and the reason for it.
#
# Only [exchange] key_id and private_key_file are required. A key that is left out keeps its default.
# An environment variable GATHERER_<TABLE>_<KEY>, such as GATHERER_POOL_DIAL_RATE, overrides this file.
# A relative path starts from the working directory, and "~" is the home directory.
# The test tests/config/test_conf_files.py keeps this file equal to the defaults in gatherer/config.
"""
MARKDOWN_HEAD = """\
# Settings

Generated from `gatherer/config`; CONTRIBUTING.md has the command. `conf/gatherer.toml` has the same keys as a file to
start from. `conf/demo-exchange.toml` is for Kalshi's demo environment.

An environment variable `GATHERER_<TABLE>_<KEY>` overrides the file. Unknown tables, keys and `GATHERER_` variables
are errors. A relative path starts from the working directory; `~` is the home directory. All paths become absolute at
the start.

After SIGHUP the file is read again (`docs/running.md`). The column "reload" says when a new value then takes effect:
*at once*, from the *next session* on (open sessions keep the old value), or only after a *restart*.
"""


def as_toml() -> str:
    """The text of conf/gatherer.toml."""
    return "\n".join([HEAD, *(_toml_table(table, cls) for table, cls in tables().items())])


def as_markdown() -> str:
    """The text of docs/settings.md, a reference of all keys."""
    return "\n".join([MARKDOWN_HEAD, *(_markdown_table(table, cls) for table, cls in tables().items())])


def toml_value(value: object) -> str:
    """A default as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def limits(key: Key) -> str:
    """The values that a key may have, in words: unit and bounds, choices, or form. Empty for switches and paths."""
    spec = key.spec
    if spec.choices:
        names = ", ".join(toml_value(choice) for choice in spec.choices)
        return f"one of {names}" if len(spec.choices) > 1 else f"only {names} so far"
    if spec.low is not None and spec.high is not None:
        return f"{spec.unit or 'a number'}, {spec.low:,} to {spec.high:,}"
    return "" if key.kind is bool or spec.form is Form.PATH else spec.form.value


def _summary(cls: Any) -> str:
    return str(cls.__doc__).strip()


def _comment(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _toml_table(table: str, cls: Any) -> str:
    return "\n".join([_comment(_summary(cls)), f"[{table}]", *(_toml_key(key) for key in keys_of(table, cls))]) + "\n"


def _toml_key(key: Key) -> str:
    about = key.spec.meaning[0].upper() + key.spec.meaning[1:]
    bounds = f" ({limits(key)})" if limits(key) else ""
    return f"{_comment(f'{about}{bounds}. Why: {key.spec.reason}.')}\n{key.name} = {toml_value(key.default)}"


def _markdown_table(table: str, cls: Any) -> str:
    head = [f"## `[{table}]`", "", _summary(cls), "", "| key | default | values | reload | meaning | why |"]
    rule = "|" + " --- |" * 6
    return "\n".join([*head, rule, *(_markdown_key(key) for key in keys_of(table, cls))]) + "\n"


def _markdown_key(key: Key) -> str:
    values = limits(key) or ("true or false" if key.kind is bool else "a path")
    spec = key.spec
    cells = (f"`{key.name}`", f"`{toml_value(key.default)}`", values, spec.reload.value, spec.meaning, spec.reason)
    return f"| {' | '.join(cells)} |"
