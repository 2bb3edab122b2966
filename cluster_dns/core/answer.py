"""One question, one answer (the algorithm of RFC 1034 section 4.3.2, without delegations and without recursion).

- A name that exists but lacks the type is answered NOERROR with no record (NODATA), one that does not exist NXDOMAIN; both
  carry the SOA, whose minimum is how long to remember it (RFC 2308). Resolvers ask for A and AAAA together and take an
  NXDOMAIN for one as the end of both, so an AAAA question must get NODATA.
- A name outside the zones is REFUSED. Nothing is forwarded, and REFUSED is the truth: this server does not know. NXDOMAIN
  would assert that the name exists nowhere, ending searches and staying in caches; SERVFAIL invites an immediate retry. The
  search domains of a pod lie within the zone, so they are denied before an external name is asked as it stands. glibc and
  Go then fail at once or go to their next server; musl, which ignores REFUSED as it ignores everything but answers and
  denials, waits for its timeout.
- ANY gets one set of records (RFC 8482 section 4.1), transfers are REFUSED.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster_dns.core.names import Name
from cluster_dns.core.records import Class, Code, Data, Record, RecordSets, Srv, Type
from cluster_dns.core.zone import Zone

CHAIN_MAX = 8


@dataclass(frozen=True, slots=True)
class Question:
    """`name` in lower case; `type` and `klass` as they came, known or not."""

    name: Name
    type: int
    klass: int = Class.IN


@dataclass(frozen=True, slots=True)
class Answer:
    """`chain` is the aliases passed, in order; `records` one set, whose order is free."""

    code: Code
    authoritative: bool = True
    chain: tuple[Record, ...] = ()
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


REFUSED = Answer(Code.REFUSED, authoritative=False)


def answer(question: Question, zone: Zone) -> Answer:
    """What the zone says to a question."""
    apex = zone.apex_of(question.name)
    if apex is None or question.klass not in (Class.IN, Class.ANY) or question.type in (Type.AXFR, Type.IXFR):
        return REFUSED
    name, chain = question.name, list[Record]()
    while True:
        sets = _sets(name, apex, zone)
        if sets is None:
            return Answer(Code.NXDOMAIN, chain=tuple(chain), authority=_soa(apex, zone))
        kind = _chosen(question.type, sets)
        if kind is not None:
            records = tuple(Record(name, kind, data) for data in sets[kind])
            return Answer(Code.NOERROR, chain=tuple(chain), records=records, additional=_additional(sets[kind], zone))
        if Type.CNAME not in sets:
            return Answer(Code.NOERROR, chain=tuple(chain), authority=_soa(apex, zone))
        target = sets[Type.CNAME][0]
        chain.append(Record(name, Type.CNAME, target))
        assert isinstance(target, tuple)
        next_apex = zone.apex_of(target)
        if next_apex is None or len(chain) >= CHAIN_MAX or any(target == passed.name for passed in chain):
            return Answer(Code.NOERROR, chain=tuple(chain))
        name, apex = target, next_apex


def _sets(name: Name, apex: Name, zone: Zone) -> RecordSets | None:
    sets = zone.find(name)
    return {Type.SOA: (zone.soa(),), **(sets or {})} if name == apex else sets


def _chosen(asked: int, sets: RecordSets) -> Type | None:
    if asked == Type.ANY:
        return next(iter(sets), None)
    return next((kind for kind in sets if kind == asked), None)


def _soa(apex: Name, zone: Zone) -> tuple[Record, ...]:
    return (Record(apex, Type.SOA, zone.soa()),)


def _additional(data: Iterable[Data], zone: Zone) -> tuple[Record, ...]:
    """The addresses of the targets of SRV records, so that the client need not ask again."""
    targets: Sequence[Name] = list(dict.fromkeys(each.target for each in data if isinstance(each, Srv)))
    return tuple(Record(target, Type.A, address) for target in targets for address in (zone.find(target) or {}).get(Type.A, ()))
