"""The installed files are complete, and twistd finds the services."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

import twisted
from twisted import internet
from twisted.application.service import IServiceMaker, ServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import gatherer

PLUGINS = {"gatherer", "kalshi-simulator"}


class PluginTests(SynchronousTestCase):
    """The two services that twistd offers."""

    def test_twistd_finds_both(self) -> None:
        """`twistd gatherer` and `twistd kalshi-simulator` exist, each once."""
        makers = [maker for maker in getPlugins(IServiceMaker) if isinstance(maker, ServiceMaker)]
        names = [maker.tapname for maker in makers if maker.module.startswith("gatherer.")]
        self.assertEqual(sorted(names), sorted(PLUGINS))

    def test_twisted_is_not_shadowed(self) -> None:
        """The folder of our plugins is not a package, so `import twisted` gives Twisted."""
        self.assertTrue(hasattr(twisted, "version"))
        self.assertEqual(Path(twisted.__file__).parent, Path(internet.__file__).parent.parent)


class InstalledTests(SynchronousTestCase):
    """The wheel. Skipped if the tests run from a checkout; tox runs them elsewhere."""

    def setUp(self) -> None:
        try:
            installed = distribution("gatherer")
        except PackageNotFoundError:
            raise SkipTest("gatherer is not installed") from None
        self.names = {str(file) for file in installed.files or []}
        if installed.read_text("WHEEL") is None or "gatherer/__init__.py" not in self.names:
            raise SkipTest("gatherer is imported from a checkout")

    def test_it_holds_the_plugins(self) -> None:
        """Both plugins are installed, without an `__init__.py` that makes their folder a package."""
        self.assertIn("twisted/plugins/gatherer_plugin.py", self.names)
        self.assertIn("twisted/plugins/kalshi_simulator_plugin.py", self.names)
        self.assertNotIn("twisted/plugins/__init__.py", self.names)
        self.assertNotIn("twisted/__init__.py", self.names)

    def test_it_holds_every_module_and_the_settings(self) -> None:
        """The wheel has every package, the mark for types, and the commented settings."""
        package = Path(gatherer.__file__).parent
        for path in package.rglob("*.py"):
            self.assertIn(f"gatherer/{path.relative_to(package).as_posix()}", self.names)
        self.assertIn("gatherer/py.typed", self.names)
        for name in (
            "gatherer.toml", "demo-exchange.toml", "systemd/gatherer.service", "prometheus/alerts.yml",
            "prometheus/alerts_test.yml", "prometheus/inhibit.yml", "grafana/gatherer.json",
        ):  # fmt: skip
            self.assertTrue(any(file.endswith(f"share/gatherer/{name}") for file in self.names), name)

    def test_it_brings_the_console_script(self) -> None:
        """`gatherer` is installed, and it calls a function that exists."""
        scripts = distribution("gatherer").entry_points.select(group="console_scripts")
        self.assertEqual([script.name for script in scripts], ["gatherer"])
        self.assertTrue(callable(scripts["gatherer"].load()))

    def test_it_holds_the_status_page(self) -> None:
        """The wheel has every file that the page names: index, style, scripts and icons."""
        page = {
            name.removeprefix("gatherer/ops/web/static/")
            for name in self.names
            if name.startswith("gatherer/ops/web/static/")
        }
        folder = files("gatherer.ops.web").joinpath("static")
        texts = [folder.joinpath(name).read_text("utf-8") for name in page if not name.endswith(".svg")]
        named = {name for text in texts for name in re.findall(r"""["'](?:/page|\.)/([\w-]+\.\w+)["']""", text)}
        self.assertGreater(len(named), 8)
        self.assertEqual(named - page, set())
        self.assertEqual(page - named, {"index.html"})

    def test_it_is_what_is_tested(self) -> None:
        """`import gatherer` gives the installed files, not those of a checkout."""
        located = Path(str(distribution("gatherer").locate_file("gatherer/__init__.py")))
        self.assertEqual(Path(gatherer.__file__).resolve(), located.resolve())

    def test_tests_are_not_installed(self) -> None:
        """The wheel installs only our own names beside other packages."""
        tops = {name.split("/")[0] for name in self.names if not name.startswith("..")}
        self.assertEqual({top for top in tops if not top.startswith("gatherer")}, {"twisted"})
