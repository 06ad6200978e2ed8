"""The clients that are compared, each with the same work to do for a message."""
