"""Names and conditions of definitions, as a table of who was there first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.custom_rows import rows_of, served_versions, version_rank
from apimachinery.kinds import CustomResourceDefinition
from apiserver.core.definitions import DELETION_DONE, deletion_in_progress, settle, with_condition
from tests.support.custom import definition, version

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def parsed(plain: dict[str, Any]) -> CustomResourceDefinition:
    return codec.convert(CustomResourceDefinition, plain)


def accepted(plain: dict[str, Any]) -> CustomResourceDefinition:
    found = settle(parsed(plain), (), NOW)
    assert found is not None
    return found


def told(found: CustomResourceDefinition | None) -> dict[str, tuple[str, str]]:
    assert found is not None
    return {each.type: (each.status, each.reason) for each in found.status.conditions}


FIRST = definition()
GOOD = {"NamesAccepted": ("True", "NoConflicts"), "Established": ("True", "InitialNamesAccepted")}


def named(**names: Any) -> dict[str, Any]:
    plain = definition(plural="others", kind="Other")
    plain["spec"]["names"] = {"plural": "others", "singular": "other", "kind": "Other", "listKind": "OtherList", **names}
    return plain


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        (named(), ""),
        (named(shortNames=["crontabs"]), "ShortNamesConflict"),
        (named(singular="ct"), "SingularConflict"),
        (named(kind="CronTab"), "KindConflict"),
        ({**named(kind="CronTab"), "spec": {**named(kind="CronTab")["spec"], "group": "b.example.com"}}, ""),
    ],
    ids=["nothing taken", "a plural", "a short name", "a kind", "a kind of another group"],
)
def test_names_are_taken_once_in_a_group(plain: dict[str, Any], reason: str) -> None:
    first = parsed(FIRST)
    first.spec.names.singular, first.spec.names.list_kind = "crontab", "CronTabList"
    holder = settle(first, (), NOW)
    assert holder is not None
    found = settle(parsed(plain), [holder], NOW)
    assert told(found) == ({"NamesAccepted": ("False", reason), "Established": ("False", "NotAccepted")} if reason else GOOD)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("https://example.com/1", ("True", "ApprovedAnnotation")),
        ("unapproved, an experiment", ("False", "UnapprovedAnnotation")),
        ("yes", ("False", "InvalidAnnotation")),
        ("", ("False", "MissingAnnotation")),
    ],
)
def test_kinds_of_protected_groups_are_approved(text: str, verdict: tuple[str, str]) -> None:
    plain = definition(group="x.k8s.io")
    plain["metadata"]["annotations"] = {"api-approved.kubernetes.io": text}
    assert told(accepted(plain)) == {**GOOD, "KubernetesAPIApprovalPolicyConformant": verdict}


def test_what_is_settled_stays() -> None:
    found = accepted(FIRST)
    assert told(found) == GOOD
    assert settle(found, [found], NOW + timedelta(hours=1)) is None


def test_an_established_kind_keeps_the_names_that_it_had() -> None:
    mine = accepted(FIRST)
    other = accepted(named(shortNames=["tab"]))
    mine.spec.names.short_names = ["tab"]
    found = settle(mine, [mine, other], NOW)
    assert told(found) == {**GOOD, "NamesAccepted": ("False", "ShortNamesConflict")}
    assert found is not None
    assert found.status.accepted_names is not None
    assert found.status.accepted_names.short_names == ["ct"]
    assert rows_of(found)[0].short_names == ("ct",)


def test_a_condition_keeps_its_time_while_its_status_does() -> None:
    begun = with_condition(accepted(FIRST), deletion_in_progress(2), NOW)
    later = with_condition(begun, deletion_in_progress(1), NOW + timedelta(hours=1))
    done = with_condition(later, DELETION_DONE, NOW + timedelta(hours=1))
    times = [each.status.conditions[-1].last_transition_time for each in (begun, later, done)]
    assert times == ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z"]


def test_versions_stand_in_their_order() -> None:
    names = ["foo10", "v1", "v3beta1", "v10", "v11alpha2", "v2", "foo1", "v10beta3", "v12alpha1", "v11beta2"]
    wanted = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
    assert sorted(names, key=version_rank) == wanted


def test_rows_are_those_of_served_versions() -> None:
    found = accepted(definition(version("v1", storage=False, served=False), version("v2"), version("v1beta1", storage=False)))
    assert [each.name for each in served_versions(found)] == ["v2", "v1beta1"]
    preferred, other = rows_of(found)
    assert (preferred.version, other.stored_as, preferred.subresources) == ("v2", preferred, ("status", "scale"))
    assert rows_of(parsed(FIRST)) == ()
