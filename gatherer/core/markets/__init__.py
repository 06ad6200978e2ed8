"""Which markets exist, and which of them to carry (protocol section 7).

Rows of REST and lifecycle events come in, already decoded, with the time of their arrival. `MarketTable` applies them
and returns the changes that the registry passes to the pool. Nothing here asks REST or waits: the table only says which
markets to look up, and when to call it again.
"""

from gatherer.core.markets.states import GracePeriods
from gatherer.core.markets.table import MarketTable

__all__ = ["GracePeriods", "MarketTable"]
