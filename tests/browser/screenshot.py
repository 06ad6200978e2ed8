"""The picture in the README: `python -m tests.browser.screenshot [FOLDER]`, by default `docs`.

A whole plan of 150 connections on an exchange of its own, with faults on the way, for `SECONDS` (600). With `--all` it
makes one of each look: desktop, phone, dark, light, the details.
"""

import os
import sys
import tempfile
from math import sin
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from gatherer.config.settings import PoolSettings
from tests.browser.chrome import missing
from tests.browser.png import smaller
from tests.browser.stage import Stage

SECONDS = float(os.environ.get("SECONDS", "600"))


STEPS = 40
SIZE = (1440, 1000)
MAX_BYTES = 200_000


async def scenes(stage: Stage, folder: Path, everything: bool) -> None:
    """The events, and the moment of the picture."""
    chrome, faults, rate = stage.chrome, stage.exchange.faults, stage.simulator.rate
    await chrome.open(stage.url, *SIZE, dark=True)
    await chrome.until("document.body.dataset.ready")
    for step in range(STEPS):
        stage.simulator.rate = rate * (1.0 + 0.3 * sin(step / 5) + 0.12 * sin(step * 2.7))
        if step in (9, 23, 31):
            faults.cut(count=1 if step == 23 else 2)
        if step in (14, 38):
            faults.skip_seq(times=1, count=3)
        await stage.pause(SECONDS / STEPS)
    faults.refuse_upgrade(503, times=5)
    faults.cut(session=stage.session(41))
    await chrome.until(r"/redial [34]/.test(document.querySelector('[data-id=\"41\"] .what')?.textContent)")
    await chrome.picture(str(folder / "status-page.png"))
    shrink(folder / "status-page.png")
    if everything:
        await looks(stage, folder)


def shrink(path: Path) -> None:
    """The picture for the repository."""
    picture = smaller(path.read_bytes())
    path.write_bytes(picture)
    if len(picture) > MAX_BYTES:
        raise SystemExit(f"{path} has {len(picture)} bytes, more than {MAX_BYTES}")


async def looks(stage: Stage, folder: Path) -> None:
    """The other pictures, for work on the page."""
    chrome = stage.chrome
    await chrome.shape(1440, 1000)
    await chrome.picture(str(folder / "desktop-light.png"))
    await chrome.run("location.hash = 'connection=41'")
    await chrome.until("document.querySelector('#details-body .facts')")
    await chrome.picture(str(folder / "connection-light.png"))
    ticker = sorted(stage.carried())[0]
    await chrome.run(f"location.hash = 'market={ticker}'")
    await chrome.until("document.querySelector('#details-body .lines')")
    await chrome.shape(1440, 1000, dark=True)
    await chrome.picture(str(folder / "market-dark.png"))
    await chrome.run("document.getElementById('details').close()")
    for dark in (False, True):
        await chrome.shape(360, 800, dark)
        await stage.pause(0.5)
        await chrome.picture(str(folder / f"phone-{'dark' if dark else 'light'}.png"))
    await chrome.run("document.getElementById('connections').scrollIntoView()")
    await chrome.picture(str(folder / "phone-tiles.png"))
    await chrome.shape(820, 1100)
    await chrome.run("scrollTo(0, 0)")
    await chrome.picture(str(folder / "tablet-light.png"))
    await stage.web.stopService()
    await chrome.until("document.body.dataset.stale === 'true'")
    await chrome.shape(1440, 1000)
    await stage.pause(4)
    await chrome.picture(str(folder / "stale-light.png"))
    for line in await chrome.complaints():
        sys.stdout.write(f"console: {line}\n")


async def main(reactor: Any, *arguments: str) -> None:
    """Start the service, take the pictures."""
    folders = [name for name in arguments if not name.startswith("-")]
    folder = Path(folders[0] if folders else "docs")
    pool = PoolSettings(dial_rate=200.0, min_healthy=100)
    with tempfile.TemporaryDirectory() as capture:
        stage = Stage(reactor, capture, 5_000, 1_000.0, pool)
        try:
            await stage.open()
            await scenes(stage, folder, "--all" in arguments)
        finally:
            await stage.close()


if __name__ == "__main__":
    why = missing()
    if why:
        raise SystemExit(why)
    react(lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)), sys.argv[1:])
