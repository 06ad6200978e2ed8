"""The clients that are compared. Each does the same work for a message."""
