"""Strategic merge patches: applied as a table, computed and applied as properties."""

import copy
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import patch
from apimachinery.kinds import ConfigMap, Deployment, Pod, PodDisruptionBudgetSpec, PodSpec, Service, ServiceSpec
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.patch import PatchError, PatchFormatError

Plain = dict[str, Any]


@dataclass(frozen=True)
class Row:
    id: str
    cls: type[msgspec.Struct]
    document: Plain
    change: Plain
    want: Plain


AB = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
RETAINED = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
SETTING = {"strategy": RETAINED}
TCP_AND_UDP = {"ports": [{"port": 53, "protocol": "UDP", "name": "u"}, {"port": 53, "protocol": "TCP", "name": "t"}]}

ROWS = (
    Row("fields merge", ObjectMeta, {"labels": {"a": "1"}}, {"labels": {"b": "2"}}, {"labels": {"a": "1", "b": "2"}}),
    Row(
        "an object that is replaced whole",
        PodDisruptionBudgetSpec,
        {"selector": {"matchLabels": {"a": "1"}}},
        {"selector": {"matchLabels": {"b": "2"}}},
        {"selector": {"matchLabels": {"b": "2"}}},
    ),
    Row("null deletes", ObjectMeta, {"labels": {"a": "1", "b": "2"}}, {"labels": {"a": None}}, {"labels": {"b": "2"}}),
    Row(
        "elements merge by key",
        PodSpec,
        AB,
        {"containers": [{"name": "b", "image": "2"}]},
        {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]},
    ),
    Row(
        "new elements stand first",
        PodSpec,
        {"containers": [{"name": "a"}]},
        {"containers": [{"name": "n"}]},
        {"containers": [{"name": "n"}, {"name": "a"}]},
    ),
    Row(
        "an element is deleted",
        PodSpec,
        AB,
        {"containers": [{"$patch": "delete", "name": "a"}]},
        {"containers": AB["containers"][1:]},
    ),
    Row(
        "a list is replaced",
        PodSpec,
        AB,
        {"containers": [{"$patch": "replace"}, {"name": "z", "image": "9"}]},
        {"containers": [{"name": "z", "image": "9"}]},
    ),
    Row("a list is emptied", PodSpec, AB, {"containers": [{"$patch": "replace"}]}, {"containers": []}),
    Row("$patch: merge says nothing", PodSpec, AB, {"containers": [{"$patch": "merge", "name": "a"}]}, AB),
    Row(
        "a map is replaced",
        ObjectMeta,
        {"labels": {"a": "1"}},
        {"labels": {"$patch": "replace", "b": "2"}},
        {"labels": {"b": "2"}},
    ),
    Row("a map is deleted", ObjectMeta, {"labels": {"a": "1"}}, {"labels": {"$patch": "delete"}}, {"labels": {}}),
    Row(
        "atomic lists are replaced",
        PodSpec,
        {"tolerations": [{"key": "a"}, {"key": "b"}]},
        {"tolerations": [{"key": "c"}]},
        {"tolerations": [{"key": "c"}]},
    ),
    Row("sets are united", ObjectMeta, {"finalizers": ["a", "b"]}, {"finalizers": ["b", "c"]}, {"finalizers": ["a", "b", "c"]}),
    Row(
        "members leave a set",
        ObjectMeta,
        {"finalizers": ["a", "b", "c"]},
        {"$deleteFromPrimitiveList/finalizers": ["b", "z"]},
        {"finalizers": ["a", "c"]},
    ),
    Row(
        "order is set",
        PodSpec,
        AB,
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
        {"containers": [AB["containers"][1], AB["containers"][0]]},
    ),
    Row(
        "elements of the server keep their place",
        PodSpec,
        {"containers": [{"name": "s"}, {"name": "a"}, {"name": "b"}, {"name": "t"}]},
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}, {"name": "c"}], "containers": [{"name": "c"}]},
        {"containers": [{"name": "s"}, {"name": "b"}, {"name": "a"}, {"name": "c"}, {"name": "t"}]},
    ),
    Row(
        "order of a set",
        ObjectMeta,
        {"finalizers": ["a", "b"]},
        {"$setElementOrder/finalizers": ["c", "b", "a"], "finalizers": ["c"]},
        {"finalizers": ["c", "b", "a"]},
    ),
    Row(
        "keys that are not retained go",
        Deployment,
        {"spec": SETTING},
        {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
        {"spec": {"strategy": {"type": "Recreate"}}},
    ),
    Row(
        "one volume source replaces another",
        PodSpec,
        {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
        {"volumes": [{"$retainKeys": ["name", "emptyDir"], "name": "v", "emptyDir": {}}]},
        {"volumes": [{"name": "v", "emptyDir": {}}]},
    ),
    Row(
        "directives do not get into what is new",
        PodSpec,
        {},
        {
            "securityContext": {"$patch": "replace", "runAsUser": 1, "fsGroup": None},
            "containers": [{"$patch": "delete", "name": "a"}],
        },
        {"securityContext": {"runAsUser": 1}, "containers": []},
    ),
    Row("a field of another type is replaced", ObjectMeta, {"labels": "x"}, {"labels": {"a": "1"}}, {"labels": {"a": "1"}}),
    Row(
        "unknown fields merge as maps",
        ConfigMap,
        {"x": {"a": 1, "l": [1]}},
        {"x": {"b": 2, "l": [2]}},
        {"x": {"a": 1, "b": 2, "l": [2]}},
    ),
    Row(
        "one port over two protocols",
        ServiceSpec,
        TCP_AND_UDP,
        {"ports": [{"port": 53, "protocol": "TCP", "name": "x"}]},
        {"ports": [TCP_AND_UDP["ports"][0], {"port": 53, "protocol": "TCP", "name": "x"}]},
    ),
    Row(
        "one of the two is deleted",
        ServiceSpec,
        TCP_AND_UDP,
        {"ports": [{"$patch": "delete", "port": 53, "protocol": "UDP"}]},
        {"ports": TCP_AND_UDP["ports"][1:]},
    ),
    Row("both are, by the port alone", ServiceSpec, TCP_AND_UDP, {"ports": [{"$patch": "delete", "port": 53}]}, {"ports": []}),
    Row(
        "the protocol of a single port changes",
        ServiceSpec,
        {"ports": [{"port": 53, "protocol": "TCP", "nodePort": 30000}]},
        {"ports": [{"port": 53, "protocol": "UDP"}]},
        {"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30000}]},
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_applies(row: Row) -> None:
    before = copy.deepcopy((row.document, row.change))
    result = patch.strategic_merge_patch(row.cls, row.document, row.change)
    assert result == row.want
    assert (row.document, row.change) == before
    again = patch.strategic_merge_patch(row.cls, result, patch.strategic_diff(row.cls, result, row.want))
    assert again == row.want


MALFORMED = (
    ("no object", PodSpec, []),
    ("an unknown directive", PodSpec, {"$patch": "clear"}),
    ("an unknown directive in a list", PodSpec, {"containers": [{"$patch": "clear", "name": "a"}]}),
    ("an element without its key", PodSpec, {"containers": [{"image": "x"}]}),
    ("a deletion without its key", PodSpec, {"containers": [{"$patch": "delete"}]}),
    ("a scalar in a list of objects", PodSpec, {"containers": ["a"]}),
    ("an object in a list of scalars", ObjectMeta, {"finalizers": [{"name": "a"}]}),
    ("a key that is an object", PodSpec, {"containers": [{"name": {}}]}),
    ("retained keys that leave out what is set", Deployment, {"spec": {"strategy": {"$retainKeys": [], "type": "Recreate"}}}),
    ("retained keys that are no list", Deployment, {"spec": {"strategy": {"$retainKeys": "type"}}}),
    ("an order that is no list", PodSpec, {"$setElementOrder/containers": "a"}),
    ("an order without what is set", PodSpec, {"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}),
    (
        "an order against that of the patch",
        PodSpec,
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a"}, {"name": "b"}]},
    ),
)


@pytest.mark.parametrize(("name", "cls", "change"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_malformed(name: str, cls: type[msgspec.Struct], change: Any) -> None:
    with pytest.raises(PatchFormatError):
        patch.strategic_merge_patch(cls, AB, change)


def test_merging_long_lists_is_not_quadratic() -> None:
    environment = [{"name": f"V{number}", "value": "1"} for number in range(20_000)]
    document = {"containers": [{"name": "a", "env": environment}]}
    change = {"containers": [{"name": "a", "env": [{**each, "value": "2"} for each in reversed(environment)]}]}
    result = patch.strategic_merge_patch(PodSpec, document, change)
    assert {each["value"] for each in result["containers"][0]["env"]} == {"2"}


def test_what_apply_sends() -> None:
    original = {"spec": {"replicas": 2, "paused": True, "strategy": {"type": "RollingUpdate"}, "template": {"spec": AB}}}
    only_b = {"containers": [{"name": "b", "image": "2"}]}
    modified = {"spec": {"replicas": 3, "strategy": {"type": "Recreate"}, "template": {"spec": only_b}}}
    current = copy.deepcopy(original)
    current["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": "25%"}
    current["spec"]["template"]["spec"]["containers"].append({"name": "injected"})
    assert patch.three_way_merge_patch(Deployment, original, modified, current) == {
        "spec": {
            "replicas": 3,
            "paused": None,
            "strategy": {"type": "Recreate", "$retainKeys": ["type"]},
            "template": {
                "spec": {
                    "containers": [{"name": "b", "image": "2"}, {"$patch": "delete", "name": "a"}],
                    "$setElementOrder/containers": [{"name": "b"}],
                }
            },
        }
    }


def test_apply_sends_whole_what_is_replaced_whole() -> None:
    before, after = ({"selector": {"matchLabels": {"a": "1", "x": number}}} for number in ("1", "2"))
    assert patch.three_way_merge_patch(PodDisruptionBudgetSpec, before, after, before) == after
    assert patch.three_way_merge_patch(PodDisruptionBudgetSpec, after, after, after) == {}


def test_an_object_that_apply_did_not_make_loses_nothing() -> None:
    current = {
        "metadata": {"labels": {"theirs": "1"}, "finalizers": ["x/y"]},
        "spec": {"ports": [{"port": 80, "nodePort": 30001}]},
    }
    modified = {"metadata": {"labels": {"mine": "1"}}, "spec": {"ports": [{"port": 80, "name": "http"}]}}
    change = patch.three_way_merge_patch(Service, {}, modified, current)
    assert patch.strategic_merge_patch(Service, current, change) == {
        "metadata": {"labels": {"theirs": "1", "mine": "1"}, "finalizers": ["x/y"]},
        "spec": {"ports": [{"port": 80, "nodePort": 30001, "name": "http"}]},
    }


def test_a_document_whose_list_lacks_its_keys_is_refused() -> None:
    with pytest.raises(PatchError):
        patch.strategic_merge_patch(PodSpec, {"containers": [{"image": "x"}]}, {"containers": [{"name": "a"}]})


NAMES = st.sampled_from("abcd")


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Plain]:
    return st.fixed_dictionaries({}, optional=fields)


def keyed(key: str, values: st.SearchStrategy[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Plain]]:
    element = st.builds(lambda value, rest: {key: value, **rest}, values, optional(**fields))
    return st.lists(element, max_size=3, unique_by=lambda item: item[key])


SMALL = st.sampled_from(["1", "2", "3"])
LABELS = st.dictionaries(NAMES, SMALL, max_size=3)
ENVIRONMENT = keyed("name", NAMES, value=SMALL)
PORTS = st.lists(
    st.builds(
        lambda port, protocol, rest: {"containerPort": port, "protocol": protocol, **rest},
        st.sampled_from([53, 80]),
        st.sampled_from(["TCP", "UDP"]),
        optional(name=NAMES),
    ),
    max_size=3,
    unique_by=lambda item: (item["containerPort"], item["protocol"]),
)
CONTAINERS = keyed("name", NAMES, image=SMALL, env=ENVIRONMENT, ports=PORTS, command=st.lists(SMALL, max_size=2))
SOURCES = st.one_of(
    st.builds(lambda path: {"hostPath": {"path": path}}, SMALL),
    st.builds(lambda name: {"configMap": {"name": name}}, NAMES),
    st.just({"emptyDir": {}}),
)
VOLUMES = st.lists(
    st.builds(lambda name, source: {"name": name, **source}, NAMES, SOURCES), max_size=3, unique_by=lambda item: item["name"]
)
PODS = st.fixed_dictionaries(
    {
        "metadata": optional(labels=LABELS, finalizers=st.lists(NAMES, max_size=3, unique=True)),
        "spec": optional(
            containers=CONTAINERS,
            volumes=VOLUMES,
            nodeSelector=LABELS,
            tolerations=st.lists(optional(key=NAMES, value=SMALL), max_size=2),
            securityContext=optional(runAsUser=st.integers(0, 3), supplementalGroups=st.lists(st.integers(0, 3), max_size=2)),
        ),
    }
)


@settings(max_examples=100)
@given(PODS, PODS)
def test_the_patch_of_a_diff_restores_the_target(before: Plain, after: Plain) -> None:
    untouched = copy.deepcopy((before, after))
    change = patch.strategic_diff(Pod, before, after)
    assert patch.strategic_merge_patch(Pod, before, change) == after
    assert (change == {}) == (before == after)
    assert (before, after) == untouched


@settings(max_examples=100)
@given(PODS, PODS, PODS)
def test_applying_twice_is_applying_once(original: Plain, modified: Plain, current: Plain) -> None:
    once = patch.strategic_merge_patch(Pod, current, patch.three_way_merge_patch(Pod, original, modified, current))
    assert patch.three_way_merge_patch(Pod, modified, modified, once) == {}


@settings(max_examples=100)
@given(PODS, PODS, PODS)
def test_what_others_wrote_survives_and_what_is_written_is_there(original: Plain, modified: Plain, current: Plain) -> None:
    result = patch.strategic_merge_patch(Pod, current, patch.three_way_merge_patch(Pod, original, modified, current))
    labels = [each["metadata"].get("labels", {}) for each in (original, modified, current, result)]
    if "labels" not in original["metadata"] or "labels" in modified["metadata"]:
        assert (
            labels[3]
            == {key: value for key, value in labels[2].items() if key in labels[1] or key not in labels[0]} | labels[1]
        )
    names = [{each["name"] for each in pod["spec"].get("containers", [])} for pod in (original, modified, current, result)]
    if "containers" not in original["spec"] or "containers" in modified["spec"]:
        assert names[3] == names[1] | (names[2] - names[0])
    for wanted in modified["spec"].get("containers", []):
        stored = next(each for each in result["spec"]["containers"] if each["name"] == wanted["name"])
        assert wanted.get("image") in (None, stored.get("image"))
