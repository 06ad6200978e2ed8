"""The load generator: a WebSocket server that does almost nothing while the clock runs. It uses no framework."""
