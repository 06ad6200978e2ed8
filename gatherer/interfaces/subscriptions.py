"""The seams of core: what its objects offer to the shell. A contract says what fires, what fails and in which unit."""

from zope.interface import Attribute, Interface


class IAllocator(Interface):
    """Market to connection: least loaded, ties to the lowest id, never above capacity."""

    def assign(ticker):
        """The connection id (int) that carries the market from now on; the one it has if it has one. Raises
        `NoCapacity` when every connection that is available is full."""

    def release(ticker):
        """Forget the market; the id it was on, or None."""

    def has_room():
        """Whether `assign` would find a place for one more market."""

    def where(ticker):
        """The connection id of a market, or None."""

    def load(conn_id):
        """How many markets a connection carries."""

    def set_available(conn_id, available):
        """Whether a connection may be given new markets. Those it has stay where they are."""

    def set_capacity(conn_id, capacity):
        """Limit one connection to so many markets. Those above it stay until they are released."""


class ICommandCorrelator(Interface):
    """Match each reply to its command. Ids belong to one session: unique, rising, from 1."""

    pending = Attribute("Number of commands that wait for a reply.")
    strays = Attribute("Number of replies nobody waited for: late, repeated or unknown ids.")

    def issue():
        """`(command_id, Deferred)`. Fires with the reply; fails as `fail` and `fail_all` say. A cancelled
        Deferred (a timeout) forgets the id: a later reply is a stray."""

    def resolve(command_id, reply):
        """Fire the Deferred of a command. False, and counted, when nobody waits for that id."""

    def fail(command_id, error):
        """Fail the Deferred of a command with an exception. False, and counted, when nobody waits."""

    def fail_all(error):
        """The socket is gone: fail everybody who waits."""


class ISequenceTracker(Interface):
    """Last number per sid of ONE session (protocol section 4)."""

    gaps = Attribute("Gaps seen so far.")
    repeats = Attribute("Numbers seen again, or lower than the last: not gaps.")

    def observe(sid, seq):
        """How many numbers were skipped before this one: 0 in order, 0 for a repeat, never negative."""

    def advance(sid, numbers):
        """Take a `list[int]` of numbers that go on where the sid is, each one higher than the last. False, and nothing
        is changed, when they are not that: then each must be observed."""

    def last(sid):
        """The highest number seen on a sid, 0 before the first."""

    def forget(sid):
        """The sid is over; a later use of the number starts from 1."""
