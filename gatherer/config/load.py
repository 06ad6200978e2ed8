"""Reads the settings: a TOML file, then `GATHERER_<TABLE>_<KEY>` variables, which override it. Checks every value.

`gatherer.config.settings` declares the keys. Each `ConfigError` is one line that names the file or the variable, the
table, the key, and what was expected. Long values are never repeated in full, and no value is logged.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from gatherer.config.settings import Key, Settings, every_key, tables
from gatherer.config.validate import check_together, checked, from_text, shown
from gatherer.errors import ConfigError
from gatherer.text import one_line

MAX_ERROR = 10_000
"""Characters of an error: more than two of the longest paths."""
PREFIX = "GATHERER_"
MAX_BYTES = 1_000_000
"""A settings file has a few kilobytes. A larger file is something else."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and where it was set."""

    value: object
    where: str


def load_settings(path: str | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file (None: only defaults), overridden by the variables of `environ`. Raises `ConfigError`.

    Paths in the result are absolute, so that a later change of the working directory does not matter. Relative paths
    start from the working directory. `min_healthy` is lowered to the size of the plan.
    """
    try:
        return _load(path, environ)
    except OSError as error:
        raise ConfigError(f"the working directory cannot be used: {error.strerror}") from None
    except ConfigError as error:
        raise ConfigError(one_line(error, MAX_ERROR)) from None


def _load(path: str | None, environ: Mapping[str, str]) -> Settings:
    source = "settings" if path is None else path
    given = {} if path is None else _from_file(_parse(path), path)
    given.update(_from_environment(environ))
    values: dict[str, dict[str, Any]] = {table: {} for table in tables()}
    for key in every_key():
        one = given.get((key.table, key.name), Given(key.default, f"{source}: [{key.table}] {key.name}"))
        values[key.table][key.name] = checked(key, one.value, one.where)
    settings = Settings(**{table: cls(**values[table]) for table, cls in tables().items()}, source=source)
    check_together(settings)
    pool = settings.pool
    return replace(settings, pool=replace(pool, min_healthy=min(pool.min_healthy, pool.connections)))


def _parse(path: str) -> dict[str, object]:
    """The TOML of a file. Raises `ConfigError` for anything else."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES:,} bytes, so it is not a settings file")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: is not text in UTF-8 (line {line}, byte {error.start})") from None
    except RecursionError:
        raise ConfigError(f"{path}: is not a settings file: brackets are nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or a number with too many digits
        lines = data.count(b"\n") + 1
        cause = str(error).replace("at end of document", f"at the end, line {lines}")
        raise ConfigError(f"{path}: is not valid TOML: {cause}") from None


def _from_file(document: Mapping[str, object], path: str) -> dict[tuple[str, str], Given]:
    known = {(key.table, key.name) for key in every_key()}
    given: dict[tuple[str, str], Given] = {}
    for table, content in document.items():
        if table not in tables():
            raise ConfigError(f"{path}: {_unknown_table(table, content)}")
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: [{table}] must be a table of keys, not {shown(content)}")
        for name, value in content.items():
            if (table, name) not in known:
                raise ConfigError(f"{path}: [{table}] has no key {shown(name)}{_hint(name, table)}")
            given[table, name] = Given(value, f"{path}: [{table}] {name}")
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[tuple[str, str], Given]:
    known = {key.variable: key for key in every_key()}
    given: dict[tuple[str, str], Given] = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        if variable not in known:
            raise ConfigError(f"{variable}: no setting has this environment variable{_closest(variable, known)}")
        key = known[variable]
        where = f"{variable}: [{key.table}] {key.name}"
        given[key.table, key.name] = Given(from_text(key, environ[variable], where), where)
    return given


def _unknown_table(table: str, content: object) -> str:
    if isinstance(content, dict):
        return f"there is no table [{one_line(table)}]{_closest(table, tables())}"
    return f"key {shown(table)} is outside of every table{_hint(table, '')}"


def _hint(name: str, table: str) -> str:
    """What an unknown key may mean: the closest name of its table, or the same name in another table."""
    if close := get_close_matches(name, [key.name for key in every_key() if key.table == table], 1):
        return f"; did you mean {close[0]}?"
    homes = [f"[{key.table}] {key.name}" for key in _keys_named(name)]
    return f"; did you mean {' or '.join(homes)}?" if homes else ""


def _keys_named(name: str) -> Iterator[Key]:
    return (key for key in every_key() if key.name == name)


def _closest(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, 1, 0.75)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}" if len(known) < 20 else ""
