"""Parses and checks the command line of the simulator. It opens nothing."""

from collections.abc import Callable
from textwrap import wrap
from typing import ClassVar, TypeVar

from twisted.python.usage import Options, UsageError

from gatherer.errors import ConfigError
from gatherer.simulator.fault_options import FAULTS, TimedFault, parse_fault, usage

Number = TypeVar("Number", int, float)
Row = list[object]
"""The row of an option, as usage.Options wants it: names, default, meaning, coercer."""


def _number(name: str, make: Callable[[str], Number], least: float, most: float) -> Callable[[str], Number]:
    """Converts a number between two bounds. The error names the option; the one of usage.Options does not."""
    kind = "a whole number" if make is int else "a number"

    def coerce(text: str) -> Number:
        try:
            number = make(text)
        except ValueError:
            raise ValueError(f"--{name}: {text!r} is not {kind}") from None
        if not least <= number <= most:
            raise ValueError(f"--{name}: {text} is not between {least:g} and {most:g}")
        return number

    return coerce


def _whole(name: str, default: int, meaning: str, least: int, most: int = 10**12) -> Row:
    return [name, None, default, meaning, _number(name, int, least, most)]


def _real(name: str, default: float | None, meaning: str, least: float, most: float = 1e9) -> Row:
    return [name, None, default, meaning, _number(name, float, least, most)]


class SimulatorOptions(Options):
    """What `twistd kalshi-simulator` understands. Anything else raises UsageError."""

    synopsis = "[options] --key-id ID --public-key FILE"
    longdesc = (
        "A Kalshi-compatible exchange on this machine: REST, WebSocket, made-up markets and, on request, faults. "
        "--fault can be given any number of times, as NAME=VALUE (at the start), NAME=VALUE@SECONDS (that long after "
        "it) or NAME=VALUE@every:SECONDS. Faults: " + ", ".join(usage(name) for name in FAULTS) + "."
    )
    optParameters: ClassVar[list[Row]] = [
        ["websocket", None, "tcp:8765:interface=127.0.0.1", "endpoint the WebSocket listens on"],
        ["rest", None, "tcp:8766:interface=127.0.0.1", "endpoint the REST interface listens on"],
        ["key-id", None, None, "id of the API key that clients sign with (required)"],
        ["public-key", None, None, "its public key: a PEM file, RSA or Ed25519 (required)"],
        _whole("markets", 5000, "markets that trade from the start", 0, 5_000_000),
        _whole("unopened", 0, "markets that open within six hours", 0, 5_000_000),
        _whole("multivariate", 10, "combination markets, on top of --markets", 0, 5_000_000),
        _real("rate", 100.0, "random market data events per second", 0, 1e6),
        _real("churn", 0.0, "random lifecycle changes per second", 0, 1e4),
        _whole("seed", 1, "seed of all chance", 0),
        _real("heartbeat", 10.0, "seconds between pings; a client silent for three is cut", 0.01),
        _whole("connections", 200, "sockets a key may have open; HTTP 429 above it", 1, 1_000_000),
        _whole("buffer-bytes", 16 * 1024 * 1024, "bytes waiting for a slow reader before error 25", 1024),
        _whole("market-limit", 500_000, "markets per subscription; error 26 above it", 1),
        _whole("command-rate", 10_000, "commands per second and socket; error 27 above it", 1),
        _real("rest-tokens", 200.0, "REST tokens per second and key; a request costs 10", 0.001),
        _real("rest-burst", None, "most REST tokens saved up (default: three seconds' worth)", 10),
    ]
    optFlags: ClassVar[list[Row]] = [
        ["rest-auth", None, "refuse REST requests that are not signed"],
        ["compression", None, "grant permessage-deflate to clients that offer it"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[TimedFault] = []

    def opt_fault(self, text: str) -> None:
        """fault to inject, NAME=VALUE; see below"""
        try:
            self.faults.append(parse_fault(text))
        except ConfigError as error:
            raise UsageError(str(error)) from error

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse. Removes the preamble that usage.Options puts before our errors."""
        try:
            super().parseOptions(options)
        except UsageError as error:
            raise UsageError(str(error).removeprefix("Parameter type enforcement failed: ")) from error

    def parseArgs(self, *arguments: str) -> None:
        """There are no arguments, only options."""
        if arguments:
            raise UsageError(f"what is {arguments[0]!r}? there are options only")

    def postOptions(self) -> None:
        """Check what is required."""
        for name in ("key-id", "public-key"):
            if not self[name]:
                raise UsageError(f"--{name} is missing")

    def getUsage(self, width: int | None = None) -> str:
        """The help text; the long description keeps its paragraph."""
        return str(super().getUsage(width)).replace(self.longdesc, "\n".join(wrap(self.longdesc, width or 80)))
