"""From the message path to the disk: the buffer, the writer thread, and the segments they fill.

Connections hand messages to an `IMessageRouter`. `SegmentRouter` writes them to a capture directory in the format of
`gatherer.capture_format`; `MemoryRouter` keeps them for tests. Nothing here reads a capture or knows the exchange.
"""

from gatherer.router.memory import MemoryRouter
from gatherer.router.segment_router import SegmentRouter

__all__ = ["MemoryRouter", "SegmentRouter"]
