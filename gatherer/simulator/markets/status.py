"""Whether the exchange is open, as a whole and for each shard (protocol section 6). Pure."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Shard:
    """One part of the exchange, which can pause alone."""

    exchange_active: bool = True
    trading_active: bool = True
    description: str = ""


@dataclass(slots=True)
class ExchangeState:
    """Set the attributes to script a maintenance."""

    exchange_active: bool = True
    trading_active: bool = True
    resume_time: str | None = None
    """When trading should resume, as RFC 3339 text. Clients must not rely on it."""
    shards: list[Shard] = field(default_factory=lambda: [Shard(), Shard()])

    @property
    def trades(self) -> bool:
        """Whether there is market data."""
        return self.exchange_active and self.trading_active

    def status(self) -> dict[str, object]:
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


def schedule() -> dict[str, object]:
    """The answer of `/exchange/schedule`: always open, except Thursday 03:00 to 05:00 New York time."""
    always = [{"open_time": "00:00", "close_time": "24:00"}]
    days: dict[str, object] = dict.fromkeys(("monday", "tuesday", "wednesday", "friday", "saturday", "sunday"), always)
    days["thursday"] = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "24:00"}]
    years = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2099-12-31T00:00:00Z"}
    return {"schedule": {"standard_hours": [years | days], "maintenance_windows": []}}
