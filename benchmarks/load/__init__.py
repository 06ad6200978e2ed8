"""The load generator: a WebSocket server that does next to nothing while the clock runs. No framework in here."""
