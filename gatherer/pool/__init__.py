"""The 150 connections as a whole: which market is on which connection, and what operators ask of the pool.

Changes of markets come from the registry, and changes of connections from the exchange package; both end as edits of
the connections' wanted sets. No bytes of the exchange come here: messages go from the connections to the router.
"""

from gatherer.pool.manager import ConnectionManager

__all__ = ["ConnectionManager"]
