"""Decisions of the API server: no I/O, no clock, no event loop."""
