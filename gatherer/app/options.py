"""The command line of `twistd gatherer`: parsed, nothing opened."""

from typing import Any, ClassVar

from twisted.python.usage import Options, UsageError


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"{text} is negative")
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1e6:
        raise ValueError(f"{text} is not between 0 and 1,000,000")
    return number


class GathererOptions(Options):
    """What is understood. Anything else raises UsageError."""

    synopsis = "[--config FILE] [--demo] [options]"
    longdesc = (
        "Captures every message of the exchange. All settings are in the file; GATHERER_<TABLE>_<KEY> in the "
        "environment overrides it."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        ["config", "c", None, "settings file (TOML); without one the defaults and the environment count"],
        ["log-format", None, None, "text or json, instead of the setting's"],
        ["demo-markets", None, 5000, "markets of the demo's exchange", _whole],
        ["demo-rate", None, 1000.0, "random market data events per second of the demo's exchange", _rate],
        ["demo-churn", None, 2.0, "markets that open, pause, close or settle per second in the demo", _rate],
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["demo", None, "capture an embedded exchange on this machine; needs no key and no settings"],
        ["check-config", None, "check settings and key, say what is wrong, and exit"],
    ]

    def parseArgs(self, *arguments: str) -> None:
        """No arguments: what stands alone is a mistake."""
        if arguments:
            raise UsageError(f"what is {arguments[0]!r}? there are options only")

    def postOptions(self) -> None:
        """Check what `usage` cannot."""
        if self["log-format"] not in (None, "text", "json"):
            raise UsageError(f"--log-format must be text or json, not {self['log-format']!r}")
        if self["demo"] and self["check-config"]:
            raise UsageError("--demo needs no settings, so there is nothing for --check-config")
