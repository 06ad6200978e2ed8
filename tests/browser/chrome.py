"""Headless Chromium, driven from a thread, so the reactor that serves the page can run."""

import shutil
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--force-color-profile=srgb", "--hide-scrollbars",
)  # fmt: skip
PATIENCE = 60.0
"""Seconds to wait for something to appear. It is long for a loaded machine. A wait ends as soon as possible."""

T = TypeVar("T")


def missing() -> str | None:
    """Why the browser is missing, or None."""
    if find_spec("selenium") is None:
        return "no selenium: pip install -e '.[test]'"
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(absent)}: apt-get install chromium chromium-driver" if absent else None


class Chrome:
    """One browser with an empty profile. Every method that uses it returns a Deferred."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._profile = tempfile.TemporaryDirectory(prefix="gatherer-chrome-")
        self._driver: Any = None

    async def open(self, url: str, width: int = 1440, height: int = 900, dark: bool = False) -> None:
        """Show a page in a window of this size."""
        if self._driver is None:
            self._driver = await deferToThread(self._start)
        await self.shape(width, height, dark)
        await self.call(lambda driver: driver.get(url))

    def _start(self) -> Any:
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service

        options = Options()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, f"--user-data-dir={self._profile.name}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        return webdriver.Chrome(options, Service(shutil.which("chromedriver")))

    def call(self, action: Callable[[Any], T]) -> Deferred[T]:
        """Call a function with the driver, in a thread."""
        return deferToThread(action, self._driver)

    async def shape(self, width: int, height: int, dark: bool = False, still: bool = False) -> None:
        """Set the size of the window and the preferences of the system."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.call(lambda d: d.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, motion]}))
        await self.call(lambda d: d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size))

    async def run(self, script: str, *arguments: Any) -> Any:
        """The result of a script."""
        return await self.call(lambda driver: driver.execute_script(script, *arguments))

    async def until(self, script: str, *arguments: Any) -> Any:
        """Wait until the expression is true, and return its value. AssertionError if it takes too long."""
        deadline = self._reactor.seconds() + PATIENCE
        while True:
            found = await self.run(f"return ({script})", *arguments)
            if found:
                return found
            if self._reactor.seconds() > deadline:
                raise AssertionError(f"not within {PATIENCE} s: {script} {arguments}; {await self.complaints()}")
            await deferLater(self._reactor, 0.05)

    async def press(self, *keys: str) -> None:
        """Send keys to the element with the focus."""
        for key in keys:
            await self.call(lambda driver, key=key: driver.switch_to.active_element.send_keys(key))  # type: ignore[misc]

    async def click(self, selector: str) -> None:
        """Click the first element of a CSS selector with the mouse."""
        await self.call(lambda driver: driver.find_element("css selector", selector).click())

    async def complaints(self) -> list[str]:
        """New lines on the browser's console: errors and violations of the policy."""
        return [entry["message"] for entry in await self.call(lambda driver: driver.get_log("browser"))]

    async def picture(self, path: str) -> None:
        """A PNG of the window."""
        await self.call(lambda driver: driver.save_screenshot(path))

    async def close(self) -> None:
        """End the browser."""
        if self._driver is not None:
            await self.call(lambda driver: driver.quit())
        self._profile.cleanup()
