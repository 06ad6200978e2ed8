"""The console script `gatherer`."""
