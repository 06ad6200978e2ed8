"""Capture everything a Kalshi-compatible exchange says, byte for byte."""

__version__ = "0.1.0"
