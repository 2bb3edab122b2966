"""Ranges of addresses and ports, and what is tried next."""

import random

import pytest

from apiserver.core.allocation import address_number, address_range, address_text, port_range


def test_service_network() -> None:
    found = address_range("10.96.0.0/16", ("10.96.0.1", "10.96.0.10"))
    assert [address_text(found.first), address_text(found.last), address_text(found.dynamic_from)] == [
        "10.96.0.1",
        "10.96.255.254",
        "10.96.1.1",
    ]


def test_every_free_number_is_tried_once_the_upper_part_first() -> None:
    small = address_range("10.0.0.0/26", ("10.0.0.1", "10.0.0.10"))
    taken = {small.first + 2, small.last}
    tried = list(small.candidates(taken, random.Random(1)))
    free = set(range(small.first, small.last + 1)) - taken - small.reserved
    assert sorted(tried) == sorted(free)
    upper = sum(number >= small.dynamic_from for number in free)
    assert all(number >= small.dynamic_from for number in tried[:upper])


def test_full_range_has_no_candidates() -> None:
    ports = port_range("30000-30003")
    assert list(ports.candidates(range(30000, 30004), random.Random(1))) == []


def test_choice_depends_on_the_seed_only() -> None:
    ports = port_range("30000-32767")
    first = [next(iter(ports.candidates((), random.Random(7)))) for _ in range(2)]
    assert first[0] == first[1]
    assert first[0] in ports


@pytest.mark.parametrize("text", ["", "30000", "2-1", "0-10", "1-70000", "a-b"])
def test_bad_port_range(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        port_range(text)


@pytest.mark.parametrize("text", ["010.96.0.1", "10.96.0", "::1", "None", "10.96.0.256"])
def test_no_address(text: str) -> None:
    assert address_number(text) is None
