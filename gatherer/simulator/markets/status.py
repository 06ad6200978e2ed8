"""Whether the exchange works: as a whole, and each shard for itself (protocol section 6). Pure."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Shard:
    """One part of the exchange that can pause alone."""

    exchange_active: bool = True
    trading_active: bool = True
    description: str = ""


@dataclass(slots=True)
class ExchangeState:
    """Set the attributes to script a maintenance."""

    exchange_active: bool = True
    trading_active: bool = True
    resume_time: str | None = None
    """When it is to go on, RFC 3339 text; no promise."""
    shards: list[Shard] = field(default_factory=lambda: [Shard(), Shard()])

    @property
    def trades(self) -> bool:
        """Whether there is any market data to be had."""
        return self.exchange_active and self.trading_active

    def status(self) -> dict[str, Any]:
        """The answer of `/exchange/status`."""
        shards = [
            {
                "exchange_index": index,
                "exchange_active": shard.exchange_active and self.exchange_active,
                "trading_active": shard.trading_active and self.trades,
                "intra_exchange_transfers_active": self.exchange_active,
                "description": shard.description,
            }
            for index, shard in enumerate(self.shards)
        ]
        return {
            "exchange_active": self.exchange_active,
            "trading_active": self.trades,
            "exchange_estimated_resume_time": self.resume_time,
            "intra_exchange_transfers_active": self.exchange_active,
            "exchange_index_statuses": shards,
        }


def schedule() -> dict[str, Any]:
    """The answer of `/exchange/schedule`: open always, but for Thursday 03:00 to 05:00 New York time."""
    always = [{"open_time": "00:00", "close_time": "24:00"}]
    days: dict[str, Any] = dict.fromkeys(("monday", "tuesday", "wednesday", "friday", "saturday", "sunday"), always)
    days["thursday"] = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "24:00"}]
    years = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2099-12-31T00:00:00Z"}
    return {"schedule": {"standard_hours": [years | days], "maintenance_windows": []}}
