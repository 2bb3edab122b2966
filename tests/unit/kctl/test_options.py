"""Arguments as kubectl takes them, rewritten for click."""

from __future__ import annotations

from typing import Any

import click
import pytest

from kctl.durations import parse_duration
from kctl.errors import KctlError
from kctl.options import Command, Option, rewrite
from kctl.session import Session

PARAMS: list[click.Parameter] = [
    Option(["-o", "--output"]),
    Option(["--wait"], is_flag=True),
    Option(["-i", "--stdin"], is_flag=True),
    Option(["-t", "--tty"], is_flag=True),
    Option(["--dry-run"], bare="client", default="none"),
    Option(["-l", "--selector"]),
]

CASES: tuple[tuple[str, list[str], list[str], dict[str, bool]], ...] = (
    ("a switch with a value", ["--wait=false"], [], {"wait": False}),
    ("a switch without one", ["--wait"], ["--wait"], {}),
    ("an option without its value", ["--dry-run", "x"], ["--dry-run=client", "x"], {}),
    ("an option with its value", ["--dry-run=server"], ["--dry-run=server"], {}),
    ("a short option with an equals sign", ["-o=json"], ["-o", "json"], {}),
    ("a value with equals signs", ["-l=app=web"], ["-l", "app=web"], {}),
    ("what is no option", ["a=b", "-x=y"], ["a=b", "-x=y"], {}),
)


@pytest.mark.parametrize(("args", "want", "switches"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_rewrite(args: list[str], want: list[str], switches: dict[str, bool]) -> None:
    assert rewrite(PARAMS, args) == (want, switches)


def test_a_switch_that_is_neither_on_nor_off() -> None:
    with pytest.raises(click.UsageError, match='invalid argument "maybe"'):
        rewrite(PARAMS, ["--wait=maybe"])


def called(args: list[str]) -> tuple[dict[str, Any], Session]:
    seen: dict[str, Any] = {}
    params = [*PARAMS, click.Argument(["words"], nargs=-1)]
    session = Session()
    Command("x", params=params, callback=lambda **given: seen.update(given)).main(args, standalone_mode=False, obj=session)
    return seen, session


def test_what_stands_behind_dashes_is_counted_and_left_alone() -> None:
    seen, session = called(["-it", "pod", "-n", "team", "--", "sh", "-c", "--wait=false"])
    assert seen["words"] == ("pod", "sh", "-c", "--wait=false")
    assert (seen["stdin"], seen["tty"], seen["wait"]) == (True, True, False)
    assert session.after_dashes == 3
    assert session.flags == {"namespace": "team"}


DURATIONS = (("0", 0.0), ("90", 90.0), ("5s", 5.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("500ms", 0.5), ("-1s", -1.0))


@pytest.mark.parametrize(("text", "seconds"), DURATIONS, ids=[text for text, _ in DURATIONS])
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "5x", "s", "1m-5s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(KctlError, match="--timeout"):
        parse_duration(text, "timeout")
