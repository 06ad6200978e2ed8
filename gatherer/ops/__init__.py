"""What operators look at: metrics, health, logs, the manhole."""
