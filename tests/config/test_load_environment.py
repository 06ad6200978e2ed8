"""Environment variables override the settings file and are checked in the same way."""

import os

from gatherer.config import load_settings
from gatherer.config.document import toml_value
from tests.support.settings_files import KEYS, ConfigTestCase, as_variable, other_value


class EnvironmentTests(ConfigTestCase):
    """Variables override the file."""

    def test_every_key_can_be_overridden(self) -> None:
        """Each key has its own variable, which overrides the file."""
        self.assertEqual(len({key.variable for key in KEYS}), len(KEYS))
        for key in KEYS:
            environ = {key.variable: as_variable(other_value(key))}
            text = f"[{key.table}]\n{key.name} = {toml_value(key.default)}\n"
            if key.table == "manhole":
                text = ""
                environ.update({"GATHERER_MANHOLE_AUTHORIZED_KEYS_FILE": "/some/where"})
                environ.update({"GATHERER_MANHOLE_HOST_KEY_DIRECTORY": "/some/where"})
            settings = self.load(text, environ)
            found = getattr(getattr(settings, key.table), key.name)
            self.assertEqual((found, type(found)), (other_value(key), key.kind), key)

    def test_complaints_name_the_variable(self) -> None:
        """An unknown GATHERER_ variable and a wrong value are errors that name the variable, table and key."""
        for environ, expected in (
            (
                {"GATHERER_POOL_DAIL_RATE": "1"},
                "no setting has this environment variable; did you mean GATHERER_POOL_DIAL_RATE?",
            ),
            ({"GATHERER_SOURCE": "x"}, "no setting has this environment variable"),
            ({"GATHERER_POOL_TICKER": ""}, '[pool] ticker must be a whole number from 0 to 150 (connections), not ""'),
            (
                {"GATHERER_POOL_TICKER": "1.0"},
                '[pool] ticker must be a whole number from 0 to 150 (connections), not "1.0"',
            ),
            ({"GATHERER_RECONNECT_JITTER": "nan"}, "[reconnect] jitter must be a number from 0 to 0.99, not nan"),
            ({"GATHERER_RECONNECT_JITTER": "2"}, "[reconnect] jitter must be a number from 0 to 0.99, not 2.0"),
            ({"GATHERER_ORDERBOOK_USE_YES_PRICE": "yes"}, '[orderbook] use_yes_price must be true or false, not "yes"'),
        ):
            self.assertEqual(self.complaint("", environ), f"{next(iter(environ))}: {expected}")

    def test_paths_start_from_the_working_directory(self) -> None:
        """A relative path in a variable starts from the working directory, as in a shell."""
        settings = self.load("", {"GATHERER_ROUTER_DIRECTORY": "c", "GATHERER_EXCHANGE_CA_FILE": ""})
        self.assertEqual((settings.router.directory, settings.exchange.ca_file), (os.path.abspath("c"), ""))

    def test_other_variables_are_none_of_ours(self) -> None:
        """Variables without our prefix are ignored."""
        load_settings(None, {"GATHERERX": "1", "gatherer_pool_ticker": "x", "KALSHI": "y"})
