"""What holds for every sequence of writes by several managers."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.apply import FieldSet, apply, fields_of, shape_of, starting_managers, track_update
from apimachinery.apply.managers import NEVER_OWNED
from apimachinery.apply.walking import difference
from apimachinery.kinds import Pod
from apimachinery.kinds.meta import ManagedFieldsEntry

POD = shape_of(Pod)
NOW = "2026-01-01T00:00:01Z"
LATER = "2026-01-01T00:00:02Z"

texts = st.sampled_from(("1", "2"))
names = st.sampled_from(("one", "two", "three"))


def unique(elements: st.SearchStrategy[Any], key: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(elements, max_size=3, unique_by=key)


ports = st.fixed_dictionaries(
    {"containerPort": st.sampled_from((80, 443))},
    optional={"protocol": st.sampled_from(("TCP", "UDP")), "name": texts},
)
containers = st.fixed_dictionaries(
    {"name": names},
    optional={
        "image": texts,
        "args": st.lists(texts, max_size=2),
        "tty": st.booleans(),
        "ports": unique(ports, lambda port: (port["containerPort"], port.get("protocol", "TCP"))),
        "env": unique(st.fixed_dictionaries({"name": names}, optional={"value": texts}), lambda env: env["name"]),
        "resources": st.fixed_dictionaries({}, optional={"limits": st.dictionaries(names, texts, max_size=2)}),
    },
)
pods = st.builds(
    lambda metadata, spec: {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", **metadata}, "spec": spec},
    st.fixed_dictionaries(
        {},
        optional={
            "labels": st.dictionaries(names, texts, max_size=2),
            "finalizers": st.lists(names, max_size=3, unique=True),
        },
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "containers": unique(containers, lambda container: container["name"]),
            "nodeSelector": st.dictionaries(names, texts, max_size=2),
            "securityContext": st.fixed_dictionaries({}, optional={"runAsUser": st.integers(0, 1)}),
            "hostNetwork": st.booleans(),
        },
    ),
)


def applied(live: Any, config: Any, managers: Any, manager: str, *, now: str = NOW) -> tuple[Any, list[ManagedFieldsEntry]]:
    return apply(live, config, managers, manager=manager, force=True, shape=POD, now=now, api_version="v1")


def updated(live: Any, after: Any, managers: Any, manager: str) -> tuple[Any, list[ManagedFieldsEntry]]:
    return after, track_update(live, after, managers, manager, shape=POD, now=NOW, api_version="v1")


@st.composite
def histories(draw: st.DrawFn) -> tuple[Any, list[ManagedFieldsEntry]]:
    """A live object and its managers after a few writes."""
    live, managers = applied(None, draw(pods), (), draw(names))
    for _ in range(draw(st.integers(0, 3))):
        write = draw(st.sampled_from((applied, updated)))
        live, managers = write(live, draw(pods), managers, draw(names))
    return live, managers


def owned(managers: list[ManagedFieldsEntry], *, besides: str = "") -> set[tuple[str, ...]]:
    kept = (entry for entry in managers if (entry.manager, entry.operation) != (besides, "Apply"))
    return {path for entry in kept for path in FieldSet(entry.fields_v1)}


def everything(live: Any) -> set[tuple[str, ...]]:
    """All paths of an object, containers included."""
    return set(FieldSet(difference(POD, {}, live).changed))


def included(config: Any, obj: Any) -> bool:
    """Whether an object says everything that a configuration says."""
    if isinstance(config, dict):
        return isinstance(obj, dict) and all(
            key in obj and (included(value, obj[key]) if key not in ("args", "nodeSelector") else value == obj[key])
            for key, value in config.items()
        )
    if isinstance(config, list):
        return isinstance(obj, list) and all(any(included(item, other) for other in obj) for item in config)
    return bool(config == obj)


@settings(deadline=None, max_examples=60)
@given(histories(), pods, names)
def test_an_applied_object_says_what_the_configuration_says(history: Any, config: Any, manager: str) -> None:
    live, managers = history
    result, entries = applied(live, config, managers, manager)
    assert included(config, result)
    mine = [entry for entry in entries if (entry.manager, entry.operation) == (manager, "Apply")]
    want = fields_of(POD, config).difference(NEVER_OWNED)
    assert [FieldSet(entry.fields_v1) for entry in mine] == ([want] if want else [])


@settings(deadline=None, max_examples=60)
@given(histories(), pods, names)
def test_applying_again_changes_nothing(history: Any, config: Any, manager: str) -> None:
    live, managers = history
    once, entries = applied(live, config, managers, manager)
    twice, again = applied(once, config, entries, manager, now=LATER)
    if entries:  # an object that nobody owns gets an owner for what was there before
        assert (twice, again) == (once, entries)


@settings(deadline=None, max_examples=60)
@given(histories(), pods, names)
def test_fields_of_other_appliers_survive(history: Any, config: Any, manager: str) -> None:
    live, managers = history
    result, entries = applied(live, config, managers, manager)
    changed = fields_of(POD, config)
    before = {entry.manager: FieldSet(entry.fields_v1) for entry in managers if entry.operation == "Apply"}
    after = {entry.manager: FieldSet(entry.fields_v1) for entry in entries if entry.operation == "Apply"}
    for other, fields in before.items():
        if other != manager:
            lost = fields.difference(after.get(other, FieldSet()))
            assert set(lost) <= set(changed)  # only to a value that the configuration sets
            assert set(fields) - set(lost) <= everything(result)


@settings(deadline=None, max_examples=60)
@given(histories())
def test_only_what_an_object_has_is_owned(history: Any) -> None:
    live, managers = history
    assert owned(managers) <= everything(live)


@settings(deadline=None, max_examples=60)
@given(histories(), pods, names)
def test_ownership_survives_storage(history: Any, config: Any, manager: str) -> None:
    live, managers = history
    stored = [codec.decode(ManagedFieldsEntry, codec.encode(entry)) for entry in managers]
    assert stored == managers
    given_back = [codec.convert(ManagedFieldsEntry, codec.to_plain(entry)) for entry in reversed(managers)]
    assert sorted(map(repr, starting_managers(managers, given_back))) == sorted(map(repr, managers)) or not managers
    assert applied(live, config, stored, manager) == applied(live, config, managers, manager)


@settings(deadline=None, max_examples=60)
@given(histories(), pods)
def test_elements_keep_their_order(history: Any, config: Any) -> None:
    live, managers = history
    result, _ = applied(live, config, managers, "new")

    def order(obj: Any) -> list[str]:
        return [container["name"] for container in obj.get("spec", {}).get("containers", ())]

    before, wanted, after = order(live), order(config), order(result)
    assert [name for name in after if name in wanted] == wanted
    assert [name for name in after if name not in wanted] == [name for name in before if name not in wanted]


@settings(deadline=None, max_examples=60)
@given(histories(), pods, names)
def test_nothing_given_is_changed(history: Any, config: Any, manager: str) -> None:
    live, managers = history
    frozen = codec.encode([live, config, managers])
    applied(live, config, managers, manager)
    updated(live, config, managers, manager)
    assert codec.encode([live, config, managers]) == frozen


@settings(deadline=None, max_examples=60)
@given(histories(), pods, names)
def test_an_update_has_one_owner_for_each_change(history: Any, after: Any, manager: str) -> None:
    live, managers = history
    _, entries = updated(live, after, managers, manager)
    assert owned(entries) <= everything(after)
    mine = [FieldSet(entry.fields_v1) for entry in entries if (entry.manager, entry.operation) == (manager, "Update")]
    previous = [FieldSet(entry.fields_v1) for entry in managers if (entry.manager, entry.operation) == (manager, "Update")]
    gained = set(mine[0]) - set(previous[0] if previous else ()) if mine else set()
    others = {
        path
        for entry in entries
        if (entry.manager, entry.operation) != (manager, "Update")
        for path in FieldSet(entry.fields_v1)
    }
    assert not gained & others
