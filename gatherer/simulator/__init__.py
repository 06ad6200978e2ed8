"""A Kalshi-compatible exchange on loopback, for demos, tests and benchmarks."""
