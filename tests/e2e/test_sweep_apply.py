"""The sweep of kubectl 1.20 and kctl: apply, diff, edit, patch, replace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.cluster import Namespace, documents
from tests.support.manifests import config_map, deployment, pod, sleeper
from tests.support.sweeping import Tool, editor, same

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOWHERE = {"nodeSelector": {"no": "where"}}


def _data(ns: Namespace, name: str = "settings") -> dict[str, str] | None:
    data: dict[str, str] | None = ns.get("configmaps", name).get("data")
    return data


def _file(path: Path, *manifests: object) -> str:
    path.write_text(documents(*manifests))  # type: ignore[arg-type]
    return str(path)


# apply


def test_apply_from_everywhere(tool: Tool, ns: Namespace, tmp_path: Path) -> None:
    one = _file(tmp_path / "1.yaml", config_map("one", k="v"), config_map("two", k="v"))
    assert tool("apply", "-f", one).lines() == ["configmap/one created", "configmap/two created"]
    (tmp_path / "2.json").write_text(json.dumps(config_map("three", k="v")))
    (tmp_path / "ignored.txt").write_text("no: manifest")
    (tmp_path / "below").mkdir()
    _file(tmp_path / "below" / "4.yml", config_map("four", k="v"))
    assert tool("apply", "-f", str(tmp_path)).lines() == [
        *("configmap/one unchanged", "configmap/two unchanged", "configmap/three created")
    ]
    assert tool("apply", "-R", "-f", str(tmp_path)).lines()[-1] == "configmap/four created"
    listed = {"apiVersion": "v1", "kind": "List", "items": [config_map("five"), config_map("one", k="w")]}
    assert tool.apply(listed).lines() == ["configmap/five created", "configmap/one configured"]
    assert tool("apply", "-f", one, "-f", str(tmp_path / "2.json"), "-l", "no=such", code=None).out == ""
    assert _data(ns, "one") == {"k": "w"}


def test_apply_removes_what_the_manifest_no_longer_has(tool: Tool, ns: Namespace) -> None:
    whole = deployment("web", 2, sleeper(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]), template=NOWHERE)
    whole["metadata"]["annotations"] = {"kept": "yes", "goes": "soon"}
    tool.apply(whole, config_map("settings", a="1", b="2"))
    tool("annotate", "deployment", "web", "theirs=stays")
    tool("scale", "deployment", "web", "--replicas=3")
    less = deployment("web", 2, sleeper(env=[{"name": "B", "value": "3"}]), template=NOWHERE)
    less["metadata"]["annotations"] = {"kept": "yes"}
    del less["spec"]["replicas"]
    assert tool.apply(less, config_map("settings", b="2")).lines() == [
        *("deployment.apps/web configured", "configmap/settings configured")
    ]
    found = ns.get("deployments", "web")
    assert found["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "B", "value": "3"}]
    annotations = found["metadata"]["annotations"]
    assert (annotations["kept"], annotations["theirs"], "goes" in annotations) == ("yes", "stays", False)
    assert found["spec"]["replicas"] == 1  # what the manifest gave up goes back to its default
    assert _data(ns) == {"b": "2"}
    assert tool.apply(less).out == "deployment.apps/web unchanged\n"


def test_apply_prunes(tool: Tool, ns: Namespace, tmp_path: Path) -> None:
    for name in ("stays", "goes", "other"):
        manifest = config_map(name, k="v")
        manifest["metadata"]["labels"] = {"app": "other" if name == "other" else "pruned"}
        _file(tmp_path / f"{name}.yaml", manifest)
    labelled = config_map("unapplied", k="v")
    labelled["metadata"]["labels"] = {"app": "pruned"}
    ns.create(labelled, "configmaps")
    tool("apply", "-f", str(tmp_path))
    (tmp_path / "goes.yaml").unlink()
    chosen = ("apply", "--prune", "-l", "app=pruned", "--prune-whitelist=core/v1/ConfigMap", "-f", str(tmp_path / "stays.yaml"))
    assert tool(*chosen, "--dry-run=server").lines() == [
        *("configmap/stays unchanged (server dry run)", "configmap/goes pruned (server dry run)")
    ]
    assert tool(*chosen).lines() == ["configmap/stays unchanged", "configmap/goes pruned"]
    assert {each["metadata"]["name"] for each in ns.list("configmaps")} >= {"stays", "other", "unapplied"}
    assert ns.find("configmaps", "goes") is None
    tool("apply", "--prune", "-f", str(tmp_path / "stays.yaml"), code=1)  # neither chosen by labels nor --all


def test_the_last_applied_configuration(tool: Tool, ns: Namespace, tmp_path: Path) -> None:
    manifest = config_map("settings", a="1", b="2")
    tool.apply(manifest)
    shown = yaml.safe_load(tool("apply", "view-last-applied", "configmap", "settings").out)
    assert (shown["data"], shown["metadata"]["name"]) == ({"a": "1", "b": "2"}, "settings")
    listed = tool("apply", "view-last-applied", "-f", "-", "-o", "json", stdin=documents(manifest)).out
    assert json.loads(listed)["data"] == {"a": "1", "b": "2"}
    fewer = _file(tmp_path / "fewer.yaml", config_map("settings", a="1"))
    assert tool("apply", "set-last-applied", "-f", fewer).out == "configmap/settings configured\n"
    assert json.loads(ns.get("configmaps", "settings")["metadata"]["annotations"][LAST_APPLIED])["data"] == {"a": "1"}
    assert _data(ns) == {"a": "1", "b": "2"}
    change = editor(tmp_path, "editor", 's/a: "1"/a: "9"/', "")
    assert tool("apply", "edit-last-applied", "configmap", "settings", env=change).out == "configmap/settings edited\n"
    assert json.loads(ns.get("configmaps", "settings")["metadata"]["annotations"][LAST_APPLIED])["data"] == {"a": "9"}
    ns.create(config_map("bare", k="v"), "configmaps")
    refused = tool("apply", "set-last-applied", "-f", _file(tmp_path / "bare.yaml", config_map("bare", k="v")), code=1)
    assert "no last-applied-configuration annotation found" in refused.err
    created = tool(
        "apply", "set-last-applied", "--create-annotation", "-f", _file(tmp_path / "bare.yaml", config_map("bare", k="v"))
    )
    assert created.out == "configmap/bare configured\n"
    assert tool("apply", "view-last-applied", "configmap", "nobody", code=1).err.startswith("Error from server (NotFound)")


def test_server_side_apply(tool: Tool, ns: Namespace) -> None:
    text = documents(config_map("settings", a="1", b="2"))
    flags = ("apply", "--server-side", "-f", "-")
    assert tool(*flags, "--field-manager=one", stdin=text).out == "configmap/settings serverside-applied\n"
    theirs = documents(config_map("settings", a="9"))
    refused = tool(*flags, "--field-manager=two", stdin=theirs, code=1)
    assert 'conflict with "one"' in refused.err
    assert ".data.a" in refused.err
    assert _data(ns) == {"a": "1", "b": "2"}
    assert tool(*flags, "--field-manager=two", "--force-conflicts", stdin=theirs).out == (
        "configmap/settings serverside-applied\n"
    )
    assert _data(ns) == {"a": "9", "b": "2"}
    tool(*flags, "--field-manager=one", stdin=documents(config_map("settings", c="3")))
    assert _data(ns) == {"a": "9", "c": "3"}  # `b` was of the first manager alone


# diff


def test_diff(tool: Tool, ns: Namespace) -> None:
    text = documents(config_map("settings", a="1", b="2"))
    new = tool("diff", "-f", "-", stdin=text, code=1)
    assert '+  a: "1"' in new.out
    tool("apply", "-f", "-", stdin=text)
    assert tool("diff", "-f", "-", stdin=text).out == ""
    changed = tool("diff", "-f", "-", stdin=documents(config_map("settings", a="9", c="3")), code=1)
    # kubectl 1.20 compares managedFields too
    told = [line for line in changed.lines() if line[:3] in ("-  ", "+  ") and "f:" not in line and "time:" not in line]
    assert told == [*('-  a: "1"', '-  b: "2"', '+  a: "9"', '+  c: "3"')]
    assert _data(ns) == {"a": "1", "b": "2"}
    broken = documents({**config_map("settings"), "data": ["no", "map"]})
    assert tool("diff", "-f", "-", stdin=broken, code=None).code > 1
    assert tool("diff", "-f", "-", env={"KUBECTL_EXTERNAL_DIFF": "true"}, stdin=text).out == ""
    applied = tool(
        "diff", "--server-side", "--force-conflicts", "-f", "-", stdin=documents(config_map("settings", a="7")), code=1
    )
    assert '+  a: "7"' in applied.out


# edit


def test_edit(tool: Tool, ns: Namespace, tmp_path: Path) -> None:
    ns.create(config_map("settings", a="1"), "configmaps")
    changed = tool("edit", "configmap", "settings", env=editor(tmp_path, "one", 's/a: "1"/a: "2"/'))
    assert changed.out == "configmap/settings edited\n"
    assert _data(ns) == {"a": "2"}
    idle = tool("edit", "configmap/settings", env=editor(tmp_path, "two", ""))
    assert (idle.out + idle.err).strip() == "Edit cancelled, no changes made."
    ns.create(deployment("web", 1, sleeper(), template=NOWHERE), "deployments")
    twice = editor(tmp_path, "three", "s/replicas: 1/replicas: -1/", "s/replicas: -1/replicas: 0/")
    fixed = tool("edit", "deployment", "web", env=twice)
    assert "deployment.apps/web edited" in fixed.out
    assert ns.get("deployments", "web")["spec"]["replicas"] == 0
    again = (tmp_path / "three.2").read_text()
    assert "must be greater than or equal to 0" in again.partition("apiVersion")[0]
    given_up = tool("edit", "deployment", "web", env=editor(tmp_path, "four", "s/replicas: 0/replicas: -1/", ""), code=1)
    assert "was not valid" in given_up.err + (tmp_path / "four.2").read_text()
    assert ns.get("deployments", "web")["spec"]["replicas"] == 0
    as_json = tool("edit", "configmap", "settings", "-o", "json", env=editor(tmp_path, "five", 's/"a": "2"/"a": "3"/'))
    assert json.loads(as_json.out)["data"] == {"a": "3"}
    assert _data(ns) == {"a": "3"}


# patch


@pytest.mark.parametrize(
    ("kind", "patch", "env"),
    [
        pytest.param(
            "strategic",
            {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}]}]}}}},
            {"A": "1", "B": "2"},
            id="strategic",
        ),
        pytest.param("merge", {"spec": {"template": {"spec": {"containers": [sleeper()]}}}}, {}, id="merge"),
        pytest.param(
            "json",
            [{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": "3"}],
            {"A": "3"},
            id="json",
        ),
    ],
)
def test_patch(tool: Tool, ns: Namespace, kind: str, patch: object, env: dict[str, str]) -> None:
    manifest = deployment("web", 0, sleeper(env=[{"name": "A", "value": "1"}]))
    ns.create(manifest, "deployments")
    call = ("patch", "deployment", "web", f"--type={kind}", "-p")
    tried = tool(*call, json.dumps(patch), "--dry-run=server", "-o", "name")
    assert tried.out == "deployment.apps/web\n"
    assert tool(*call, json.dumps(patch)).out == "deployment.apps/web patched\n"
    container = ns.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]
    assert {each["name"]: each["value"] for each in container.get("env", [])} == env
    ns.deployment_settled("web")  # a write of its controller in between is a change, too
    assert tool(*call, json.dumps(patch)).out == "deployment.apps/web patched (no change)\n"
    assert tool(*call, "{", code=1).err != ""
    missing = tool("patch", "deployment", "nobody", f"--type={kind}", "-p", json.dumps(patch), code=1)
    assert missing.err == 'Error from server (NotFound): deployments.apps "nobody" not found\n'


def test_patch_of_a_file_and_of_a_subresource(tool: Tool, ns: Namespace, tmp_path: Path) -> None:
    ns.create(deployment("web", 1, sleeper(), template=NOWHERE), "deployments")
    path = _file(tmp_path / "web.yaml", deployment("web", 1, sleeper()))
    local = tool("patch", "--local", "-f", path, "-p", '{"spec":{"replicas":4}}', "-o", "jsonpath={.spec.replicas}")
    assert local.out == "4"
    assert tool("patch", "-f", path, "-p", '{"spec":{"paused":true}}').out == "deployment.apps/web patched\n"
    assert ns.get("deployments", "web")["spec"]["paused"] is True
    if tool.is_kctl:
        condition = '{"status":{"conditions":[{"type":"Tried","status":"True"}]}}'
        tool("patch", "deployment", "web", "--subresource=status", "--type=merge", "-p", condition)
        assert "Tried" in [each["type"] for each in ns.get("deployments", "web")["status"]["conditions"]]
        tool("patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":2}}')
        assert ns.get("deployments", "web")["spec"]["replicas"] == 2


# replace


def test_replace(tool: Tool, ns: Namespace) -> None:
    missing = tool("replace", "-f", "-", stdin=documents(config_map("settings", a="1")), code=1)
    assert "(NotFound)" in missing.err
    ns.create(config_map("settings", a="1", b="2"), "configmaps")
    assert tool("replace", "-f", "-", stdin=documents(config_map("settings", c="3"))).out == "configmap/settings replaced\n"
    assert _data(ns) == {"c": "3"}
    stale = config_map("settings", d="4")
    stale["metadata"]["resourceVersion"] = "1"
    assert "(Conflict)" in tool("replace", "-f", "-", stdin=documents(stale), code=1).err
    before = ns.create(pod("box", sleeper(), **NOWHERE))["metadata"]["uid"]
    ns.pod_unschedulable("box")  # replace asks for the version first: the scheduler's write in between would be a conflict
    immutable = tool("replace", "-f", "-", stdin=documents(pod("box", sleeper(command=["true"]), **NOWHERE)), code=1)
    assert "is invalid" in immutable.err
    forced = tool(
        "replace", "--force", "--grace-period=0", "-f", "-", stdin=documents(pod("box", sleeper(command=["true"]), **NOWHERE))
    )
    assert forced.lines() == ['pod "box" deleted', "pod/box replaced"] or forced.lines() == [
        *('pod "box" force deleted', "pod/box replaced")
    ]
    found = ns.get("pods", "box")
    assert (found["metadata"]["uid"] == before, found["spec"]["containers"][0]["command"]) == (False, ["true"])


def test_applying_is_the_same_for_both(tools: tuple[Tool, ...], ns: Namespace) -> None:
    """What one applies, the other finds unchanged: both remember the same."""
    manifest = deployment("web", 1, sleeper(), template=NOWHERE)
    tools[0].apply(manifest)
    kept = ns.get("deployments", "web")["metadata"]["annotations"][LAST_APPLIED]
    assert tools[1].apply(manifest).out == "deployment.apps/web unchanged\n"
    tools[1]("delete", "deployment", "web")
    tools[1].apply(manifest)
    assert json.loads(ns.get("deployments", "web")["metadata"]["annotations"][LAST_APPLIED]) == json.loads(kept)
    assert tools[0].apply(manifest).out == "deployment.apps/web unchanged\n"
    same(tools, "apply", "view-last-applied", "deployment", "web")
    shown = [json.loads(tool("apply", "view-last-applied", "deployment", "web", "-o", "json").out) for tool in tools]
    assert shown[0] == shown[1]
