"""Answers from a finished or growing capture; no part of the running service."""
