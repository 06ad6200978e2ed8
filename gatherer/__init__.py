"""Captures every message of a Kalshi-compatible exchange, byte for byte.

`twistd gatherer` (package `app`) is the service and `gatherer` (package `cli`) the command line. `gatherer.capture` is
the public face for programs that read a capture. `docs/architecture.md` walks through the packages.
"""

__version__ = "0.1.0"
