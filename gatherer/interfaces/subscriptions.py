"""The seams of core: what its objects offer to the shell. A contract says what fires, what fails and in which unit."""

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface


class IAllocator(Interface):
    """Market to connection: least loaded, ties to the lowest id, never above capacity."""

    def assign(ticker: str) -> int:
        """The connection id (int) that carries the market from now on; the one it has if it has one. Raises
        `NoCapacity` when every connection that is available is full."""

    def release(ticker: str) -> int | None:
        """Forget the market; the id it was on, or None."""

    def move(ticker: str, conn_id: int) -> None:
        """Put a market that has a connection on another one. Raises `NoCapacity` when that one is full or not
        available; then nothing changes."""

    def least_loaded() -> int | None:
        """The connection id that `assign` would give to one more market, None when there is no room."""

    def room() -> int:
        """How many more markets would find a place."""

    def capacity(conn_id: int) -> int:
        """How many markets a connection may have at most."""

    def where(ticker: str) -> int | None:
        """The connection id of a market, or None."""

    def load(conn_id: int) -> int:
        """How many markets a connection carries."""

    def set_available(conn_id: int, available: bool) -> None:
        """Whether a connection may be given new markets. Those it has stay where they are."""

    def set_capacity(conn_id: int, capacity: int) -> None:
        """Limit one connection to so many markets. Those above it stay until they are released."""


class ICommandCorrelator(Interface):
    """Match each reply to its command. Ids belong to one session: unique, rising, from 1."""

    pending: int = Attribute("Number of commands that wait for a reply.")
    strays: int = Attribute("Number of replies that no command waits for: late, repeated or unknown ids.")

    def issue() -> tuple[int, Deferred[Any]]:
        """`(command_id, Deferred)`. Fires with the reply; fails as `fail` and `fail_all` say. A cancelled
        Deferred (a timeout) forgets the id: a later reply is a stray."""

    def resolve(command_id: int, reply: Any) -> bool:
        """Fire the Deferred of a command. False, and counted, when no command of that id waits."""

    def fail(command_id: int, error: Exception) -> bool:
        """Fail the Deferred of a command with an exception. False, and counted, when no command of that id waits."""

    def fail_all(error: Exception) -> None:
        """The socket is gone: fail every command that waits."""
