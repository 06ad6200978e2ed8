"""Since when something holds: what is over in a moment is no trouble, what lasts is."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Lasting:
    """Conditions by name; `note` them at every look."""

    _since: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, holds: bool, now: float) -> None:
        """It holds now, or not."""
        if holds:
            self._since.setdefault(name, now)
        else:
            self._since.pop(name, None)

    def seconds(self, now: float) -> dict[str, float]:
        """How long each that holds has held without a break."""
        return {name: max(0.0, now - since) for name, since in self._since.items()}
