"""From packet to packet.

Encoded answers are kept until the zone changes, so that a name asked again costs no more than putting them together. The
set is bounded: names that do not exist are kept too, and anyone may ask for any number of them. A set of records begins at
a record drawn by chance, since most clients take the first.
"""

import logging
import random
from collections.abc import Callable

from cluster_dns.adapters import wire
from cluster_dns.core.answer import answer
from cluster_dns.core.records import Code
from cluster_dns.core.zone import Zone

log = logging.getLogger(__name__)

CACHED_MAX = 4096

Observe = Callable[[str, int, Code], None]
"""Told of each reply: transport ("udp" or "tcp"), type asked (0 for none), code."""


class Responder:
    """Answers packets from a zone."""

    def __init__(self, zone: Zone, rng: random.Random, observe: Observe) -> None:
        self._zone = zone
        self._rng = rng
        self._observe = observe
        self._cached: dict[bytes, wire.Sections] = {}
        self._version = zone.version
        self._faults = 0

    def respond(self, packet: bytes, transport: str) -> bytes | None:
        """The reply, or None for what deserves none; never raises, whatever the packet."""
        try:
            return self._respond(packet, transport)
        except Exception:
            self._faults += 1
            if self._faults.bit_count() == 1:  # the 1st, 2nd, 4th, ...: whoever finds a fault must not fill the disk with it
                log.exception("could not answer", extra={"packet": packet[:512].hex(), "faults": self._faults})
            self._observe(transport, 0, Code.SERVFAIL)
            return wire.failure(packet) if len(packet) >= wire.HEADER_BYTES else None

    def _respond(self, packet: bytes, transport: str) -> bytes | None:
        query = wire.read(packet)
        if query is None:
            return None
        if isinstance(query, wire.Unanswerable):
            self._observe(transport, 0, query.code)
            return wire.refusal(query)
        sections = self._sections(query)
        self._observe(transport, int.from_bytes(query.key[-4:-2]), sections.code)
        count = len(sections.records)
        first = self._rng.randrange(count) if count > 1 else 0
        limit_bytes = query.udp_bytes if transport == "udp" else wire.TCP_BYTES_MAX
        return wire.reply(query, sections, first, limit_bytes)

    def _sections(self, query: wire.Query) -> wire.Sections:
        if self._version != self._zone.version:
            self._cached.clear()
            self._version = self._zone.version
        sections = self._cached.get(query.key)
        if sections is None:
            if len(self._cached) >= CACHED_MAX:
                self._cached.clear()
            sections = self._cached[query.key] = wire.encode(answer(query.question(), self._zone), query)
        return sections
