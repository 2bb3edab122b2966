"""Changes to pod templates, as `kctl set` makes them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from kctl import changing, templates
from kctl.errors import KctlError
from kctl.rest import STRATEGIC_PATCH
from kctl.templates import Change, Environment

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "template": {
            "spec": {
                "initContainers": [{"name": "init", "image": "a:1"}],
                "containers": [
                    {"name": "web", "image": "a:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                    {"name": "side", "image": "b:1"},
                ],
            }
        }
    },
}


def env(*settings: str, overwrite: bool = True, pattern: str = "web") -> Change:
    wanted = templates.parse_environment(settings)
    return templates.set_environment(wanted, overwrite=overwrite, pattern=pattern, subject="deployments/web")


def named(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


CASES: tuple[tuple[str, Change, dict[str, Any]], ...] = (
    ("one image", templates.set_images({"web": "a:2"}), {"containers": [named("web", image="a:2")]}),
    (
        "every image, init containers too",
        templates.set_images({"*": "c:1"}),
        {
            "containers": [named("web", image="c:1"), named("side", image="c:1")],
            "initContainers": [named("init", image="c:1")],
        },
    ),
    ("the image that is there", templates.set_images({"web": "a:1"}), {}),
    ("a variable is changed where it stands", env("A=9"), {"containers": [named("web", env=[named("A", value="9")])]}),
    ("a variable is added", env("C=3"), {"containers": [named("web", env=[named("C", value="3")])]}),
    (
        "a variable is removed",
        env("B-"),
        {"containers": [named("web", env=[{"$patch": "delete", "name": "B"}])]},
    ),
    ("what is not there need not be removed", env("Z-"), {}),
    ("no container fits the pattern", env("A=9", pattern="x*"), {}),
    (
        "limits",
        templates.set_resources({"cpu": "100m"}, {}, "side"),
        {"containers": [named("side", resources={"limits": {"cpu": "100m"}})]},
    ),
    ("the service account", templates.set_service_account("robot"), {"serviceAccountName": "robot"}),
)


def without_directives(patch: Any) -> Any:
    """A patch without what only says the order of a list."""
    if isinstance(patch, dict):
        return {key: without_directives(value) for key, value in patch.items() if not key.startswith("$setElementOrder")}
    return [without_directives(each) for each in patch] if isinstance(patch, list) else patch


@pytest.mark.parametrize(("change", "want"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_change(change: Change, want: dict[str, Any]) -> None:
    before = deepcopy(DEPLOYMENT)
    after = templates.changed(DEPLOYMENT, change)
    assert before == DEPLOYMENT, "the original is left alone"
    body, kind = changing.between(DEPLOYMENT, after)
    assert kind == STRATEGIC_PATCH
    assert without_directives(body) == ({"spec": {"template": {"spec": want}}} if want else {})
    assert changing.applied(DEPLOYMENT, body, kind) == after, "the patch does what was meant"
    assert templates.changed(after, change) == after, "a second time nothing changes"


REFUSED: tuple[tuple[str, Change, str], ...] = (
    ("no such container for an image", templates.set_images({"nope": "a"}), 'unable to find container named "nope"'),
    ("no such container for limits", templates.set_resources({"cpu": "1"}, {}, "no"), "unable to find container named no"),
    ("a value that must stay", env("A=9", overwrite=False), "deployments/web 'A' already has a value"),
)


@pytest.mark.parametrize(("change", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(change: Change, words: str) -> None:
    with pytest.raises(KctlError, match=words):
        templates.changed(DEPLOYMENT, change)


def test_where_the_pod_is() -> None:
    spec = {"containers": [{"name": "c"}]}
    template = {"template": {"spec": spec}}
    assert templates.pod_spec({"kind": "Pod", "spec": spec}) is spec
    assert templates.pod_spec({"kind": "StatefulSet", "spec": template}) is spec
    assert templates.pod_spec({"kind": "CronJob", "spec": {"jobTemplate": {"spec": template}}}) is spec
    with pytest.raises(KctlError, match="does not have a pod template"):
        templates.pod_spec({"kind": "ConfigMap", "data": {}})


def test_environment_words() -> None:
    assert templates.parse_environment(["A=b=c", "D-", "E="]) == Environment(
        ({"name": "A", "value": "b=c"}, {"name": "E", "value": ""}), ("D",)
    )
    for settings, words in (
        (["A=1", "A-"], "can not both modify and remove"),
        (["1A=1"], "not a valid key"),
        (["A"], "unknown"),
    ):
        with pytest.raises(KctlError, match=words):
            templates.parse_environment(settings)


def test_environment_from_a_secret() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"log-level": "", "user": ""}}
    entries = templates.environment_from(secret, "X_", ["log-level"])
    assert entries == [{"name": "X_LOG_LEVEL", "valueFrom": {"secretKeyRef": {"key": "log-level", "name": "s"}}}]
    with pytest.raises(KctlError, match="unsupported resource"):
        templates.environment_from({"kind": "Pod", "metadata": {"name": "p"}}, "", [])


def test_words_are_told_apart() -> None:
    assert templates.split_words(["deploy/web", "a=b"]) == (["deploy/web"], ["a=b"])
    assert templates.split_words(["deploy", "web", "A-", "B=c"], removal=True) == (["deploy", "web"], ["A-", "B=c"])
    assert templates.parse_quantities("cpu=0.5,memory=1024Mi") == {"cpu": "500m", "memory": "1Gi"}
    for text, words in (("foo", "Invalid argument syntax foo"), ("cpu=x", "quantities must match")):
        with pytest.raises(KctlError, match=words):
            templates.parse_quantities(text)
    for settings, words in ((["web="], "invalid image specification"), (["*=a", "b=c"], "all containers are already")):
        with pytest.raises(KctlError, match=words):
            templates.parse_images(settings)
