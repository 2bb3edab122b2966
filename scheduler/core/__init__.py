"""Decisions: which nodes fit a pod, which is best, who is tried when. No I/O, no clock, no asyncio."""
