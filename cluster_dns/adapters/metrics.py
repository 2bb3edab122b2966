"""What the name server measures."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from cluster_dns.core.records import Code, Type

_TYPE_NAMES = {**{int(kind): kind.name for kind in Type}, 15: "MX", 64: "SVCB", 65: "HTTPS"}


class Metrics:
    """Replies by transport, type and code. Types nobody expects are counted together: a client must not invent series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._replies = Counter("clusterdns_dns_replies", "Replies sent.", ("transport", "type", "rcode"), registry=registry)
        self._children: dict[tuple[str, str, Code], Counter] = {}
        self.connections = Gauge("clusterdns_tcp_connections", "TCP connections that are open.", registry=registry)
        self.refused_connections = Counter(
            "clusterdns_tcp_connections_refused", "TCP connections closed because there were too many.", registry=registry
        )
        self.dropped = Counter("clusterdns_udp_dropped", "Replies dropped because the socket was full.", registry=registry)

    def observe(self, transport: str, asked: int, code: Code) -> None:
        """Count a reply; `asked` is the type, 0 when the packet held no question."""
        key = (transport, _TYPE_NAMES.get(asked, "other" if asked else "none"), code)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._replies.labels(key[0], key[1], code.name)
        child.inc()
