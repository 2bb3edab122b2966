"""The zone as Services come, change and go."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_dns.core import names
from cluster_dns.core.records import RecordSets, Type
from cluster_dns.core.zone import Zone, reverse_zones

DOMAIN = ("cluster", "local")
NAMES = [("a", *DOMAIN), ("b", *DOMAIN), ("x", "a", *DOMAIN), ("y", "x", "a", *DOMAIN), ("z", "b", *DOMAIN)]

record_sets = st.dictionaries(st.sampled_from([Type.A, Type.TXT]), st.just((IPv4Address("10.0.0.1"),)), max_size=2)
contents = st.dictionaries(st.sampled_from(NAMES), record_sets, max_size=5)


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), contents), max_size=12))
def test_any_history_leaves_the_same_zone_as_its_outcome(history: list[tuple[str, dict[tuple[str, ...], RecordSets]]]) -> None:
    zone = Zone(DOMAIN)
    outcome: dict[str, dict[tuple[str, ...], RecordSets]] = {}
    for owner, records in history:
        before, version = outcome.get(owner, {}), zone.version
        changed = zone.put(owner, records)
        assert changed == (before != records)
        assert (zone.version > version) == changed
        outcome[owner] = records
    for name in [*NAMES, ("x", "b", *DOMAIN), ("y", "a", *DOMAIN)]:
        owned = [records[name] for records in outcome.values() if name in records]
        below = any(each[-len(name) :] == name for records in outcome.values() for each in records)
        found = zone.find(name)
        assert (found is not None) == below
        assert set(found or {}) == {kind for sets in owned for kind in sets}


REVERSE_ZONES = (
    ("whole octets", "10.96.0.0/16", ["96.10.in-addr.arpa"]),
    ("one octet", "10.0.0.0/8", ["10.in-addr.arpa"]),
    ("between octets", "10.96.0.0/15", ["96.10.in-addr.arpa", "97.10.in-addr.arpa"]),
    ("longer than three octets", "10.96.0.252/31", ["252.0.96.10.in-addr.arpa", "253.0.96.10.in-addr.arpa"]),
)


@pytest.mark.parametrize(("network", "want"), [row[1:] for row in REVERSE_ZONES], ids=[row[0] for row in REVERSE_ZONES])
def test_reverse_zones(network: str, want: list[str]) -> None:
    assert [".".join(name) for name in reverse_zones(network)] == want


NAMES_PARSED = (
    ("plain", "Web.Default", ("web", "default")),
    ("final dot", "web.default.", ("web", "default")),
    ("empty", "", None),
    ("root", ".", None),
    ("empty label", "a..b", None),
    ("long label", "a" * 64, None),
    ("longest label", "a" * 63, ("a" * 63,)),
    ("too long", ".".join(["a" * 49] * 6), None),
    ("not ascii", "bücher.example", None),
)


@pytest.mark.parametrize(("text", "want"), [row[1:] for row in NAMES_PARSED], ids=[row[0] for row in NAMES_PARSED])
def test_names(text: str, want: tuple[str, ...] | None) -> None:
    assert names.parse(text) == want
