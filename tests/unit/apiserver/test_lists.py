"""Lists in portions: whatever the sizes of their objects, they are one JSON document of the length that was promised."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from apimachinery.resources import CONFIG_MAPS
from apiserver.core.request import Listing
from apiserver.doors.lists import PORTION_BYTES, list_portions, size_bytes


@dataclass
class Item:
    data: bytes
    namespace: str = "default"
    name: str = "x"
    revision: int = 1


def listing(*sizes: int) -> Listing:
    return Listing(CONFIG_MAPS, [Item(b'{"n":"%b"}' % (b"x" * (size - 8))) for size in sizes], 17, "token", 3)


CASES = {
    "nothing": (),
    "one small": (100,),
    "one portion to the byte": (PORTION_BYTES,),
    "two portions to the byte": (PORTION_BYTES, PORTION_BYTES),
    "a little more than a portion": (PORTION_BYTES, 10),
    "one larger than a portion": (3 * PORTION_BYTES,),
    "many": (1000,) * 1000,
}


@pytest.mark.parametrize("sizes", CASES.values(), ids=CASES.keys())
def test_portions_are_one_document(sizes: tuple[int, ...]) -> None:
    wanted = listing(*sizes)
    portions = list(list_portions(wanted))
    whole = b"".join(portions)
    assert len(whole) == size_bytes(wanted)
    document = json.loads(whole)
    assert (document["kind"], document["apiVersion"]) == ("ConfigMapList", "v1")
    assert document["metadata"] == {"resourceVersion": "17", "continue": "token", "remainingItemCount": 3}
    assert [len(json.dumps(each, separators=(",", ":"))) for each in document["items"]] == list(sizes)
    assert all(len(each) <= PORTION_BYTES + max(sizes, default=0) + 1_000 for each in portions)
