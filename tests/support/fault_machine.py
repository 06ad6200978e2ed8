"""Everything that can happen to a gatherer, as a Hypothesis state machine. Each rule counts its effects."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from gatherer.simulator.markets.market import Status
from tests.support.disk_router import BAD_DISKS
from tests.support.fault_actions import LIFECYCLE, VERBS
from tests.support.memory_service import MemoryService, Size
from tests.support.subscription_faults import SubscriptionFaults, places, times

CODES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 25, 26, 27, 28, 99)
APPLIED = (5, 10, 18, 25, 27, 99)
"""Errors that may come although the command took effect."""
moments = st.sampled_from((0.021, 0.021, 0.03, 0.041, 0.05, 0.061))
"""The event, its command and the answer take 20 ms each, so these are moments before and after each of them."""


class FaultMachine(SubscriptionFaults):
    """The rules, and the checks between them."""

    @initialize(
        books=st.integers(1, 3), pairs=st.integers(1, 2), capacity=st.sampled_from((5, 8, 100)),
        batch_size=st.integers(1, 8), on_gap=st.sampled_from(("snapshot", "snapshot", "log")),
        rehome_after=st.sampled_from((0.0, 120.0)), balance_share=st.sampled_from((0.0, 0.05, 1.0)),
        reuse=st.booleans(), last=st.sampled_from(("", "", "", *BAD_DISKS)),
    )  # fmt: skip
    def begin(self, reuse: bool, last: str, **size: Any) -> None:
        self.last_disk = last
        self.service = MemoryService(Size(markets=12, unopened=2, multivariate=1, **size)).start()
        self.service.wire.reuse_sids = reuse
        self.service.run(5.0)

    # -- markets -------------------------------------------------------------------------------

    @rule(verb=st.sampled_from(sorted(VERBS)), number=times, place=places)
    def befall(self, verb: str, number: int, place: int) -> None:
        for _ in range(number):
            self._befall(verb, place)

    @rule(number=times, open_in=st.sampled_from((0, 0, 0, 5, 90)), close_in=st.sampled_from((8, 100, 500, 9000)))
    def create(self, number: int, open_in: float, close_in: float) -> None:
        for _ in range(number):
            self._exchange.create_market(open_in, open_in + close_in)
            self.hits["create"] += 1

    @rule(place=places, by=st.sampled_from((-10, 1, 30, 300, 5000)))
    def move_close(self, place: int, by: float) -> None:
        tickers = self._with(Status.INITIALIZED, Status.ACTIVE, Status.INACTIVE, Status.CLOSED)
        if tickers:
            self._exchange.move_close(tickers[place % len(tickers)], self._exchange.now + by)
            self.hits["move close"] += 1

    @rule(number=st.integers(1, 30))
    def churn(self, number: int) -> None:
        for _ in range(number):
            self._exchange.churn()
        self.hits["churn"] += number

    @rule(number=st.integers(1, 30))
    def trade(self, number: int) -> None:
        self.hits["messages"] += self._exchange.emit(number)

    @rule()
    def pause_trading(self) -> None:
        state = self._exchange.state
        state.trading_active = not state.trading_active
        self.hits["pause of the exchange"] += 1

    # -- time ------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((0.005, 0.02, 0.05, 0.3, 1.0, 3.0)))
    def moment(self, seconds: float) -> None:
        self.service.run(seconds)

    @rule(seconds=st.sampled_from((6.0, 12.0, 31.0, 70.0, 200.0, 700.0, 7200.0)))
    def wait(self, seconds: float) -> None:
        self.service.run(seconds)

    # -- commands --------------------------------------------------------------------------------

    @rule(code=st.sampled_from(CODES), number=times, adds=st.booleans())
    def refuse(self, code: int, number: int, adds: bool) -> None:
        self._exchange.faults.error(code, number)
        self._meet(f"error {code}", "_errors", adds)

    @rule(code=st.sampled_from(APPLIED), number=times, adds=st.booleans())
    def refuse_but_do(self, code: int, number: int, adds: bool) -> None:
        self._exchange.faults.error(code, number, applied=True)
        self._meet(f"error {code} applied", "_errors", adds)

    @rule(adds=st.booleans())
    def double_replies(self, adds: bool) -> None:
        duplicate = self.service.wire.duplicate
        duplicate[:] = list(self.service.clients)
        before = len(duplicate)
        self._provoke(adds)
        self.service.run(0.1)
        self.hits["double reply"] += before - len(duplicate)
        duplicate.clear()

    @rule(place=places, adds=st.booleans())
    def acknowledge_without_a_sid(self, place: int, adds: bool) -> None:
        """Sockets are cut, so that subscribes follow. Their acknowledgements do not say which sid they made."""
        nameless = self.service.wire.nameless
        nameless[:] = list(self.service.clients)
        before = len(nameless)
        self.break_any("cut", 2, place, False)
        self._provoke(adds)
        self.service.run(3.0)
        self.hits["nameless reply"] += before - len(nameless)
        nameless.clear()

    # -- sockets ---------------------------------------------------------------------------------

    @rule(
        fault=st.sampled_from(("cut", "cut", "half_open", "unsubscribed", "terminate 10", "terminate 25")),
        adds=st.booleans(), after=moments, place=places,
    )  # fmt: skip
    def break_while_pending(self, fault: str, adds: bool, after: float, place: int) -> None:
        """The command is on its way, or its answer is, or the answer has just come."""
        self._provoke(adds)
        self.service.run(after)
        pending = [c.conn_id for c in self.service.manager.connections() if c.status().pending]
        if pending:
            self._break(fault, pending[place % len(pending)], " while pending")

    @rule(
        fault=st.sampled_from(("cut", "half_open", "unsubscribed", "terminate 10", "terminate 25")),
        number=st.integers(1, 3), place=places, rest=st.booleans(),
    )  # fmt: skip
    def break_any(self, fault: str, number: int, place: int, rest: bool) -> None:
        """Order books two times out of three. With `rest`, before a new command can show what is wrong."""
        connections = self.service.manager.connections()[::-1]
        ids = [c.conn_id for c in connections if self.service.session_of(c.conn_id) is not None]
        if place % 3 == 0:
            ids.reverse()
        for conn_id in ids[place % 2 :][:number]:
            self._break(fault, conn_id, "")
        if rest:
            self._rest()

    @rule(status=st.sampled_from((401, 429, 503)), number=st.integers(1, 6), place=places)
    def refuse_upgrades(self, status: int, number: int, place: int) -> None:
        self._exchange.faults.refuse_upgrade(status, number)
        self.break_any("cut", 1, place, False)
        self.hits[f"upgrade {status}"] += 1

    @rule(verb=st.sampled_from(sorted(VERBS)), place=places, seconds=st.sampled_from((0.5, 3.0, 40.0)))
    def lose_events(self, verb: str, place: int, seconds: float) -> None:
        """Something happens without a lifecycle connection, so only a walk can find it."""
        registry, rest = self.service.registry, self.service.rest
        legs = [c for c in self.service.manager.connections() if c.role.channel == LIFECYCLE]
        idle, walks = registry.status().last_sync is not None and not registry._walks.busy, rest.walks
        for connection in legs:
            self._break("cut", connection.conn_id, "")
        self._befall(verb, place)
        self.create(1, 0, 5000)
        self.hits["lost events"] += 1
        self.service.run(5.0)
        back = any(connection.is_live for connection in legs)
        self.service.run(seconds)
        assert rest.walks > walks or not (idle and back and seconds >= 40.0), "events were missed and nobody looked"

    @rule(seconds=st.sampled_from((0.0, 0.0, 2.0, 100.0)))
    def come_to_rest(self, seconds: float) -> None:
        """Check in the middle too, because later events can hide an earlier error."""
        self.service.run(seconds)
        self._rest()

    # -- messages --------------------------------------------------------------------------------

    @rule(number=times, size=st.integers(1, 5), traffic=st.integers(5, 30))
    def skip_numbers(self, number: int, size: int, traffic: int) -> None:
        self._exchange.faults.skip_seq(number, size)
        self._disturb("skipped number", "_seq_steps", traffic)

    @rule(number=times, size=st.integers(1, 5), adds=st.booleans())
    def skip_numbers_in_replies(self, number: int, size: int, adds: bool) -> None:
        self._exchange.faults.skip_seq(number, size)
        self._meet("skipped number in a reply", "_seq_steps", adds)

    @rule(number=times, traffic=st.integers(5, 30))
    def repeat_numbers(self, number: int, traffic: int) -> None:
        self._exchange.faults.repeat_seq(number)
        self._disturb("repeated number", "_seq_steps", traffic)

    @rule(kind=st.sampled_from(("json", "binary", "unknown_type")), number=times)
    def send_garbage(self, kind: str, number: int) -> None:
        self._exchange.faults.garbage(kind, number)
        self._disturb(f"garbage {kind}", "_garbage", 10)

    # -- the disk --------------------------------------------------------------------------------

    @rule(how=st.sampled_from(BAD_DISKS), traffic=st.integers(5, 60), seconds=st.sampled_from((0.02, 1.0, 3.0, 30.0)))
    def spoil_the_disk(self, how: str, traffic: int, seconds: float) -> None:
        """It stays so until another rule or the rest heals it."""
        before = self._disk.losses + self._disk.router.write_errors
        self._disk.spoil(how)
        for _ in range(5):
            self._exchange.emit(traffic)
            self.service.run(seconds / 5)
        self.hits[f"disk {how}"] += self._disk.losses + self._disk.router.write_errors - before

    @rule()
    def heal_the_disk(self) -> None:
        self._disk.heal()

    # -- REST ------------------------------------------------------------------------------------

    @rule(fates=st.lists(st.sampled_from((None, 0, 429, 503, 200)), min_size=1, max_size=8))
    def fail_requests(self, fates: list[int | None]) -> None:
        self.service.rest.fates.extend(fates)
        self.hits["REST failures"] += len(fates)

    @rule(down=st.sampled_from((None, 503)))
    def rest_down(self, down: int | None) -> None:
        self.service.rest.down = down
        self.hits["REST down"] += down is not None

    @rule()
    def remember_rows(self) -> None:
        self.service.rest.remember()

    @rule(number=st.integers(1, 6), seconds=st.sampled_from((1.0, 301.0)))
    def answer_with_old_rows(self, number: int, seconds: float) -> None:
        """The rows are older than the cache, so only the next walk corrects them."""
        rest = self.service.rest
        before = rest.stale_answers
        rest.answer_from_memory(number)
        self.service.run(seconds)
        self.hits["stale rows"] += rest.stale_answers - before

    @rule(number=times)
    def answer_from_a_cache(self, number: int) -> None:
        """A walk runs with answers that are some seconds old. A market ended in the meantime: the event wins."""
        registry, rest = self.service.registry, self.service.rest
        self._begin_walk()
        rest.remember()
        over = self._with(Status.ACTIVE)[:number]
        carried = [ticker for ticker in over if ticker in registry.active()]  # the others it has not heard of at all
        for ticker in over:
            self._exchange.settle_market(ticker)
        self.service.run(0.1)
        heard = [ticker for ticker in carried if ticker not in registry.active()]
        before = rest.stale_answers
        rest.answer_from_memory(5)
        self.service.run(3.0)
        rest.answer_from_memory(0)
        self.hits["cached rows"] += (rest.stale_answers > before) * len(heard)
        revived = [ticker for ticker in heard if ticker in registry.active()]
        assert not revived, f"older rows revived {revived}"

    @rule(seconds=st.sampled_from((0.01, 0.3, 2.0, 20.0)))
    def slow_rest(self, seconds: float) -> None:
        """Events and timers come in the middle of a walk."""
        self.service.rest.latency = seconds

    @rule(
        verb=st.sampled_from(("pause", "determine", "settle", "close", "resume")), place=places, page=st.integers(0, 6)
    )
    def change_during_a_walk(self, verb: str, place: int, page: int) -> None:
        """The change happens when a walk has read some pages."""
        registry, rest = self.service.registry, self.service.rest
        self._begin_walk()
        begun = rest.requests
        for _ in range(20):
            if rest.requests >= begun + page or not registry._walks.busy:
                break
            self.service.run(min(rest.latency, 0.3))
        self.hits["change during a walk"] += registry._walks.busy
        self.create(1, 0, 5000)
        self._befall(verb, place)
        self.service.run(rest.latency)

    @rule(number=times)
    def fail_listener(self, number: int) -> None:
        self.service.registry.recorder.failing = 1
        self.create(number, 0, 5000)
        self.hits["listener fails"] += 1

    # -- what must be true -----------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self.service is not None:
            assert not (faults := self.service.faults()), faults

    def teardown(self) -> None:
        if self.service is None:
            return
        try:
            self._rest()
            if self.service.manager.status().unplaced:
                self.service.cut_all()
                self._rest()
                assert self.service.is_full() or not self.service.manager.status().unplaced
                self.hits["full"] += 1
        finally:
            self._stop()
