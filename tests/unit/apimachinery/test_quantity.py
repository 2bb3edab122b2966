"""Quantities: parsing, arithmetic units, the canonical form."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.quantity import QuantityError, canonical, from_milli, int_value, milli_value, parse_quantity


@dataclass(frozen=True)
class Row:
    text: str | int | float
    canonical: str
    milli: int


ROWS = (
    Row("0", "0", 0),
    Row("0Mi", "0", 0),
    Row("1", "1", 1000),
    Row(2, "2", 2000),
    Row(0.5, "500m", 500),
    Row("0.5", "500m", 500),
    Row(".5", "500m", 500),
    Row("100m", "100m", 100),
    Row("1000m", "1", 1000),
    Row("1500m", "1500m", 1500),
    Row("1000", "1k", 1_000_000),
    Row("1024", "1024", 1_024_000),
    Row("1024Ki", "1Mi", (1 << 20) * 1000),
    Row("1.5Gi", "1536Mi", 3 * (1 << 29) * 1000),
    Row("0.5Ki", "512", 512_000),
    Row("0.1Ki", "102400m", 102_400),
    Row("1e3", "1e3", 1_000_000),
    Row("1.5e3", "1500", 1_500_000),
    Row("1E", "1E", 10**21),
    Row("1E3", "1e3", 1_000_000),
    Row("-1Gi", "-1Gi", -(1 << 30) * 1000),
    Row("+5", "5", 5000),
    Row("0.0000000001", "1n", 1),
    Row("9Ei", "9223372036854775807", ((1 << 63) - 1) * 1000),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.text))
def test_rows(row: Row) -> None:
    assert canonical(row.text) == row.canonical
    assert milli_value(row.text) == row.milli
    assert canonical(row.canonical) == row.canonical
    assert parse_quantity(row.canonical) == parse_quantity(row.text)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1\n", "1kb", "1mi", "Mi", "1.2.3", "--1", "1e", "0x10", "١", "1_000", "inf", "nan"]
)
def test_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_quantity(text)


def test_whole_units_round_up() -> None:
    assert int_value("1500m") == 2
    assert int_value("0.1Ki") == 103
    assert from_milli(1500) == "1500m"


@given(
    st.integers(-(10**15), 10**15),
    st.sampled_from(["n", "u", "m", "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-3", "e6"]),
)
def test_canonical_keeps_the_value_and_is_stable(number: int, suffix: str) -> None:
    once = canonical(f"{number}{suffix}")
    assert canonical(once) == once
    assert parse_quantity(once) == parse_quantity(f"{number}{suffix}")


@given(st.decimals(-1000, 1000, places=9))
def test_decimals_keep_nine_places(number: Decimal) -> None:
    assert parse_quantity(canonical(f"{number:f}")) == number
