"""The status page as users see it: a whole gatherer on a simulated exchange, faults, and Chromium."""

import json
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from gatherer.config.settings import PoolSettings
from gatherer.values import RawMessage
from tests.browser.chrome import missing
from tests.browser.stage import Stage
from tests.support.loopback_service import run

POOL = PoolSettings(ticker=2, trade=2, lifecycle=2, orderbook=24, dial_rate=200.0, min_healthy=29)
TILE = "document.querySelector('[data-id=\"%d\"]')"
ARROWS = {"right": "\ue014", "left": "\ue012", "down": "\ue015", "up": "\ue013"}
ENTER, ESCAPE, TAB = "\ue007", "\ue00c", "\ue004"
CHECKS = (Path(__file__).parent / "checks.js").read_text(encoding="utf-8")
WATCH = """
    window.said = window.changes = window.ticks = 0;
    new MutationObserver(() => window.said += 1)
      .observe(document.querySelector('[aria-live]'), {subtree: true, childList: true, characterData: true});
    new MutationObserver(() => window.changes += 1)
      .observe(document.body, {subtree: true, attributeFilter: ['data-level', 'data-kind', 'data-stale']});
    new EventSource('/live').addEventListener('tick', () => window.ticks += 1);
"""
FORMATS = """
    const done = arguments[0];
    import('/page/format.js').then(({share, seconds, bytes, rate, short}) => done([
      share(5000, 5000), share(99999, 100000), share(1, 3), share(0, 0),
      seconds(0.34), seconds(7), seconds(99.6), seconds(100), seconds(7200), seconds(200000), seconds(null),
      bytes(0), bytes(999), bytes(91600), bytes(12e9),
      rate(0), rate(3.25), rate(187.4), short(12345),
    ].map((text) => text.replace('\\u00a0', ' '))));
"""
FORMATTED = [
    "100 %", "99.99 %", "33.3 %", "–",
    "0.3 s", "7 s", "100 s", "2 min", "2 h", "2 d", "–",
    "0 B", "999 B", "91.6 kB", "12.0 GB",
    "0", "3.3", "187", "12.3K",
]  # fmt: skip
BAD = """
    const add = (name, id, style) => {
      const node = Object.assign(document.createElement(name), {id});
      Object.assign(node.style, style);
      document.querySelector('main').append(node);
      return node;
    };
    add('button', 'bad-button', {});
    add('p', 'bad-reference', {}).setAttribute('aria-labelledby', 'bad-id');
    add('p', 'bad-colour', {color: getComputedStyle(document.body).backgroundColor}).textContent = 'unreadable';
    add('p', 'bad-width', {position: 'absolute', left: 0, width: '9999px'});
"""
"""One of each kind of fault."""


class PageTests(TestCase):
    """Each test is one visit."""

    timeout = 240

    def setUp(self) -> None:
        why = missing()
        if why:
            raise SkipTest(why)

    def visit(self, scenario: Any, width: int = 1440, height: int = 900, dark: bool = False) -> Deferred[Any]:
        """Open the page on a running feed and run the scenario. At the end the console has only the lines that the
        scenario took."""

        async def scene() -> None:
            stage = Stage(reactor, self.mktemp(), 500, 500.0, POOL)
            try:
                await stage.open()
                await stage.chrome.open(stage.url, width, height, dark)
                await stage.chrome.until("document.body.dataset.ready")
                await scenario(stage)
                self.assertEqual(await stage.chrome.complaints(), [])
            finally:
                await stage.close()

        return run(scene())

    def test_tiles_tell_what_happens(self) -> Deferred[Any]:
        """The tile of a cut connection counts down, in text and colour, and an event names it. Then it is live again.
        A gap shows on the tile. The other tiles are not rebuilt."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            await chrome.until("document.querySelectorAll('.tile[data-kind=live]').length === 30")
            await chrome.run("window.kept = [...document.querySelectorAll('.tile')]")
            calm = await chrome.run(f"return getComputedStyle({TILE % 10}).backgroundColor")
            stage.exchange.faults.refuse_upgrade(503, times=2)
            stage.exchange.faults.cut(session=stage.session(10))
            await chrome.until(f"{TILE % 10}.dataset.kind === 'waiting'")
            await chrome.until(rf"/^redial \d+\ss$/.test({TILE % 10}.querySelector('.what').textContent)")
            self.assertNotEqual(await chrome.run(f"return getComputedStyle({TILE % 10}).backgroundColor"), calm)
            self.assertIn("waiting to redial", await chrome.run(f"return {TILE % 10}.ariaLabel"))
            await chrome.until("document.querySelector('#verdict span').textContent.includes('29 of 30 live')")
            await chrome.until("document.querySelector('#events').textContent.includes('orderbook_delta-10 lost')")
            await chrome.until("document.querySelector('#said').textContent.includes('Connection 10 lost')")
            await chrome.until(f"{TILE % 10}.dataset.kind === 'live'")
            await chrome.until(
                "document.querySelector('#events').textContent.includes('orderbook_delta-10 is live again')"
            )
            stage.exchange.faults.skip_seq(times=1, count=3)
            await chrome.until("document.querySelectorAll('.tile.fresh').length === 1")
            self.assertEqual(
                await chrome.run("return document.querySelector('.tile.fresh .gaps').textContent"), "1 gap"
            )
            kept = "[...document.querySelectorAll('.tile')].every((tile, index) => tile === window.kept[index])"
            self.assertTrue(await chrome.run(f"return {kept}"))

        return self.visit(scenario)

    def test_what_an_operator_does_shows(self) -> Deferred[Any]:
        """A draining connection shows it on its tile and in its name. The top shows that commands are paused."""

        async def scenario(stage: Stage) -> None:
            chrome, admin = stage.chrome, stage.gatherer.manager.admin
            admin.drain(10, "test")
            await chrome.until(f"{TILE % 10}.querySelector('.what').textContent === 'draining'")
            self.assertIn("being drained", await chrome.run(f"return {TILE % 10}.ariaLabel"))
            admin.undrain(10, "test")
            await chrome.until(f"{TILE % 10}.querySelector('.what').textContent !== 'draining'")
            admin.pause("test")
            await chrome.until("document.querySelector('#problems').textContent.includes('paused')")
            admin.resume("test")
            await chrome.until("!document.querySelector('#problems').textContent.includes('paused')")

        return self.visit(scenario)

    def test_losses_are_red(self) -> Deferred[Any]:
        """Dropped messages turn the verdict red, with their number, and the card's note is as red as its figure."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            await chrome.until("document.querySelector('#verdict').dataset.level === 'ok'")
            router: Any = stage.gatherer.router
            router._drop([RawMessage(b"{}", 7, n) for n in range(7)])
            await chrome.until("document.querySelector('#verdict').dataset.level === 'bad'")
            await chrome.until("document.querySelector('#problems').textContent.includes('7 records were dropped')")
            card = "document.querySelector('.card[data-level=bad]')"
            await chrome.until(f"{card}.querySelector('.note').textContent === '7 dropped'")
            colour = f"getComputedStyle({card}.querySelector('%s')).color"
            self.assertEqual(*[await chrome.run(f"return {colour % part}") for part in (".note", ".value")])

        return self.visit(scenario)

    def test_figures_are_not_read_out(self) -> Deferred[Any]:
        """Without a change of state, ticks announce nothing to a screen reader. With reduced motion nothing moves."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            await chrome.until("document.querySelector('#verdict').dataset.level === 'ok'")
            await chrome.run(WATCH)
            await chrome.until("window.ticks >= 3")
            self.assertTrue(await chrome.run("return window.said <= window.changes && window.changes < window.ticks"))
            await chrome.shape(1440, 900, still=True)
            moves = "getComputedStyle(document.querySelector('.tile .bar')).transitionDuration"
            self.assertEqual(await chrome.run(f"return {moves}"), "0s")

        return self.visit(scenario)

    def test_numbers_can_be_read(self) -> Deferred[Any]:
        """An incomplete share never shows 100 %. Long times and large sizes are short."""

        async def scenario(stage: Stage) -> None:
            told = await stage.chrome.call(lambda driver: driver.execute_async_script(FORMATS))
            self.assertEqual(told, FORMATTED)

        return self.visit(scenario)

    def test_figures_and_plots_follow_the_feed(self) -> Deferred[Any]:
        """Rates, coverage and plots are those of the feed, and every plot has a text."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            await chrome.until("document.querySelectorAll('.plot .line')[1].getAttribute('d')?.split('L').length > 2")
            await chrome.until(
                "Number(document.querySelectorAll('.card .value')[1].textContent.replace(',', '')) > 100"
            )
            self.assertEqual(
                await chrome.run("return document.querySelector('.card .value').textContent"), "100\u00a0%"
            )
            labels = await chrome.run("return [...document.querySelectorAll('.plot')].map((plot) => plot.ariaLabel)")
            self.assertEqual(len(labels), 6)
            self.assertTrue(all("last 10 minutes" in label for label in labels), labels)
            self.assertRegex(labels[1], r"^Messages / s, last 10 minutes: now [\d,]+, lowest")
            known = await chrome.run("return document.querySelector('#registry dd').textContent")
            self.assertEqual(int(known), stage.gatherer.registry.status().markets_total)

        return self.visit(scenario)

    def test_a_search_opens_the_details(self) -> Deferred[Any]:
        """A slash focuses the search. A ticker in small letters opens its market, with its own address. Escape closes
        it. The page says that an unknown ticker is unknown."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            ticker = min(stage.carried())
            await chrome.press("/")
            self.assertEqual(await chrome.run("return document.activeElement.id"), "ticker")
            await chrome.press(ticker.lower(), ENTER)
            await chrome.until("document.querySelector('#details').open")
            await chrome.until("document.querySelector('#details .lines li')")
            self.assertEqual(await chrome.run("return document.querySelector('#details-title').textContent"), ticker)
            await chrome.until("document.querySelector('#details-verdict').textContent.startsWith('held on sid')")
            self.assertEqual(await chrome.run("return location.hash"), f"#market={ticker.lower()}")
            await chrome.press(ESCAPE)
            await chrome.until("!document.querySelector('#details').open && location.hash === ''")
            await chrome.open(f"{stage.url}#market={ticker}", 1440, 900)
            await chrome.until("document.querySelector('#details .lines li')")
            await chrome.run("location.hash = 'market=KXNOBODY'")
            await chrome.until("document.querySelector('#details-verdict').textContent.includes('no market')")
            (complaint,) = await chrome.complaints()
            self.assertIn("404", complaint)

        return self.visit(scenario)

    def test_everything_works_from_the_keyboard(self) -> Deferred[Any]:
        """The tiles are one stop of Tab. Arrows move among them, also from line to line. Enter opens the connection.
        Escape closes it, and the focus is back. The element with the focus shows it."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            await chrome.press(TAB)
            self.assertEqual(await chrome.run("return document.activeElement.className"), "skip")
            await chrome.press(ENTER, TAB)
            self.assertEqual(await self.focus(chrome), "1")
            self.assertNotEqual(
                await chrome.run("return getComputedStyle(document.activeElement).outlineStyle"), "none"
            )
            await chrome.press(ARROWS["right"], ARROWS["right"])
            self.assertEqual(await self.focus(chrome), "3")
            await chrome.press(ARROWS["down"])
            below = int(await self.focus(chrome))
            self.assertGreater(below, 6)
            await chrome.press(ARROWS["up"], ARROWS["left"])
            self.assertLess(int(await self.focus(chrome)), 6)
            await chrome.press("\ue010")
            self.assertEqual(await self.focus(chrome), "30")
            stops = await chrome.run("return document.querySelectorAll('.tile[tabindex=\"0\"]').length")
            self.assertEqual(stops, 1)
            await chrome.press(ENTER)
            await chrome.until("document.querySelector('#details .markets a')")
            self.assertEqual(await chrome.run("return location.hash"), "#connection=30")
            self.assertTrue(
                await chrome.run("return document.querySelector('#details').contains(document.activeElement)")
            )
            await chrome.press(ESCAPE)
            await chrome.until("!document.querySelector('#details').open")
            self.assertEqual(await self.focus(chrome), "30")

        return self.visit(scenario)

    async def check(self, chrome: Any, name: str) -> Any:
        """The errors that a function of checks.js finds."""
        return await chrome.run(f"{CHECKS}; return {name}()")

    async def focus(self, chrome: Any) -> str:
        """The tile with the focus."""
        return str(await chrome.run("return document.activeElement.dataset.id ?? document.activeElement.outerHTML"))

    def test_it_fits_and_can_be_read(self) -> Deferred[Any]:
        """From 360 pixels to a wide screen nothing overflows. In dark and light every text has enough contrast, and
        every control has a name."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            stage.exchange.faults.refuse_upgrade(503, times=6)
            stage.exchange.faults.cut(session=stage.session(10))
            stage.exchange.faults.skip_seq(times=1, count=3)
            await chrome.until("document.querySelector('.tile.fresh') && document.querySelector('[data-kind=waiting]')")
            for width in (360, 600, 820, 1440, 2560):
                for dark in (False, True):
                    await chrome.shape(width, 800, dark, still=True)
                    for check in ("wider", "faint"):
                        self.assertEqual(await self.check(chrome, check), [], (check, width, dark))
            self.assertEqual(await self.check(chrome, "unnamed"), [])
            self.assertEqual(await self.check(chrome, "broken"), [])
            await chrome.shape(360, 800, still=True)
            await chrome.run("location.hash = 'connection=10'")
            await chrome.until("document.querySelector('#details .facts')")
            inside = "document.querySelector('#details').scrollWidth <= document.querySelector('#details').clientWidth"
            self.assertTrue(await chrome.run(f"return {inside}"))
            self.assertEqual(await self.check(chrome, "unnamed"), [])

        return self.visit(scenario, width=360)

    def test_the_checks_find_what_they_are_for(self) -> Deferred[Any]:
        """The checks find a button without name, a broken reference, faint text and text that overflows."""

        async def scenario(stage: Stage) -> None:
            await stage.chrome.run(BAD)
            for check in ("unnamed", "broken", "faint", "wider"):
                found = await self.check(stage.chrome, check)
                self.assertEqual(["bad-" in each for each in found], [True], check)

        return self.visit(scenario)

    def test_it_says_when_there_is_no_news_and_comes_back(self) -> Deferred[Any]:
        """While the pages are down, the page shows the time without updates. Then it goes on by itself."""

        async def scenario(stage: Stage) -> None:
            chrome = stage.chrome
            await stage.web.stopService()
            await chrome.until(r"/^no news for \d+\ss$/.test(document.querySelector('#news').textContent)")
            self.assertEqual(await chrome.run("return document.body.dataset.stale"), "true")
            await chrome.until("document.querySelector('#verdict').dataset.level === 'none'")
            said = await chrome.run("return document.querySelector('#verdict span').textContent")
            self.assertRegex(said, r"^No news for \d+\ss: not known whether gatherer lives$")
            self.assertEqual(await chrome.run("return document.title"), "not known · gatherer")
            self.assertIn("data:image/png", await chrome.run("return document.querySelector('#icon').href"))
            self.assertTrue(await chrome.run("return document.querySelector('#problems').hidden"))
            stage.web.startService()
            await chrome.until("document.querySelector('#news').textContent === 'up to date'")
            await chrome.until("document.querySelector('#verdict span').textContent.includes(' live')")
            self.assertNotIn("not known", await chrome.run("return document.title"))
            for complaint in await chrome.complaints():
                self.assertIn("/live", complaint)

        return self.visit(scenario)

    def test_nothing_comes_from_elsewhere(self) -> Deferred[Any]:
        """Every request of the page goes to the gatherer itself."""

        async def scenario(stage: Stage) -> None:
            names = await stage.chrome.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
            self.assertGreater(len(names), 5)
            self.assertEqual([name for name in names if not name.startswith(stage.url)], [], json.dumps(names))

        return self.visit(scenario)
