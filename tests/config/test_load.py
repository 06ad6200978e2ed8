"""Settings are correct, or refused in one line that says what to change."""

import os
from dataclasses import FrozenInstanceError, fields, replace

from gatherer.config import load_settings
from gatherer.config.document import toml_value
from gatherer.config.settings import Settings, tables
from gatherer.errors import ConfigError
from tests.support.settings_files import KEYS, NUMBERS, ConfigTestCase, other_value


class DefaultTests(ConfigTestCase):
    """The values if nothing is set."""

    def test_no_file_gives_the_defaults(self) -> None:
        """Without a file and variables all keys have their defaults; the capture folder is absolute."""
        settings = load_settings(None, {"PATH": "/bin", "HOME": "/"})
        capture = os.path.abspath("capture")
        self.assertEqual(settings, replace(Settings(), router=replace(Settings().router, directory=capture)))

    def test_the_defaults_are_the_documented_ones(self) -> None:
        """The values on which operators and other packages rely do not change by accident."""
        settings = Settings()
        pool, books = settings.pool, settings.orderbook
        self.assertEqual(
            (pool.ticker, pool.trade, pool.lifecycle, pool.orderbook, pool.min_healthy), (2, 2, 2, 144, 100)
        )
        self.assertEqual((pool.connections, pool.dial_rate, pool.connect_timeout, pool.ping_timeout), (150, 10, 10, 30))
        self.assertEqual((books.markets_per_connection, books.batch_size, books.command_timeout), (7500, 500, 5))
        self.assertEqual((books.snapshot_deadline, books.on_gap, books.use_yes_price), (30, "snapshot", False))
        again = settings.reconnect
        self.assertEqual((again.initial_delay, again.max_delay, again.factor, again.jitter), (1, 300, 2, 0.2))
        self.assertEqual((settings.web.listen, settings.manhole.listen), ("tcp:9090:interface=127.0.0.1", ""))

    def test_values_are_frozen(self) -> None:
        """A setting cannot be assigned."""
        self.assertRaises(FrozenInstanceError, setattr, Settings().pool, "ticker", 5)

    def test_each_default_has_its_type_and_is_within_its_bounds(self) -> None:
        """Each default is valid in the file, and each key has a meaning and a reason."""
        for key in KEYS:
            self.assertIs(type(key.default), key.kind, key)
            self.assertTrue(key.spec.meaning and key.spec.reason, key)
            if key in NUMBERS:
                assert key.spec.low is not None and key.spec.high is not None
                self.assertTrue(key.spec.low <= key.default <= key.spec.high, key)

    def test_every_table_is_an_attribute(self) -> None:
        """Each table of the file is the attribute of that name."""
        self.assertEqual(list(tables()), [each.name for each in fields(Settings) if each.name != "source"])

    def test_source_is_not_compared(self) -> None:
        """The same values from two files are equal."""
        self.assertEqual(replace(Settings(), source="a"), replace(Settings(), source="b"))


class FileTests(ConfigTestCase):
    """Values in a file."""

    def test_every_key_can_be_set(self) -> None:
        """Each key of the file sets the attribute of its table and name, and no other."""
        for key in KEYS:
            manhole = {"authorized_keys_file": "/k", "host_key_directory": "/h"} if key.table == "manhole" else {}
            content = {**manhole, key.name: other_value(key)}
            text = f"[{key.table}]\n" + "".join(f"{name} = {toml_value(value)}\n" for name, value in content.items())
            settings = self.load(text)
            self.assertEqual(getattr(getattr(settings, key.table), key.name), other_value(key), key)

    def test_a_whole_number_is_a_number(self) -> None:
        """`dial_rate = 3` means 3.0, and is a float afterwards."""
        rate = self.load("[pool]\ndial_rate = 3\n").pool.dial_rate
        self.assertEqual((rate, type(rate)), (3.0, float))

    def test_paths_start_from_the_working_directory(self) -> None:
        """A relative path starts from the working directory, and the result is absolute."""
        settings = self.load('[exchange]\nprivate_key_file = "key.pem"\nca_file = "/etc/ca.pem"\n')
        self.assertEqual(settings.exchange.private_key_file, os.path.abspath("key.pem"))
        self.assertEqual(settings.exchange.ca_file, "/etc/ca.pem")
        self.assertEqual(settings.router.directory, os.path.abspath("capture"))

    def test_home_is_understood(self) -> None:
        """`~` in a path is the home directory."""
        self.assertEqual(self.load('[router]\ndirectory = "~/c"').router.directory, os.path.expanduser("~/c"))

    def test_min_healthy_is_capped(self) -> None:
        """`min_healthy` is lowered to the size of the plan."""
        text = "[pool]\nticker = 1\ntrade = 1\nlifecycle = 1\norderbook = 1\n"
        self.assertEqual(self.load(text).pool.min_healthy, 4)
        self.assertEqual(self.load(text + "min_healthy = 3").pool.min_healthy, 3)


class ErrorTests(ConfigTestCase):
    """Each mistake has its own error."""

    def test_unknown_names(self) -> None:
        """The error names a wrong table or key, and the closest known name."""
        for text, expected in {
            "[pol]": "there is no table [pol]; did you mean pool?",
            "[pool]\ndail_rate = 1": '[pool] has no key "dail_rate"; did you mean dial_rate?',
            "[exchange]\ndial_rate = 1": '[exchange] has no key "dial_rate"; did you mean [pool] dial_rate?',
            "dial_rate = 1": 'key "dial_rate" is outside of every table; did you mean [pool] dial_rate?',
            "[pool]\nxyz = 1": '[pool] has no key "xyz"',
            '[pool]\n"a\\nb" = 1': '[pool] has no key "a b"',
            '["a\\nb"]': "there is no table [a b]; known are " + ", ".join(tables()),
        }.items():
            self.assertEqual(self.complaint(text), expected)

    def test_a_source_is_not_a_table(self) -> None:
        """A field of `Settings` that is not a table cannot be set in a file."""
        self.assertIn("is outside of every table", self.complaint('source = "x"'))
        self.assertIn("there is no table", self.complaint("[source]"))

    def test_wrong_types(self) -> None:
        """A value of the wrong type is refused with the key, the range, the unit and the value."""
        for text, expected in {
            "[pool]\nticker = true": "[pool] ticker must be a whole number from 0 to 150 (connections), not true",
            "[pool]\nticker = 2.0": "[pool] ticker must be a whole number from 0 to 150 (connections), not 2.0",
            '[reconnect]\njitter = "0"': '[reconnect] jitter must be a number from 0 to 0.99, not "0"',
            "[reconnect]\njitter = []": "[reconnect] jitter must be a number from 0 to 0.99, not a list",
            "[orderbook]\nuse_yes_price = 1": "[orderbook] use_yes_price must be true or false, not 1",
            "[log]\nlevel = 2026-01-01": "[log] level must be a text in quotes, not 2026-01-01",
            "pool = 3": "[pool] must be a table of keys, not 3",
            "[[pool]]": "[pool] must be a table of keys, not a list",
            '[log]\nformat = "xml"': '[log] format must be "text" or "json", not "xml"',
        }.items():
            self.assertEqual(self.complaint(text), expected)

    def test_long_values_are_cut(self) -> None:
        """A very long value is not repeated in full."""
        said = self.complaint(f'[log]\nformat = "{"x" * 1000}"')
        self.assertEqual(said, '[log] format must be "text" or "json", not "' + "x" * 59 + '..."')

    def test_every_bound_holds(self) -> None:
        """Each number may have its bounds as values, but nothing beyond, NaN or infinity."""
        for key in NUMBERS:
            low, high = key.spec.low, key.spec.high
            assert low is not None and high is not None
            step = 1 if key.kind is int else 0.001
            for wrong in (low - step, high + step, "nan", "inf", "-inf", 10**400):
                self.assertIn(
                    f"[{key.table}] {key.name} must be", self.complaint(f"[{key.table}]\n{key.name} = {wrong}")
                )
            for right in (low, high):
                if key.table not in ("pool", "reconnect"):  # those have limits in common
                    settings = self.load(f"[{key.table}]\n{key.name} = {right}")
                    self.assertEqual(getattr(getattr(settings, key.table), key.name), right)

    def test_urls(self) -> None:
        """An unencrypted URL is allowed only to this machine."""
        for url in ("ws://kalshi.com/x", "https://kalshi.com/x", "kalshi.com", ""):
            self.assertIn("[exchange] websocket_url", self.complaint(f'[exchange]\nwebsocket_url = "{url}"'))
        for url in ("http://kalshi.com/x", "wss://kalshi.com/x", "ftp://localhost/"):
            self.assertIn("[exchange] rest_url", self.complaint(f'[exchange]\nrest_url = "{url}"'))

    def test_endpoints(self) -> None:
        """An endpoint on which Twisted cannot listen is refused before anything starts."""
        for listen in ("9090", "tcp", "tcp:x", "tcp:99999", "carrier-pigeon:1", "ssl:443:privateKey=/none", ":"):
            said = self.complaint(f'[web]\nlisten = "{listen}"')
            self.assertTrue(said.startswith("[web] listen must "), said)
        self.assertEqual(self.load('[web]\nlisten = ""').web.listen, "")
        self.assertEqual(self.load('[web]\nlisten = "unix:/run/g"').web.listen, "unix:/run/g")

    def test_the_manhole_is_guarded(self) -> None:
        """The manhole needs keys, and `allow_remote` to be open to other machines."""
        keys = 'authorized_keys_file = "a"\nhost_key_directory = "h"\n'
        for open_to_all in ("tcp:2222", "tcp:2222:interface=0.0.0.0", "tcp6:2222", "tcp:2222:interface=example.org"):
            self.assertIn("this machine only", self.complaint(f'[manhole]\nlisten = "{open_to_all}"\n{keys}'))
        for missing in keys.splitlines():
            text = f'[manhole]\nlisten = "tcp:2222:interface=127.0.0.1"\n{keys.replace(missing, "")}'
            self.assertIn(f"[manhole] {missing.split(' ')[0]} is missing", self.complaint(text))
        self.load(f'[manhole]\nlisten = "tcp6:2222:interface=\\\\:\\\\:1"\n{keys}')
        self.load(f'[manhole]\nlisten = "unix:/run/manhole"\n{keys}')
        self.load(f'[manhole]\nlisten = "tcp:2222"\nallow_remote = true\n{keys}')

    def test_keys_together(self) -> None:
        """Values that contradict each other are refused, and the error names both."""
        said = self.complaint("[reconnect]\ninitial_delay = 400")
        self.assertEqual(said, "[reconnect] initial_delay (400.0 s) must not be above max_delay (300.0 s)")
        self.assertIn("not 0", self.complaint("[pool]\nticker = 0\ntrade = 0\nlifecycle = 0\norderbook = 0"))
        self.assertIn("not 151", self.complaint("[pool]\nticker = 3"))

    def test_texts(self) -> None:
        """A key id that would break an HTTP header is refused and not repeated. An empty folder is refused."""
        said = self.complaint('[exchange]\nkey_id = """\n-----BEGIN x\n-----"""')
        self.assertEqual(said, "[exchange] key_id must be a word of ASCII letters without blanks")
        self.assertIn("[router] directory must name", self.complaint('[router]\ndirectory = ""'))
        self.assertIn("null character", self.complaint('[router]\ndirectory = "a\\u0000b"'))

    def test_unreadable_files(self) -> None:
        """The error for a file that cannot be read, or is not TOML, names the place, without a traceback."""
        self.assertIn("is not valid TOML: Expected", self.complaint("[pool\n"))
        self.assertIn("(at line 2, column 10)", self.complaint("[pool]\nticker = \n"))
        self.assertIn("(at the end, line 3)", self.complaint("[pool]\n\nticker ="))
        self.assertEqual(self.complaint(b"[pool]\n# \xff"), "is not text in UTF-8 (line 2, byte 9)")
        self.assertIn("nested too deeply", self.complaint("x = " + "[" * 100_000))
        self.assertIn("is not valid TOML", self.complaint("[pool]\nticker = " + "9" * 5000))
        self.assertIn("a huge number", self.complaint("[pool]\nticker = 0x" + "f" * 5000))
        self.assertIn("is larger than 1,000,000 bytes", self.complaint(b"#" * 1_000_001))
        for path, cause in {
            self.folder: "Is a directory",
            self.folder + "/none": "No such file or directory",
            "a\0b": "null byte",
        }.items():
            self.assertIn(f"cannot be read: {cause}" if path != "a\0b" else cause, str(self.refused(path)))

    def refused(self, path: str) -> ConfigError:
        """The error of a path that is not a settings file."""
        return self.assertRaises(ConfigError, load_settings, path, {})

    def test_missing_credentials(self) -> None:
        """A real exchange needs an API key. The error names the missing setting, its place and its variable."""
        error = self.assertRaises(ConfigError, self.load("").require_credentials)
        self.assertIn(f"{self.path}: [exchange] key_id is missing", str(error))
        half = self.load('[exchange]\nkey_id = "k"')
        error = self.assertRaises(ConfigError, half.require_credentials)
        self.assertIn("GATHERER_EXCHANGE_PRIVATE_KEY_FILE", str(error))
        self.load('[exchange]\nkey_id = "k"\nprivate_key_file = "p"').require_credentials()
