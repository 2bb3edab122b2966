"""Decisions: (Services, EndpointSlices, this node) -> rules. No I/O, no clock, no asyncio."""
