"""What an editor is given and what comes back; patches made and applied here; the two sides of a diff."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import changing, differing, editing
from kctl.discovery import ResourceType
from kctl.editing import Reason
from kctl.errors import KctlError, StatusError
from kctl.manifests import ManifestError
from kctl.rest import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from kctl.targets import Target

MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "words", "namespace": "team"},
    "data": {"a": "b"},
}
TARGET = Target(ResourceType("", "v1", "configmaps", "ConfigMap"), "words", "team")


def test_the_text_survives_its_header() -> None:
    text = editing.render([MAP], "yaml")
    shown = editing.with_header(text, [Reason('configmaps "words" was not valid', ("data: wrong\nsecond line",))])
    assert shown.startswith("# Please edit the object below.")
    assert '# configmaps "words" was not valid:\n# * data: wrong\n# second line\n#\n' in shown
    assert editing.without_comments(shown) == text
    (edited,) = editing.parse(text.replace("a: b", "a: c"), [(TARGET, MAP)])
    assert (edited.target, edited.before, edited.after["data"]) == (TARGET, MAP, {"a": "c"})


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_several_objects_are_a_list(output: str) -> None:
    other = {**MAP, "metadata": {"name": "other", "namespace": "team"}}
    originals = [(TARGET, MAP), (TARGET, other)]
    text = editing.render([MAP, other], output)
    assert [each.before for each in editing.parse(text, originals)] == [MAP, other]


def test_an_object_stays_the_one_it_is() -> None:
    with pytest.raises(KctlError, match="At least one of apiVersion, kind and name was changed"):
        editing.parse(editing.render([MAP], "yaml").replace("name: words", "name: other"), [(TARGET, MAP)])
    with pytest.raises(ManifestError) as caught:
        editing.parse("a: {", [(TARGET, MAP)])
    reason = editing.syntax_reason(TARGET, caught.value)
    assert reason.head == 'configmaps "words" was not valid'
    assert reason.details[0].startswith('<nil>: Invalid value: "The edited file failed validation": yaml: document 1')


@pytest.mark.parametrize(
    ("left", "right", "want"),
    [
        pytest.param("a: b\n", "a: b\n", True, id="equal"),
        pytest.param("a: b\n", "a:   b\n\n", True, id="other spaces"),
        pytest.param("a: b\n", "a: c\n", False, id="other value"),
        pytest.param("a: {", "a: {", True, id="equal and unreadable"),
        pytest.param("a: {", "a: [", False, id="unreadable"),
    ],
)
def test_same(left: str, right: str, want: bool) -> None:
    assert editing.same(left, right) is want


def test_refusals_name_the_fields() -> None:
    causes = [{"field": "data[a]", "message": "too long"}]
    invalid = StatusError({"code": 422, "reason": "Invalid", "message": "all", "details": {"causes": causes}})
    assert editing.refusal_reason(TARGET, invalid).details == ("data[a]: too long",)
    assert editing.refusal_reason(TARGET, StatusError({"code": 400, "message": "unknown field"})).details == ("unknown field",)
    gone = [(TARGET, StatusError({"code": 404})), (TARGET, StatusError({"code": 409, "message": "changed"}))]
    assert list(editing.failures(gone)) == [
        'error: configmaps "words" could not be found on the server',
        'error: configmaps "words" could not be patched: changed',
    ]


def test_kinds_without_a_class_are_merged_plainly() -> None:
    before = {"apiVersion": "example.com/v1", "kind": "Boat", "spec": {"sails": [1], "mast": 1}}
    after = {**before, "spec": {"sails": [1, 2]}}
    body, kind = changing.between(before, after)
    assert (body, kind) == ({"spec": {"sails": [1, 2], "mast": None}}, MERGE_PATCH)
    with pytest.raises(KctlError, match=r"strategic merge patch is not supported for example\.com/v1, Kind=Boat"):
        changing.applied(before, body, STRATEGIC_PATCH)


def test_patches_are_applied_here() -> None:
    operations = [{"op": "replace", "path": "/data/a", "value": "c"}]
    assert changing.applied(MAP, operations, JSON_PATCH)["data"] == {"a": "c"}
    assert changing.applied(MAP, {"data": None}, MERGE_PATCH).get("data") is None
    with pytest.raises(KctlError):
        changing.applied(MAP, [{"op": "remove", "path": "/nope"}], JSON_PATCH)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        pytest.param("{x", MERGE_PATCH, r'unable to parse "{x": .*yaml', id="no YAML"),
        pytest.param("[]", STRATEGIC_PATCH, "expected an object", id="a list"),
        pytest.param('{"a": 1}', JSON_PATCH, "expected a list of operations", id="an object"),
        pytest.param("", MERGE_PATCH, "expected an object", id="nothing"),
    ],
)
def test_no_patch(text: str, kind: str, words: str) -> None:
    with pytest.raises(KctlError, match=words):
        changing.parse_patch(text, kind)


def test_secrets_are_masked_in_a_diff() -> None:
    def secret(**data: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}

    live, merged = differing.masked(
        secret(same="YQ==", other="YQ==", gone="YQ=="), secret(same="YQ==", other="Yg==", new="YQ==")
    )
    assert live is not None
    assert live["data"] == {"same": "***", "other": "*** (before)", "gone": "***"}
    assert merged is not None
    assert merged["data"] == {"same": "***", "other": "*** (after)", "new": "***"}
    assert differing.masked(None, secret(a="YQ=="))[0] is None
    assert differing.masked(MAP, MAP) == (MAP, MAP)


def test_files_and_program_of_a_diff() -> None:
    assert differing.file_name(MAP) == "v1.ConfigMap.team.words"
    assert differing.file_name({"apiVersion": "apps/v1", "kind": "X", "metadata": {"name": "a"}}) == "apps.v1.X..a"
    assert differing.program("") == ["diff", "-u", "-N"]
    assert differing.program("colordiff -N -u --width=80") == ["colordiff", "-N", "-u", "--width=80"]
    with pytest.raises(KctlError, match="has other characters"):
        differing.program("diff ;reboot")
