"""The half of `tests.support.fault_machine` about replies, books and numbers that are slow, lost or wrong for long."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.support.fault_actions import FaultActions

times = st.integers(1, 3)
places = st.integers(0, 1000)


class SubscriptionFaults(FaultActions):
    """Rules of their own."""

    @rule(seconds=st.sampled_from((4.9, 5.1, 6.0, 12.0, 40.0)), number=st.integers(5, 40), adds=st.booleans())
    def slow_down(self, seconds: float, number: int, adds: bool) -> None:
        """Every reply is late for a while. Slow is not dead."""
        self._exchange.faults.late_replies(number, seconds)
        self._meet("slow replies", "_reply_faults", adds)
        self.service.run(seconds)

    @rule(number=st.integers(1, 60), adds=st.booleans())
    def lose_books(self, number: int, adds: bool) -> None:
        """Markets are held, and their books do not come."""
        self._exchange.faults.lose_books(number)
        before = self._exchange.faults._lost_books
        self._provoke(adds)
        self.service.run(0.1)
        self.hits["lost book"] += before - self._exchange.faults._lost_books

    @rule(number=times, traffic=st.integers(5, 30))
    def count_anew(self, number: int, traffic: int) -> None:
        self._exchange.faults.restart_seq(number)
        self._disturb("numbers that start again", "_seq_steps", traffic)

    @rule(number=st.integers(1, 30), size=st.integers(1, 5))
    def storm_of_gaps(self, number: int, size: int) -> None:
        """Gaps come while the books come that an earlier gap asked for."""
        for _ in range(3):
            self._exchange.faults.skip_seq(number, size)
            self._disturb("storm of gaps", "_seq_steps", 2 * number)

    @rule(place=places, seconds=st.sampled_from((0.0, 0.3, 40.0, 700.0)), back=st.booleans())
    def drain(self, place: int, seconds: float, back: bool) -> None:
        """Each market leaves gently: the old connection carries it until its book came on the new one."""
        ids = [c.conn_id for c in self.service.manager.connections() if not c.role.is_global]
        admin = self.service.manager.admin
        if len(ids) > 1:
            conn_id = ids[place % len(ids)]
            if conn_id not in admin.draining:
                self.hits["drain"] += admin.drain(conn_id, "a test")["moved"]
                self.service.run(seconds)
            if back:
                admin.undrain(conn_id, "a test")

    @rule(number=st.integers(1, 4), adds=st.booleans())
    def lose_replies(self, number: int, adds: bool) -> None:
        self._exchange.faults.lose_replies(number)
        self._meet("lost reply", "_reply_faults", adds)

    @rule(number=times, seconds=st.sampled_from((0.5, 4.9, 5.5, 40.0)), adds=st.booleans())
    def delay_replies(self, number: int, seconds: float, adds: bool) -> None:
        self._exchange.faults.late_replies(number, seconds)
        self._meet("late reply", "_reply_faults", adds)
