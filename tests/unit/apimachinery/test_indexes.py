"""Indexes of a Job in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.indexes import IndexesError, overlap, parse_indexes

ACCEPTED = (("", []), ("0", [0]), ("1,3-5,7", [1, 3, 4, 5, 7]), ("0-1,2", [0, 1, 2]))
REFUSED = ("a", "-1", "3,1", "1,1", "5-3", "2-2", "1-3,3", "10", "8-10", "1,", "1-2-3", "٣")


@pytest.mark.parametrize(("text", "want"), ACCEPTED, ids=[text for text, _ in ACCEPTED])
def test_accepted(text: str, want: list[int]) -> None:
    assert [index for interval in parse_indexes(text, 10) for index in interval] == want


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(IndexesError):
        parse_indexes(text, 10)


@given(ones=st.sets(st.integers(0, 40)), others=st.sets(st.integers(0, 40)))
def test_overlap_finds_the_smallest_common_index(ones: set[int], others: set[int]) -> None:
    mine, theirs = (parse_indexes(",".join(map(str, sorted(each))), 41) for each in (ones, others))
    assert overlap(mine, theirs) == min(ones & others, default=None)
