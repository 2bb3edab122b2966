"""Server-side apply: rows of what Kubernetes does, told as steps of managers that apply and update."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from apimachinery.apply import (
    FREE,
    Applied,
    ApplyConflict,
    FieldSet,
    apply,
    shape_of,
    status_fields,
    structural_shape,
    track_update,
)
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Deployment, Pod, Service
from apimachinery.kinds.meta import ManagedFieldsEntry

TYPES: dict[str, Any] = {"ConfigMap": ConfigMap, "Deployment": Deployment, "Pod": Pod, "Service": Service}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Step:
    """One write: apply, force (an apply), update to a whole object, or raw (behind everyone's back)."""

    manager: str
    config: dict[str, Any]
    verb: str = "apply"
    subresource: str = ""


@dataclass
class State:
    object: dict[str, Any] | None = None
    managers: Sequence[ManagedFieldsEntry] = ()
    seconds: int = 0

    def run(self, step: Step) -> "State":
        self.seconds += 1
        config = step.config
        common: dict[str, Any] = {
            "shape": shape_of(TYPES[config["kind"]]),
            "now": f"2026-01-01T00:00:{self.seconds:02}Z",
            "api_version": config["apiVersion"],
            "subresource": step.subresource,
            "ignored": status_fields(step.subresource),
        }
        if step.verb == "raw":  # the server's own defaults and allocations, which nobody owns
            self.object = config
        elif step.verb == "update":
            self.managers = track_update(self.object, config, self.managers, step.manager, **common)
            self.object = config
        else:
            result = apply(self.object, config, self.managers, manager=step.manager, force=step.verb == "force", **common)
            self.object, self.managers = result
        return self

    def held(self) -> dict[str, FieldSet]:
        return {
            f"{entry.manager}{'*' if entry.operation == 'Update' else ''}": FieldSet(entry.fields_v1) for entry in self.managers
        }


def play(*steps: Step) -> State:
    state = State()
    for step in steps:
        state.run(step)
    return state


def cm(data: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    obj: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}}
    return obj if data is None else obj | {"data": data}


def deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    if containers:
        spec["template"] = {"spec": {"containers": list(containers)}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def pod(*ports: dict[str, Any], name: str = "web", **container: Any) -> dict[str, Any]:
    one = {"name": name, **container} | ({"ports": list(ports)} if ports else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [one]}}


def data_of(**values: str) -> FieldSet:
    return FieldSet({"f:data": {f"f:{key}": {} for key in values}})


@dataclass(frozen=True)
class Case:
    id: str
    steps: tuple[Step, ...]
    want: dict[str, Any]
    """Of the object: what stands besides apiVersion, kind and metadata.name."""
    held: dict[str, FieldSet] | None = None


CASES = (
    Case(
        "creates the object, owned by who applied",
        (Step("a", cm({"x": "1"})),),
        {"data": {"x": "1"}},
        {"a": data_of(x="")},
    ),
    Case(
        "a field dropped by its only owner goes",
        (Step("a", cm({"x": "1", "y": "1"})), Step("a", cm({"x": "1"}))),
        {"data": {"x": "1"}},
        {"a": data_of(x="")},
    ),
    Case(
        "an empty configuration gives everything up",
        (Step("a", cm({"x": "1", "y": "1"})), Step("a", cm())),
        {},
        {},
    ),
    Case(
        "a shared field stays when one owner drops it",
        (Step("a", cm({"x": "1"})), Step("b", cm({"x": "1"})), Step("a", cm())),
        {"data": {"x": "1"}},
        {"b": data_of(x="")},
    ),
    Case(
        "a field that an update took over stays",
        (Step("a", cm({"x": "1", "y": "1"})), Step("b", cm({"x": "2", "y": "1"}), "update"), Step("a", cm({"y": "1"}))),
        {"data": {"x": "2", "y": "1"}},
        {"a": data_of(y=""), "b*": data_of(x="")},
    ),
    Case(
        "the same value is shared without conflict",
        (Step("a", cm({"x": "1"})), Step("b", cm({"x": "1", "y": "1"}))),
        {"data": {"x": "1", "y": "1"}},
        {"a": data_of(x=""), "b": data_of(x="", y="")},
    ),
    Case(
        "force takes over",
        (Step("a", cm({"x": "1", "y": "1"})), Step("b", cm({"x": "2"}), "force")),
        {"data": {"x": "2", "y": "1"}},
        {"a": data_of(y=""), "b": data_of(x="")},
    ),
    Case(
        "an own field may change",
        (Step("a", cm({"x": "1"})), Step("a", cm({"x": "2"}))),
        {"data": {"x": "2"}},
        {"a": data_of(x="")},
    ),
    Case(
        "nulls are not given",
        (Step("a", cm({"x": "1"})), Step("b", cm({"x": None, "y": "1"}, creationTimestamp=None))),
        {"data": {"x": "1", "y": "1"}},
        {"a": data_of(x=""), "b": data_of(y="")},
    ),
    Case(
        "fields of one element have several owners",
        (
            Step("a", deployment({"name": "web", "image": "nginx"}, replicas=1)),
            Step("b", deployment({"name": "web", "tty": True})),
        ),
        {
            "spec": {
                "replicas": 1,
                "template": {"spec": {"containers": [{"name": "web", "image": "nginx", "tty": True}]}},
            }
        },
    ),
    Case(
        "an element goes with its last applier",
        (
            Step("a", deployment({"name": "web", "image": "nginx"}, {"name": "side", "image": "x"})),
            Step("a", deployment({"name": "web", "image": "nginx"})),
        ),
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}}},
    ),
    Case(
        "of an element that another one applies too, only the own fields go",
        (
            Step("a", deployment({"name": "web", "image": "nginx", "tty": True})),
            Step("b", deployment({"name": "web", "stdin": True})),
            Step("a", deployment(replicas=1)),
        ),
        {"spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "stdin": True}]}}}},
    ),
    Case(
        "elements of others keep their place",
        (
            Step("a", deployment({"name": "one"}, {"name": "two"}, {"name": "three"})),
            Step("b", deployment({"name": "three"}, {"name": "new"})),
        ),
        {
            "spec": {
                "template": {"spec": {"containers": [{"name": "one"}, {"name": "two"}, {"name": "three"}, {"name": "new"}]}}
            }
        },
    ),
    Case(
        "the configuration's order wins among its own",
        (
            Step("a", deployment({"name": "one"}, {"name": "two"}, {"name": "three"})),
            Step("a", deployment({"name": "three"}, {"name": "two"}, {"name": "one"})),
        ),
        {"spec": {"template": {"spec": {"containers": [{"name": "three"}, {"name": "two"}, {"name": "one"}]}}}},
    ),
    Case(
        "a new first element comes first",
        (
            Step("a", deployment({"name": "one"}, {"name": "two"})),
            Step("b", deployment({"name": "new"}, {"name": "one"})),
        ),
        {"spec": {"template": {"spec": {"containers": [{"name": "new"}, {"name": "one"}, {"name": "two"}]}}}},
    ),
    Case(
        "ports with and without the default protocol are the same",
        (
            Step("a", pod({"containerPort": 80, "protocol": "TCP"})),
            Step("b", pod({"containerPort": 80, "name": "http"})),
        ),
        {"spec": {"containers": [{"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]}]}},
    ),
    Case(
        "ports of two protocols are two",
        (
            Step("a", pod({"containerPort": 53})),
            Step("b", pod({"containerPort": 53, "protocol": "UDP"})),
        ),
        {"spec": {"containers": [{"name": "web", "ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]}]}},
    ),
    Case(
        "an atomic list is replaced whole",
        (Step("a", pod(args=["x", "y"])), Step("a", pod(args=["z"]))),
        {"spec": {"containers": [{"name": "web", "args": ["z"]}]}},
    ),
    Case(
        "a struct that nobody applies any more goes, with what defaults added to it",
        (
            Step("a", deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}})),
            Step(
                "", deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}), "raw"
            ),
            Step("a", deployment(strategy={"type": "Recreate"})),
        ),
        {"spec": {"strategy": {"type": "Recreate"}}},
        {"a": FieldSet({"f:spec": {"f:strategy": {"f:type": {}}}})},
    ),
    Case(
        "what only the server set stays in a struct that somebody applies",
        (
            Step("a", deployment(replicas=1, paused=True)),
            Step("", deployment(replicas=1, paused=True, revisionHistoryLimit=10), "raw"),
            Step("a", deployment(replicas=1)),
        ),
        {"spec": {"replicas": 1, "revisionHistoryLimit": 10}},
    ),
    Case(
        "sets unite, and shrink by what their owner drops",
        (
            Step("a", cm(finalizers=["x/a", "x/shared"])),
            Step("b", cm(finalizers=["x/b", "x/shared"])),
            Step("a", cm(finalizers=["x/a2"])),
        ),
        {"metadata": {"name": "c", "finalizers": ["x/b", "x/shared", "x/a2"]}},
    ),
    Case(
        "what was there before the first apply belongs to its own entry",
        (Step("someone", cm({"x": "1"}), "update"), Step("a", cm({"y": "1"}))),
        {"data": {"x": "1", "y": "1"}},
        {"a": data_of(y=""), "someone*": FieldSet({"f:data": {".": {}, "f:x": {}}})},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_apply(case: Case) -> None:
    state = play(*case.steps)
    obj = state.object
    assert obj is not None
    got = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata") and value != {}}
    if "metadata" in case.want:
        got["metadata"] = obj["metadata"]
    got = {key: value for key, value in _tidy(got).items() if value not in ({}, None)}
    assert got == case.want
    assert obj["metadata"]["name"] == case.steps[0].config["metadata"]["name"]
    if case.held is not None:
        assert state.held() == case.held


def _tidy(value: Any) -> Any:
    """Without what classes write whatever is given."""
    if isinstance(value, dict):
        tidied = {key: _tidy(item) for key, item in value.items()}
        return {key: item for key, item in tidied.items() if item not in ({}, [], None, "")}
    return [_tidy(item) for item in value] if isinstance(value, list) else value


CONFLICTS: tuple[tuple[str, tuple[Step, ...], str, list[tuple[str, str]]], ...] = (
    (
        "with an updater",
        (Step("kubectl", deployment(replicas=1), "update"), Step("a", deployment(replicas=2))),
        'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
        [(".spec.replicas", 'conflict with "kubectl" using apps/v1')],
    ),
    (
        "with an applier",
        (Step("one", deployment(replicas=1)), Step("a", deployment(replicas=2))),
        'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
        [(".spec.replicas", 'conflict with "one"')],
    ),
    (
        "through a subresource",
        (Step("one", cm({"y": "1"})), Step("scaler", cm({"x": "1", "y": "1"}), "update", "scale"), Step("a", cm({"x": "2"}))),
        'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using v1: .data.x',
        [(".data.x", 'conflict with "scaler" with subresource "scale" using v1')],
    ),
    (
        "in an element of a list",
        (Step("one", pod({"containerPort": 80, "name": "x"})), Step("a", pod({"containerPort": 80, "name": "y"}))),
        'Apply failed with 1 conflict: conflict with "one": '
        '.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].name',
        [('.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].name', 'conflict with "one"')],
    ),
    (
        "with several",
        (
            Step("one", cm({"x": "1", "y": "1"})),
            Step("two", cm({"x": "1"})),
            Step("a", cm({"x": "2", "y": "2"})),
        ),
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.x\n- .data.y\nconflicts with "two":\n- .data.x',
        [(".data.x", 'conflict with "one"'), (".data.y", 'conflict with "one"'), (".data.x", 'conflict with "two"')],
    ),
    (
        "an atomic list as a whole",
        (Step("one", pod(args=["x"])), Step("a", pod(args=["x", "y"]))),
        'Apply failed with 1 conflict: conflict with "one": .spec.containers[name="web"].args',
        [('.spec.containers[name="web"].args', 'conflict with "one"')],
    ),
)


@pytest.mark.parametrize(("steps", "message", "causes"), [row[1:] for row in CONFLICTS], ids=[row[0] for row in CONFLICTS])
def test_conflict(steps: tuple[Step, ...], message: str, causes: list[tuple[str, str]]) -> None:
    state = play(*steps[:-1])
    before = state.object, list(state.managers)
    with pytest.raises(ApplyConflict) as caught:
        state.run(steps[-1])
    status = caught.value.status
    assert (status.code, status.reason, status.message) == (409, "Conflict", message)
    assert status.details is not None
    assert [(cause.field, cause.message) for cause in status.details.causes] == causes
    assert {cause.reason for cause in status.details.causes} == {"FieldManagerConflict"}
    assert [each.field for each in caught.value.conflicts] == [field for field, _ in causes]
    assert all(each.time and each.operation in ("Apply", "Update") for each in caught.value.conflicts)
    assert (state.object, list(state.managers)) == before
    assert pickle.loads(pickle.dumps(caught.value)).status == status
    state.run(Step(steps[-1].manager, steps[-1].config, "force"))


REFUSED: tuple[tuple[str, Any, str], ...] = (
    (
        "another version",
        cm() | {"apiVersion": "v2"},
        "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
    ),
    ("managedFields", cm(managedFields=[]), "metadata.managedFields must be nil"),
    (
        "an unknown field",
        cm() | {"extra": 1},
        "failed to create typed patch object (c; v1, Kind=ConfigMap): .extra: field not declared in schema",
    ),
    (
        "an element twice",
        pod({"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}),
        'failed to create typed patch object (p; v1, Kind=Pod): .spec.containers[name="web"].ports: duplicate entries for key '
        '[containerPort=80,protocol="TCP"]',
    ),
    (
        "an element without its key",
        pod({"protocol": "TCP"}),
        'failed to create typed patch object (p; v1, Kind=Pod): .spec.containers[name="web"].ports[0]: '
        'an element of a list with keys must have its key fields ("containerPort")',
    ),
    (
        "a list for a map",
        cm() | {"data": []},
        "failed to create typed patch object (c; v1, Kind=ConfigMap): .data: expected map, got list",
    ),
    ("no object", [], "an apply configuration is an object with metadata"),
)


@pytest.mark.parametrize(("config", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(config: Any, message: str) -> None:
    cls = TYPES[config["kind"]] if config else ConfigMap
    with pytest.raises(ApiError) as caught:
        apply(None, config, (), manager="a", shape=shape_of(cls), now="2026-01-01T00:00:00Z", api_version="v1")
    assert (caught.value.code, caught.value.status.message) == (400, message)


def test_an_apply_that_changes_nothing_keeps_times() -> None:
    state = play(Step("a", cm({"x": "1"})), Step("b", cm({"y": "1"})))
    before = list(state.managers)
    assert state.run(Step("a", cm({"x": "1"}))).managers == before


def test_a_new_co_owner_has_its_time() -> None:
    state = play(Step("a", cm({"x": "1"})), Step("b", cm({"x": "1"})))
    assert [(entry.manager, entry.time) for entry in state.managers] == [
        ("a", "2026-01-01T00:00:01Z"),
        ("b", "2026-01-01T00:00:02Z"),
    ]


def test_what_nobody_was_known_to_own_is_named() -> None:
    result = apply(
        cm({"x": "1"}), cm({"y": "1"}), (), manager="a", shape=shape_of(ConfigMap), now="2026-01-01T00:00:00Z", api_version="v1"
    )
    assert [(entry.manager, entry.operation) for entry in result.managed_fields] == [
        ("a", "Apply"),
        ("before-first-apply", "Update"),
    ]


def test_status_is_applied_through_its_subresource_only() -> None:
    config = deployment(replicas=1) | {"status": {"replicas": 3}}
    state = play(Step("a", config))
    assert state.held()["a"] == FieldSet({"f:spec": {"f:replicas": {}}})
    assert (state.object or {})["status"] != {"replicas": 3}
    state.run(Step("controller", {**config, "spec": {"replicas": 9}}, subresource="status"))
    assert state.object is not None
    assert (state.object["spec"]["replicas"], state.object["status"]["replicas"]) == (1, 3)
    assert state.held()["controller"] == FieldSet({"f:status": {"f:replicas": {}}})


def test_metadata_is_never_removed() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1"}}
    state = play(Step("a", cm({"x": "1"}, labels={"l": "1"})), Step("a", config))
    assert state.object == cm({"x": "1"})


def test_what_has_become_atomic_is_owned_whole() -> None:
    entry = ManagedFieldsEntry(
        manager="old",
        operation="Update",
        api_version="v1",
        fields_v1={"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:args": {".": {}, 'v:"x"': {}}}}}},
    )
    with pytest.raises(ApplyConflict) as caught:
        apply(
            pod(args=["x"]),
            pod(args=["y"]),
            [entry],
            manager="a",
            shape=shape_of(Pod),
            now="2026-01-01T00:00:00Z",
            api_version="v1",
        )
    assert [each.field for each in caught.value.conflicts] == ['.spec.containers[name="web"].args']


class TestFromClientSideApply:
    """kubectl applied on the client first."""

    config = cm({"x": "1", "y": "1"})
    text = '{"apiVersion":"v1","data":{"x":"1","y":"1"},"kind":"ConfigMap","metadata":{"name":"c"}}\n'
    live = cm({"x": "1", "y": "1"}, annotations={LAST_APPLIED: text})

    def state(self) -> State:
        return play(Step("kubectl-client-side-apply", self.live, "update"))

    def test_kubectl_takes_over(self) -> None:
        state = self.state().run(Step("kubectl", cm({"x": "2"})))
        assert state.object is not None
        assert state.object["data"] == {"x": "2"}
        assert state.held() == {"kubectl": data_of(x="")}

    def test_the_annotation_follows(self) -> None:
        state = self.state().run(Step("kubectl", cm({"x": "2"})))
        assert state.object is not None
        assert state.object["metadata"]["annotations"] == {
            LAST_APPLIED: '{"apiVersion":"v1","data":{"x":"2"},"kind":"ConfigMap","metadata":{"name":"c"}}\n'
        }

    def test_one_that_grows_too_large_goes(self) -> None:
        state = self.state().run(Step("kubectl", cm({"x": "2" * (256 * 1024)})))
        assert state.object is not None
        assert state.object["metadata"]["annotations"] == {}

    def test_others_conflict(self) -> None:
        with pytest.raises(ApplyConflict):
            self.state().run(Step("flux", cm({"x": "2"})))

    def test_fields_that_stand_as_the_annotation_says_are_no_conflict(self) -> None:
        live = play(Step("kubectl", self.live, "update"))  # an older client's name
        assert (live.run(Step("kubectl", cm({"x": "2"}))).object or {})["data"] == {"x": "2", "y": "1"}

    def test_fields_that_somebody_changed_since_conflict(self) -> None:
        state = self.state().run(Step("editor", {**self.live, "data": {"x": "9", "y": "1"}}, "update"))
        with pytest.raises(ApplyConflict) as caught:
            state.run(Step("kubectl", cm({"x": "2"})))
        assert [each.field for each in caught.value.conflicts] == [".data.x"]

    @pytest.mark.parametrize("text", ["", "no json", '"text"', '{"apiVersion":"v2"}'])
    def test_an_annotation_that_says_nothing_changes_nothing(self, text: str) -> None:
        state = play(Step("someone", cm({"x": "1"}, annotations={LAST_APPLIED: text}), "update"))
        with pytest.raises(ApplyConflict):
            state.run(Step("kubectl", cm({"x": "2"})))


def test_apply_gives_plain_data_without_managed_fields() -> None:
    live = cm({"x": "1"}, managedFields=[{"manager": "x"}])
    result: Applied = apply(
        live, cm({"y": "1"}), (), manager="a", shape=shape_of(ConfigMap), now="2026-01-01T00:00:00Z", api_version="v1"
    )
    assert "managedFields" not in result.object["metadata"]
    assert "managedFields" in live["metadata"]


def test_custom_resources() -> None:
    schema = {
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "ports": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "proto"],
                        "items": {
                            "properties": {"port": {}, "proto": {"default": "udp"}, "name": {"type": "string"}},
                            "type": "object",
                        },
                    }
                },
            }
        }
    }
    common: dict[str, Any] = {"shape": structural_shape(schema), "now": "2026-01-01T00:00:00Z", "api_version": "g/v1"}

    def config(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
        return {"apiVersion": "g/v1", "kind": "T", "metadata": {"name": "t"}, "spec": {"ports": list(ports), **spec}}

    first = apply(None, config({"port": 1, "proto": "udp"}, {"port": 1, "proto": "tcp"}), (), manager="a", **common)
    second = apply(first.object, config({"port": 1, "name": "x"}), first.managed_fields, manager="b", **common)
    assert second.object["spec"]["ports"] == [{"port": 1, "proto": "udp", "name": "x"}, {"port": 1, "proto": "tcp"}]
    third = apply(second.object, config(), second.managed_fields, manager="a", **common)
    assert third.object["spec"]["ports"] == [{"port": 1, "name": "x"}]
    assert third.managed_fields == second.managed_fields[1:]
    with pytest.raises(ApiError, match=r"\.spec\.extra: field not declared in schema"):
        apply(third.object, config(extra=1), third.managed_fields, manager="a", **common)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = {}
    for _ in range(2000):
        deep = {"a": deep}
    config = {"apiVersion": "v1", "kind": "T", "metadata": {"name": "t"}, "spec": deep}
    with pytest.raises(ApiError, match="nested too deeply"):
        apply(None, config, (), manager="a", shape=FREE, now="2026-01-01T00:00:00Z", api_version="v1")
    with pytest.raises(ApiError, match="nested too deeply"):
        track_update(None, config, (), "a", shape=FREE, now="2026-01-01T00:00:00Z", api_version="v1")
