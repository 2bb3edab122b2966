"""Query parameters and DeleteOptions bodies."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from apimachinery.errors import ApiError
from apiserver.core.parameters import check_list, check_watch, delete_options, parse_options
from apiserver.core.request import FieldValidation, Options
from tests.support.protobuf import body_of


@dataclass(frozen=True)
class Case:
    id: str
    pairs: tuple[tuple[str, str], ...]
    attribute: str
    want: object


CASES = (
    Case("dryRun", (("dryRun", "All"),), "dry_run", True),
    Case("default validation", (), "field_validation", FieldValidation.WARN),
    Case("strict", (("fieldValidation", "Strict"),), "field_validation", FieldValidation.STRICT),
    Case("limit", (("limit", "500"),), "limit", 500),
    Case("the first of two", (("limit", "5"), ("limit", "6")), "limit", 5),
    Case("bookmarks", (("allowWatchBookmarks", "true"),), "allow_bookmarks", True),
    Case("no bookmarks", (("allowWatchBookmarks", "False"),), "allow_bookmarks", False),
    Case("bookmarks, without a value", (("allowWatchBookmarks", ""),), "allow_bookmarks", True),
    Case("bookmarks, another word", (("allowWatchBookmarks", "perhaps"),), "allow_bookmarks", True),
    Case("no word about initial events", (), "send_initial_events", None),
    Case("no initial events", (("sendInitialEvents", "false"),), "send_initial_events", False),
    Case("timeout", (("timeoutSeconds", "30"),), "timeout_s", 30.0),
    Case("grace 0", (("gracePeriodSeconds", "0"),), "grace_period_s", 0),
    Case("no grace", (), "grace_period_s", None),
    Case("propagation", (("propagationPolicy", "Foreground"),), "propagation_policy", "Foreground"),
    Case("continue", (("continue", "abc"),), "continue_token", "abc"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_option(case: Case) -> None:
    options = parse_options(case.pairs, default_validation=FieldValidation.WARN)
    assert getattr(options, case.attribute) == case.want


BAD = (
    ("dryRun", "Some"),
    ("fieldValidation", "Maybe"),
    ("limit", "-1"),
    ("limit", "١"),
    ("limit", "9" * 40),
    ("propagationPolicy", "Sideways"),
    ("gracePeriodSeconds", "soon"),
)


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{name}={value[:10]}" for name, value in BAD])
def test_bad_parameter_is_named(name: str, value: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_options(((name, value),), default_validation=FieldValidation.WARN)
    assert caught.value.code == 400
    assert name in caught.value.status.message


@dataclass(frozen=True)
class Combination:
    """Options of a list or a watch, and the fields that are wrong with them."""

    id: str
    options: Options
    list_wrong: tuple[str, ...] = ()
    watch_wrong: tuple[str, ...] = ()


MATCH, INITIAL = "resourceVersionMatch", "sendInitialEvents"
COMBINATIONS = (
    Combination("nothing", Options()),
    Combination("a match without a version", Options(resource_version_match="Exact"), (MATCH,), (MATCH, MATCH)),
    Combination("exactly some version", Options(resource_version_match="Exact", resource_version="5"), (), (MATCH, MATCH)),
    Combination("exactly any version", Options(resource_version_match="Exact", resource_version="0"), (MATCH,), (MATCH, MATCH)),
    Combination("not older", Options(resource_version_match="NotOlderThan", resource_version="5"), (), (MATCH,)),
    Combination("another word", Options(resource_version_match="Sometimes", resource_version="5"), (MATCH,), (MATCH, MATCH)),
    Combination(
        "in the middle of pages",
        Options(resource_version_match="Exact", resource_version="5", continue_token="t"),
        (MATCH,),
        (MATCH, MATCH, MATCH),
    ),
    Combination("initial events without a match", Options(send_initial_events=True), (INITIAL,), (MATCH,)),
    Combination("no initial events without a match", Options(send_initial_events=False), (INITIAL,), (MATCH,)),
    Combination(
        "initial events", Options(send_initial_events=True, resource_version_match="NotOlderThan"), (MATCH, INITIAL), ()
    ),
)


@pytest.mark.parametrize("case", COMBINATIONS, ids=lambda case: case.id)
def test_options_that_do_not_go_together(case: Combination) -> None:
    assert _wrong(check_list, case.options) == case.list_wrong
    assert _wrong(check_watch, case.options) == case.watch_wrong


def _wrong(check: Callable[[Options], None], options: Options) -> tuple[str, ...]:
    """The fields that a check complains about."""
    try:
        check(options)
    except ApiError as caught:
        error = caught
    else:
        return ()
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.status.details is not None
    return tuple(cause.field for cause in error.status.details.causes)


def test_delete_body_of_another_media_type() -> None:
    with pytest.raises(ApiError) as caught:
        delete_options(Options(), b"\xa0", "application/cbor")
    assert caught.value.code == 415
    options, _, _ = delete_options(Options(), b"gracePeriodSeconds: 3", "application/yaml")
    assert options.grace_period_s == 3
    body = body_of({"apiVersion": "apps/v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Orphan"})
    options, _, _ = delete_options(Options(), body, "application/vnd.kubernetes.protobuf")
    assert (options.grace_period_s, options.propagation_policy) == (0, "Orphan")


def test_delete_body_is_merged_over_the_query() -> None:
    body = b"""{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":3,"propagationPolicy":"Orphan",
        "preconditions":{"uid":"u","resourceVersion":"7"},"dryRun":["All"]}"""
    options, uid, version = delete_options(Options(grace_period_s=9), body)
    assert (options.grace_period_s, options.propagation_policy, options.dry_run) == (3, "Orphan", True)
    assert (uid, version) == ("u", "7")


def test_delete_without_body_keeps_the_query() -> None:
    assert delete_options(Options(grace_period_s=9), b"") == (Options(grace_period_s=9), "", "")


@pytest.mark.parametrize(
    "body",
    [
        b'{"gracePeriodSeconds":-1}',
        b'{"kind":"Pod"}',
        b'{"propagationPolicy":"Sideways"}',
        b'{"orphanDependents":true,"propagationPolicy":"Foreground"}',
        b"[",
    ],
)
def test_bad_delete_body(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        delete_options(Options(), body)
    assert caught.value.code == 400
