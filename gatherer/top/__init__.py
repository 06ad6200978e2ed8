"""The status page in a terminal: `gatherer top`.

It reads the same server-sent events as the page in a browser, over HTTP, and draws them with curses. It runs without
Twisted and knows nothing of the service: another version, or another machine, may serve the events.
"""

from gatherer.top.client import Site, Unreachable
from gatherer.top.dashboard import TerminalUnusable, run
from gatherer.top.state import DashboardError

__all__ = ["DashboardError", "Site", "TerminalUnusable", "Unreachable", "run"]
