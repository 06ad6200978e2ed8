"""The markets of the simulated exchange, their order books, and whether the exchange is open.

Pure: no message, session or clock lives here. `feed` changes the markets and informs clients; `rest` only reads them.
"""

from gatherer.simulator.markets.book import Book
from gatherer.simulator.markets.listing import Listing
from gatherer.simulator.markets.market import SimulatedEvent, SimulatedMarket, Status
from gatherer.simulator.markets.status import ExchangeState
from gatherer.simulator.markets.trades import TradeLog

__all__ = ["Book", "ExchangeState", "Listing", "SimulatedEvent", "SimulatedMarket", "Status", "TradeLog"]
