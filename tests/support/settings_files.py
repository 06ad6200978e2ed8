"""Settings files for tests: values for each key, and a test case that writes, loads and reads errors."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gatherer.config import load_settings
from gatherer.config.settings import Form, Key, Settings, every_key
from gatherer.errors import ConfigError

KEYS = list(every_key())
NUMBERS = [key for key in KEYS if key.kind in (int, float)]


def other_value(key: Key) -> Any:
    """A valid value that is not the default."""
    special = {
        ("exchange", "websocket_url"): "ws://127.0.0.1:8080/trade-api/ws/v2",
        ("exchange", "rest_url"): "http://localhost:8080/trade-api/v2",
        ("manhole", "listen"): "tcp:2222:interface=127.0.0.1",
        ("web", "listen"): "tcp:9999",
        ("reconnect", "initial_delay"): 2.5,
        ("router", "kind"): "segments",
    }
    if (key.table, key.name) in special:
        return special[key.table, key.name]
    if key.spec.choices:
        return key.spec.choices[-1] if key.spec.choices[-1] != key.default else key.spec.choices[0]
    if key.kind is bool:
        return not key.default
    if key.kind is str:
        return "/some/where" if key.spec.form is Form.PATH else "some-id"
    assert key.spec.low is not None
    return max(key.default - 1, key.spec.low)


def as_variable(value: Any) -> str:
    """A value as an operator writes it into the environment."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class ConfigTestCase(SynchronousTestCase):
    """Writes settings files into a folder of its own."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "gatherer.toml")
        self.folder = os.path.abspath(os.path.dirname(self.path))
        os.makedirs(self.folder)

    def write(self, text: str | bytes) -> str:
        """The path of a file with that text."""
        Path(self.path).write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.path

    def load(self, text: str | bytes, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of a file with that text."""
        return load_settings(self.write(text), environ or {})

    def complaint(self, text: str | bytes, environ: Mapping[str, str] | None = None) -> str:
        """The one line that refuses this file. It names the file unless a variable is wrong."""
        error = self.assertRaises(ConfigError, self.load, text, environ)
        said = str(error)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertTrue(said.startswith((self.path, "GATHERER_")), said)
        return said.removeprefix(f"{self.path}: ")
