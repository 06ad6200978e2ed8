"""Decisions only: no reactor, socket, clock or log lives below this package."""
