"""Endpoints and EndpointSlices: addresses that traffic may be sent to."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import ENDPOINT_SLICES, ENDPOINTS, Resource
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    TOO_MANY,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
META = {"name": "web", "namespace": "default"}
SUBSET: Plain = {"metadata": META, "subsets": [{"addresses": [{"ip": "10.244.1.5"}], "ports": [{"port": 80}]}]}
SLICE: Plain = {"metadata": META, "addressType": "IPv4", "endpoints": [{"addresses": ["10.244.1.5"]}], "ports": [{"port": 80}]}

REFUSED = (
    "010.8.8.8",
    "127.0.0.1",
    "127.5.5.5",
    "169.254.169.254",
    "0.0.0.0",
    "224.0.0.5",
    "x",
    "",
    "::1",
    "fe80::1",
    "::ffff:10.0.0.1",
)


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_traffic_must_not_go_to(address: str) -> None:
    found = errors_on_create(ENDPOINTS, changed(SUBSET, {"subsets[0].addresses[0].ip": address}))
    assert {each.path for each in found} == {"subsets[0].addresses[0].ip"}
    found = errors_on_create(ENDPOINT_SLICES, changed(SLICE, {"endpoints[0].addresses": [address]}))
    assert {each.path for each in found} == {"endpoints[0].addresses[0]"}


ENDPOINTS_ROWS = (
    Row("right", {}),
    Row("not ready yet", {"subsets": [{"notReadyAddresses": [{"ip": "10.0.0.1"}]}]}),
    Row("no addresses", {"subsets": [{"ports": [{"port": 80}]}]}, [wrong("subsets[0]", REQUIRED, "notReadyAddresses")]),
    Row("no port", {"subsets[0].ports": [{}]}, [wrong("subsets[0].ports[0].port", INVALID)]),
    Row(
        "ports without names",
        {"subsets[0].ports": [{"port": 80}, {"port": 81}]},
        [wrong("subsets[0].ports[0].name", REQUIRED), wrong("subsets[0].ports[1].name", REQUIRED)],
    ),
    Row("protocol", {"subsets[0].ports[0].protocol": "x"}, [wrong("subsets[0].ports[0].protocol", UNSUPPORTED)]),
    Row("hostname", {"subsets[0].addresses[0].hostname": "a.b"}, [wrong("subsets[0].addresses[0].hostname", INVALID)]),
    Row("node", {"subsets[0].addresses[0].nodeName": "A"}, [wrong("subsets[0].addresses[0].nodeName", INVALID)]),
)
SLICE_ROWS = (
    Row("right", {}),
    Row("type", {"addressType": "IPX"}, [wrong("addressType", UNSUPPORTED)]),
    Row("no type", {"addressType": ""}, [wrong("addressType", REQUIRED)]),
    Row("no address", {"endpoints[0].addresses": []}, [wrong("endpoints[0].addresses", REQUIRED, "at least 1 address")]),
    Row("too many addresses", {"endpoints[0].addresses": ["10.0.0.1"] * 101}, [wrong("endpoints[0].addresses", TOO_MANY)]),
    Row("too many endpoints", {"endpoints": [{"addresses": ["10.0.0.1"]}] * 1001}, [wrong("endpoints", TOO_MANY, "1000")]),
    Row("another family", {"addressType": "IPv6"}, [wrong("endpoints[0].addresses[0]", INVALID, "IPv6")]),
    Row("IPv6", {"addressType": "IPv6", "endpoints[0].addresses": ["fd00::1"]}),
    Row("names", {"addressType": "FQDN", "endpoints[0].addresses": ["a.example.com"]}),
    Row("no name", {"addressType": "FQDN", "endpoints[0].addresses": ["a b"]}, [wrong("endpoints[0].addresses[0]", INVALID)]),
    Row("hostname", {"endpoints[0].hostname": "a.b"}, [wrong("endpoints[0].hostname", INVALID)]),
    Row("node", {"endpoints[0].nodeName": "A"}, [wrong("endpoints[0].nodeName", INVALID)]),
    Row(
        "topology of old",
        {"endpoints[0].deprecatedTopology": {"a": "b"}},
        [wrong("endpoints[0].deprecatedTopology", FORBIDDEN)],
    ),
    Row("hints", {"endpoints[0].hints": {"forZones": [{"name": "a"}], "forNodes": [{"name": "n"}]}}),
    Row(
        "hint twice",
        {"endpoints[0].hints": {"forZones": [{"name": "a"}] * 2}},
        [wrong("endpoints[0].hints.forZones[1].name", DUPLICATE)],
    ),
    Row(
        "hints too many",
        {"endpoints[0].hints": {"forZones": [{"name": f"z{n}"} for n in range(9)]}},
        [wrong("endpoints[0].hints.forZones", TOO_MANY)],
    ),
    Row("ports without names", {"ports": [{"port": 80}, {"port": 81}]}, [wrong("ports[1].name", DUPLICATE)]),
    Row("port", {"ports[0].port": 0}, [wrong("ports[0].port", INVALID)]),
    Row("protocol", {"ports[0].protocol": "x"}, [wrong("ports[0].protocol", UNSUPPORTED)]),
)


@pytest.mark.parametrize("row", ENDPOINTS_ROWS, ids=lambda row: row.id)
def test_endpoints(row: Row) -> None:
    plain = changed(SUBSET, row.changes)
    check(errors_on_create(ENDPOINTS, plain), row.wrong)
    check_defaults_are_stable(ENDPOINTS, plain)


@pytest.mark.parametrize("row", SLICE_ROWS, ids=lambda row: row.id)
def test_slices(row: Row) -> None:
    plain = changed(SLICE, row.changes)
    check(errors_on_create(ENDPOINT_SLICES, plain), row.wrong)
    check_defaults_are_stable(ENDPOINT_SLICES, plain)


def test_the_type_of_a_slice_never_changes() -> None:
    row = Row("", {"addressType": "FQDN", "endpoints": []}, [wrong("addressType", INVALID, "field is immutable")])
    check(errors_on_update(ENDPOINT_SLICES, SLICE, row), row.wrong)


@pytest.mark.parametrize(("resource", "plain"), [(ENDPOINTS, SUBSET), (ENDPOINT_SLICES, SLICE)], ids=["endpoints", "slices"])
def test_protocol_by_default(resource: Resource, plain: Plain) -> None:
    assert b'"protocol":"TCP"' in codec.encode(created(resource, plain))
    assert STRATEGIES[resource].allow_unconditional_update


def test_the_generation_counts_changes_of_endpoints() -> None:
    old = stored(ENDPOINT_SLICES, SLICE)
    assert old.metadata.generation == 1
    relabelled, _ = updated(ENDPOINT_SLICES, old, changed(codec.to_plain(old), {"metadata.labels": {"a": "b"}}))
    assert relabelled.metadata.generation == 1
    moved, _ = updated(ENDPOINT_SLICES, old, changed(codec.to_plain(old), {"endpoints[0].addresses": ["10.244.1.6"]}))
    assert moved.metadata.generation == 2
