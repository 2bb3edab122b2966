"""Decisions: (Services, EndpointSlices, question) -> records. No I/O, no clock, no chance, no asyncio."""
