"""Commands that change what is there: edit, patch, replace, set; and expose, autoscale and diff."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WORDS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {a: b}\n"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "busybox:1", ports: [{containerPort: 80}]}, {name: side, image: "busybox:1"}]}
"""

Kctl = Callable[..., Any]
Editor = Callable[..., Path]


@pytest.fixture
def objects(kctl: Kctl, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A ConfigMap and a Deployment; gives their namespace. Temporary files go into a folder of the test's own."""
    assert kctl("create", "-n", namespace, "-f", "-", stdin=f"{WORDS}---{WEB}").code == 0
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return namespace


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Editor:
    """Makes an editor that runs one sed script a call, and appends what it was given to a file."""

    def make(*scripts: str) -> Path:
        seen, count, program = tmp_path / "seen", tmp_path / "count", tmp_path / "editor"
        count.write_text("0")
        cases = "\n".join(f"{number}) sed -i '{script}' \"$1\" ;;" for number, script in enumerate(scripts, 1))
        program.write_text(
            f"#!/bin/sh\nn=$(($(cat {count}) + 1)); echo $n > {count}\n"
            f'echo "=== $n" >> {seen}; cat "$1" >> {seen}\ncase $n in\n{cases}\nesac\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("KUBE_EDITOR", str(program))
        return seen

    return make


def data_of(kctl: Kctl, namespace: str) -> Any:
    return json.loads(kctl("get", "-n", namespace, "cm", "words", "-o", "json").out)["data"]


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "temporary").iterdir())


def test_edit_changes_and_cancels(kctl: Kctl, objects: str, editor: Editor, tmp_path: Path) -> None:
    editor("s/a: b/a: edited/")
    result = kctl("edit", "-n", objects, "cm", "words", "--output-patch")
    assert (result.code, result.out) == (0, 'Patch: {"data":{"a":"edited"}}\nconfigmap/words edited\n'), result.err
    assert data_of(kctl, objects) == {"a": "edited"}
    editor("")
    result = kctl("edit", "-n", objects, "cm", "words")
    assert (result.code, result.out, result.err) == (0, "", "Edit cancelled, no changes made.\n")
    editor("s/^    a: edited/    a: again/")
    assert "configmap/words edited" in kctl("edit", "-n", objects, "cm,deploy").out, "all of them, when no name is given"
    editor("d")
    assert kctl("edit", "-n", objects, "cm/words").err == "Edit cancelled, saved file was empty.\n"
    assert left_over(tmp_path) == []


def test_edit_opens_again_until_the_server_accepts(kctl: Kctl, objects: str, editor: Editor, tmp_path: Path) -> None:
    seen = editor("s/replicas: 2/replicas: -3/", "s/^spec:/spec: {/", "s/^spec: {/spec:/; s/replicas: -3/replicas: 4/")
    result = kctl("edit", "-n", objects, "deploy/web")
    assert (result.code, result.out) == (0, "deployment.apps/web edited\n"), result.err
    assert result.err == 'error: deployments.apps "web" is invalid\n' * 2
    _, _, second, third = seen.read_text().split("=== ")
    assert '# deployments.apps "web" was not valid:\n# * spec.replicas: Invalid value: -3: must be' in second
    assert '# * <nil>: Invalid value: "The edited file failed validation": yaml: document 1' in third
    assert "replicas: -3" in third, "what was written is kept"
    assert left_over(tmp_path) == []


def test_edit_keeps_what_cannot_be_saved(kctl: Kctl, objects: str, editor: Editor, tmp_path: Path) -> None:
    editor("s/replicas: 2/replicas: -3/")
    result = kctl("edit", "-n", objects, "deploy/web")
    (kept,) = left_over(tmp_path)
    assert result.code == 1
    assert result.err.endswith(
        f'A copy of your changes has been stored to "{kept}"\nerror: Edit cancelled, no valid changes were saved.\n'
    )
    assert "replicas: -3" in kept.read_text()
    kept.unlink()
    editor("s/^  name: words/  name: other/")
    result = kctl("edit", "-n", objects, "cm/words")
    assert (result.code, len(left_over(tmp_path))) == (1, 1)
    assert result.err.endswith("error: At least one of apiVersion, kind and name was changed\n")


def test_edit_of_several_objects(kctl: Kctl, objects: str, editor: Editor, tmp_path: Path) -> None:
    seen = editor("s/a: b/a: c/; s/replicas: 2/replicas: -3/", "s/replicas: -3/replicas: 5/")
    result = kctl("edit", "-n", objects, "cm/words", "deploy/web")
    assert (result.code, result.out) == (0, "configmap/words edited\ndeployment.apps/web edited\n"), result.err
    first, second = seen.read_text().split("=== ")[1:]
    assert "kind: List" in first
    assert "kind: ConfigMap" not in second, "what is written is not edited again"
    assert left_over(tmp_path) == []


def test_edit_without_an_editor(kctl: Kctl, objects: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for setting, words in (
        ("/does/not/exist", 'error: unable to launch the editor "/does/not/exist"\n'),
        ("false", 'error: there was a problem with the editor "false"\n'),
    ):
        monkeypatch.setenv("KUBE_EDITOR", setting)
        result = kctl("edit", "-n", objects, "cm", "words")
        assert (result.code, result.err) == (1, words)
    assert left_over(tmp_path) == []
    assert kctl("edit", "-n", objects, "cm", "nope").err == 'Error from server (NotFound): configmaps "nope" not found\n'


def test_patch_of_every_type(kctl: Kctl, objects: str, tmp_path: Path) -> None:
    patch = ("patch", "-n", objects, "cm", "words")
    assert kctl(*patch, "-p", '{"data":{"a":"c"}}').out == "configmap/words patched\n"
    assert kctl(*patch, "-p", "data: {a: c}").out == "configmap/words patched (no change)\n"
    operations = tmp_path / "operations"
    operations.write_text('[{"op": "add", "path": "/data/b", "value": "d"}]')
    assert kctl(*patch, "--type=json", "--patch-file", str(operations)).out == "configmap/words patched\n"
    assert kctl(*patch, "--type", "merge", "-p", "data: {a: null}", "-o", "jsonpath={.data}").out == '{"b":"d"}'
    for dry_run, suffix in (("client", " (dry run)"), ("server", " (server dry run)")):
        assert kctl(*patch, "-p", "data: {b: x}", f"--dry-run={dry_run}").out == f"configmap/words patched{suffix}\n"
    assert data_of(kctl, objects) == {"b": "d"}


def test_patch_of_a_subresource(kctl: Kctl, objects: str) -> None:
    result = kctl("patch", "-n", objects, "deploy/web", "--subresource=scale", "--type=merge", "-p", "spec: {replicas: 7}")
    assert (result.code, result.out) == (0, "scale.autoscaling/web patched\n"), result.err
    assert kctl("get", "-n", objects, "deploy/web", "-o=jsonpath={.spec.replicas}").out == "7"


def test_patch_locally(kctl: Kctl, tmp_path: Path) -> None:
    manifest = tmp_path / "words.yaml"
    manifest.write_text(WORDS)
    result = kctl("patch", "-f", str(manifest), "--local", "-p", "data: {a: c}", "-o", "jsonpath={.data.a}")
    assert (result.code, result.out) == (0, "c"), result.err


PATCHES_REFUSED = (
    ("unknown type", ("--type=foo", "-p", "{}"), '--type must be one of [json merge strategic], not "foo"'),
    ("no patch", (), "must specify --patch or --patch-file containing the contents of the patch"),
    ("no YAML", ("-p", "{x"), 'unable to parse "{x"'),
    ("no such part", ("-p", "{}", "--subresource=log"), 'invalid subresource value: "log"'),
    ("no such file", ("--patch-file=/does/not/exist",), "open /does/not/exist: no such file or directory"),
    ("refused by the server", ("-p", "data: 5"), "Error from server (BadRequest)"),
)


@pytest.mark.parametrize(("options", "words"), [row[1:] for row in PATCHES_REFUSED], ids=[row[0] for row in PATCHES_REFUSED])
def test_patch_refused(kctl: Kctl, objects: str, options: tuple[str, ...], words: str) -> None:
    result = kctl("patch", "-n", objects, "cm", "words", *options)
    assert result.code == 1
    assert words in result.err


def test_replace(kctl: Kctl, objects: str) -> None:
    replace = ("replace", "-n", objects, "-f", "-")
    assert kctl(*replace, stdin=WORDS.replace("a: b", "c: d")).out == "configmap/words replaced\n"
    assert data_of(kctl, objects) == {"c": "d"}
    dry = kctl(*replace, "--dry-run=server", stdin=WORDS).out
    assert (dry, data_of(kctl, objects)) == ("configmap/words replaced (server dry run)\n", {"c": "d"})
    missing = kctl(*replace, stdin=WORDS.replace("words", "nope"))
    assert missing.err == 'Error from server (NotFound): error when replacing "STDIN": configmaps "nope" not found\n'
    stale = WORDS.replace("name: words", 'name: words, resourceVersion: "1"')
    conflict = kctl(*replace, stdin=stale)
    assert (conflict.code, "Error from server (Conflict)" in conflict.err) == (1, True)
    assert kctl("replace").err == "error: must specify one of -f and -k\n"
    assert kctl(*replace, "--grace-period=5", stdin=WORDS).err == "error: --grace-period must have --force specified\n"


def test_replace_by_force(kctl: Kctl, objects: str) -> None:
    uid = kctl("get", "-n", objects, "deploy/web", "-o=jsonpath={.metadata.uid}").out
    changed = WEB.replace("app: web", "app: other").replace("name: web, labels", "name: web, labels")
    refused = kctl("replace", "-n", objects, "-f", "-", stdin=changed)
    assert (refused.code, "field is immutable" in refused.err) == (1, True)
    forced = kctl("replace", "-n", objects, "-f", "-", "--force", stdin=changed)
    assert forced.out == 'deployment.apps "web" deleted\ndeployment.apps/web replaced\n', forced.err
    assert kctl("get", "-n", objects, "deploy/web", "-o=jsonpath={.metadata.uid}").out not in ("", uid)
    created = kctl("replace", "-n", objects, "-f", "-", "--force", stdin=WORDS.replace("words", "new"))
    assert created.out == "configmap/new replaced\n"


def test_diff(kctl: Kctl, objects: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kctl("apply", "-n", objects, "-f", "-", stdin=WORDS).code == 0
    same = kctl("diff", "-n", objects, "-f", "-", stdin=WORDS)
    assert (same.code, same.out, same.err) == (0, "", "")
    changed = WORDS.replace("a: b", "a: c") + "---\n" + WORDS.replace("words", "new")
    different = kctl("diff", "-n", objects, "-f", "-", stdin=changed)
    assert different.code == 1
    assert "\n-  a: b\n+  a: c\n" in different.out
    assert f"/v1.ConfigMap.{objects}.new" in different.out
    assert "last-applied-configuration: |\n-" not in different.out
    assert data_of(kctl, objects) == {"a": "b"}
    failing = kctl("diff", "-n", objects, "-f", "-", stdin=WORDS.replace("\ndata:", "\ndatta:"))
    assert (failing.code, 'unknown field "datta"' in failing.err) == (2, True)
    monkeypatch.setenv("KUBECTL_EXTERNAL_DIFF", "echo -n")
    assert kctl("diff", "-n", objects, "-f", "-", stdin=changed).code == 0, "the program decides"
    monkeypatch.setenv("KUBECTL_EXTERNAL_DIFF", "no-such-program")
    missing = kctl("diff", "-n", objects, "-f", "-", stdin=changed)
    assert (missing.code, missing.err) == (2, 'error: failed to run "no-such-program": executable file not found in $PATH\n')
    assert left_over(tmp_path) == []


def test_diff_hides_secrets(kctl: Kctl, objects: str) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: topsecret}\n"
    kctl("apply", "-n", objects, "-f", "-", stdin=secret)
    shown = kctl("diff", "-n", objects, "-f", "-", stdin=secret.replace("topsecret", "other"))
    assert shown.code == 1
    assert "-  a: '*** (before)'\n+  a: '*** (after)'\n" in shown.out.replace('"', "'")
    assert "dG9w" not in shown.out


def test_set_image(kctl: Kctl, objects: str) -> None:
    image = ("set", "image", "-n", objects, "deploy/web")
    assert kctl(*image, "web=busybox:2").out == "deployment.apps/web image updated\n"
    assert kctl(*image, "web=busybox:2").out == "", "nothing to say when nothing changes"
    assert kctl(*image, "*=busybox:3", "--dry-run=client").out == "deployment.apps/web image updated (dry run)\n"
    assert kctl("get", "-n", objects, "deploy/web", "-o=jsonpath={..image}").out == "busybox:2 busybox:1"
    assert kctl(*image, "nope=a").err == 'error: unable to find container named "nope"\n'
    assert kctl(*image).err == "error: at least one image update is required\n"
    wrong = kctl("set", "image", "-n", objects, "cm/words", "web=a")
    assert wrong.err == "error: configmaps/words the object is not a pod or does not have a pod template: *v1.ConfigMap\n"


def test_set_env(kctl: Kctl, objects: str) -> None:
    env = ("set", "env", "-n", objects, "deploy/web")
    assert kctl(*env, "A=1", "B=2").out == "deployment.apps/web env updated\n"
    assert kctl(*env, "B-", "-c", "web").out == "deployment.apps/web env updated\n"
    from_map = kctl(*env, "--from=configmap/words", "--prefix=X_", "-c", "s*")
    assert (from_map.out, from_map.err) == ("deployment.apps/web env updated\n", "Warning: key a transferred to A\n")
    listed = (
        "# Deployment web, container web\nA=1\n# Deployment web, container side\nA=1\nB=2\n# X_A from configmap words, key a\n"
    )
    assert kctl(*env, "--list").out == listed
    assert kctl(*env, "--list", "--resolve").out.endswith("B=2\nX_A=b\n")
    kept = kctl(*env, "A=5", "--overwrite=false")
    assert kept.err == "error: deployments/web 'A' already has a value (1), and --overwrite is false\n"
    assert kctl(*env, "-e", "A=7").out == "deployment.apps/web env updated\n"


def test_set_the_rest(kctl: Kctl, objects: str) -> None:
    ns = ("-n", objects)
    limits = kctl("set", "resources", *ns, "deploy", "web", "--limits=cpu=200m", "--requests=cpu=100m", "-c=web")
    assert limits.out == "deployment.apps/web resource requirements updated\n", limits.err
    assert kctl("set", "sa", *ns, "deploy", "web", "robot").out == "deployment.apps/web serviceaccount updated\n"
    assert kctl("set", "serviceaccount", *ns, "deploy", "web", "other").code == 0
    shown = kctl("get", *ns, "deploy/web", "-o=jsonpath={..limits.cpu} {..serviceAccountName}").out
    assert shown == "200m other"
    assert kctl("expose", *ns, "deploy/web").out == "service/web exposed\n"
    assert kctl("set", "selector", *ns, "svc", "web", "x=y").out == "service/web selector updated\n"
    assert kctl("get", *ns, "svc/web", "-o=jsonpath={.spec.selector}").out == '{"x":"y"}'
    for arguments, words in (
        (("resources", "deploy", "web"), "you must specify an update to requests or limits"),
        (("selector", "deploy", "web", "a=b"), "setting a selector is only supported for Services"),
        (("selector", "svc", "web"), "no name was specified"),
        (("bogus",), "unknown command \"bogus\"\nSee 'kctl set -h' for help and examples"),
    ):
        result = kctl("set", *arguments, *ns)
        assert result.code == 1
        assert words in result.err


def test_set_locally(kctl: Kctl, tmp_path: Path) -> None:
    manifest = tmp_path / "web.yaml"
    manifest.write_text(WEB)
    result = kctl("set", "image", "-f", str(manifest), "*=a:9", "--local", "-o", "jsonpath={..image}")
    assert (result.code, result.out) == (0, "a:9 a:9"), result.err


def test_expose(kctl: Kctl, objects: str) -> None:
    made = kctl("expose", "-n", objects, "deploy", "web", "--port=8080", "--target-port=80", "--type=NodePort", "--name=s")
    assert made.out == "service/s exposed\n", made.err
    spec = json.loads(kctl("get", "-n", objects, "svc", "s", "-o", "json").out)["spec"]
    assert (spec["type"], spec["selector"], spec["ports"][0]["targetPort"]) == ("NodePort", {"app": "web"}, 80)
    assert kctl("expose", "-n", objects, "svc/s", "--name=t", "--dry-run=server").out == "service/t exposed (server dry run)\n"
    wrong = kctl("expose", "-n", objects, "deploy/web", "--name=u", "--type=Foo")
    assert 'The Service "u" is invalid: spec.type: Unsupported value: "Foo"' in wrong.err
    assert kctl("expose", "-n", objects, "cm/words", "--port=1").err == "error: cannot expose a ConfigMap\n"
    over = kctl(
        "expose", "-n", objects, "deploy/web", "--overrides=spec: {type: None}", "--dry-run=client", "-o=jsonpath={.spec.type}"
    )
    assert over.out == "None"


def test_autoscale(kctl: Kctl, objects: str) -> None:
    scale = ("autoscale", "-n", objects, "deploy/web")
    shown = kctl(*scale, "--min=2", "--max=5", "--cpu-percent=80", "--dry-run=client", "-o", "json")
    made = json.loads(shown.out)
    assert (made["apiVersion"], made["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    assert made["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    dry = kctl(*scale, "--max=5", "--dry-run=client")
    assert dry.out == "horizontalpodautoscaler.autoscaling/web autoscaled (dry run)\n"
    assert kctl(*scale).err == 'error: required flag(s) "max" not set\n'
    wrong = kctl(*scale, "--min=3", "--max=1").err
    assert wrong == "error: --max=MAXPODS must be larger or equal to --min=MINPODS, max: 1, min: 3\n"
    assert "cannot autoscale a ConfigMap" in kctl("autoscale", "-n", objects, "cm/words", "--max=3").err
