"""Any settings file and any variable give settings or one line of error."""

from collections.abc import Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gatherer.config.settings import Key, Settings, tables
from gatherer.errors import ConfigError
from tests.support.settings_files import KEYS, ConfigTestCase

JUNK = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes() | st.dates() | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
KEY_NAMES = st.sampled_from([key.name for key in KEYS]) | st.text(max_size=12)
TABLE_NAMES = st.sampled_from(list(tables())) | st.text(max_size=12)
DOCUMENTS = st.dictionaries(TABLE_NAMES, st.dictionaries(KEY_NAMES, JUNK, max_size=4) | JUNK, max_size=3)


def junk_toml(value: Any) -> str:
    """Any value as inline TOML; every character outside letters and digits is escaped."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in value) + '"'
        case list():
            return "[" + ", ".join(map(junk_toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{junk_toml(name)} = {junk_toml(inner)}" for name, inner in value.items()) + "}"
        case int() | float():
            return repr(value)
    return str(value.isoformat())


class JunkTests(ConfigTestCase):
    """Any input gives settings or one line of error."""

    def outcome(self, text: str | bytes, environ: Mapping[str, str]) -> str:
        """The line of error, or an empty text."""
        try:
            loaded = self.load(text, environ)
        except ConfigError as error:
            self.assertEqual(len(str(error).splitlines()), 1)
            self.assertTrue(str(error).isprintable())
            return str(error)
        self.assertIsInstance(loaded, Settings)
        return ""

    @given(DOCUMENTS)
    def test_any_document(self, document: dict[str, Any]) -> None:
        """TOML of any content raises no other exception, and a wrong key is never ignored."""
        said = self.outcome(
            "".join(f"{junk_toml(name)} = {junk_toml(value)}\n" for name, value in document.items()), {}
        )
        self.assertNotIn("is not valid TOML", said.replace("(at the end", ""))
        if set(document) - set(tables()):
            self.assertNotEqual(said, "")

    @given(st.binary(max_size=60) | st.text(max_size=60))
    @example(b"\xef\xbb\xbf[pool]")
    def test_any_bytes(self, content: bytes | str) -> None:
        """A file of any bytes raises no other exception."""
        self.outcome(content if isinstance(content, bytes) else content.encode("utf-8", "replace"), {})

    @given(st.sampled_from(KEYS), st.text(max_size=30) | st.floats().map(str) | st.integers().map(str))
    @example(next(key for key in KEYS if key.table == "web"), "ssl:1:certKey=/")
    def test_any_variable(self, key: Key, value: str) -> None:
        """A variable of any content raises no other exception."""
        self.outcome("", {key.variable: value})
