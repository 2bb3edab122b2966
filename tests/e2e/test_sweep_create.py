"""The sweep of kubectl 1.20 and kctl: create of everything, run, expose, autoscale, set, label, annotate."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.support.cluster import Namespace, documents
from tests.support.manifests import config_map, deployment, service, sleeper
from tests.support.rest import path_of
from tests.support.sweeping import NO_SUCH_VERSION, Tool, of_each, same

RBAC = "rbac.authorization.k8s.io"
NOWHERE = {"nodeSelector": {"no": "where"}}

# Arguments of create, what it says, and (with both programs alike) what it makes.
GENERATED = (
    ("deployment web --image=busybox:1 --replicas=2 --port=80 -- sleep 9", "deployment.apps/web"),
    ("configmap settings --from-literal=a=1 --from-literal=b=x=y", "configmap/settings"),
    ("secret generic word --from-literal=a=1 --type=example.com/word", "secret/word"),
    (
        "secret docker-registry pull --docker-server=r.local --docker-username=u --docker-password=p --docker-email=e@x",
        "secret/pull",
    ),
    ("service clusterip web --tcp=80:8080 --tcp=443", "service/web"),
    ("service clusterip headless --clusterip=None", "service/headless"),
    ("service nodeport web --tcp=80:8080", "service/web"),
    ("service externalname web --external-name=example.com", "service/web"),
    ("service loadbalancer web --tcp=80:8080", "service/web"),
    ("namespace {ns}-more", "namespace/{ns}-more"),
    ("quota few --hard=pods=2 --scopes=BestEffort", "resourcequota/few"),
    ("role reader --verb=get,list --resource=pods,deployments.apps,pods/log", f"role.{RBAC}/reader"),
    ("role one --verb=get --resource=configmaps --resource-name=a --resource-name=b", f"role.{RBAC}/one"),
    ("rolebinding readers --role=reader --user=jane --group=team --serviceaccount=default:me", f"rolebinding.{RBAC}/readers"),
    ("rolebinding viewers --clusterrole=view --user=jane", f"rolebinding.{RBAC}/viewers"),
    ("clusterrole {ns} --verb=get --resource=nodes", f"clusterrole.{RBAC}/{{ns}}"),
    ("clusterrole {ns} --verb=get --non-resource-url=/metrics,/logs/*", f"clusterrole.{RBAC}/{{ns}}"),
    ("clusterrole {ns} --aggregation-rule=to=view", f"clusterrole.{RBAC}/{{ns}}"),
    ("clusterrolebinding {ns} --clusterrole=view --group=team", f"clusterrolebinding.{RBAC}/{{ns}}"),
    ("serviceaccount me", "serviceaccount/me"),
    ("poddisruptionbudget one --selector=app=web --min-available=1", "poddisruptionbudget.policy/one"),
    ("poddisruptionbudget half --selector=app=web --max-unavailable=50%", "poddisruptionbudget.policy/half"),
    ("priorityclass {ns} --value=7 --description=seven", "priorityclass.scheduling.k8s.io/{ns}"),
    ("job once --image=busybox:1 -- date -u", "job.batch/once"),
    ("cronjob often --image=busybox:1 --schedule=@daily --restart=Never -- date", "cronjob.batch/often"),
    ("ingress site --rule=a.local/b*=web:80,tls=cert --rule=/=web:http --class=c", "ingress.networking.k8s.io/site"),
    ("ingress fallback --default-backend=web:80 --annotation=a=b", "ingress.networking.k8s.io/fallback"),
)
# kubectl 1.20 makes these in versions that Kubernetes 1.25 and later do not serve.
OUTDATED = ("poddisruptionbudget", "cronjob")
# Left behind by no namespace.
CLUSTER_SCOPED = ("namespace", "clusterrole", "clusterrolebinding", "priorityclass")


@pytest.mark.parametrize(("arguments", "title"), GENERATED, ids=[row[0] for row in GENERATED])
def test_create(tools: tuple[Tool, ...], ns: Namespace, arguments: str, title: str) -> None:
    words, title = arguments.format(ns=ns.name).split(), title.format(ns=ns.name)
    before = words.index("--") if "--" in words else len(words)

    def call(*flags: str) -> list[str]:
        return ["create", *words[:before], *flags, *words[before:]]

    made = [json.loads(ran.out) for ran in of_each(tools, *call("--dry-run=client", "-o", "json"))]
    outdated = words[0] in OUTDATED
    assert _clean(made[0], outdated) == _clean(made[1], outdated)
    kubectl, kctl = tools
    if outdated:
        refused = kubectl(*call(), code=1).err
        assert NO_SUCH_VERSION in refused or "no matches for kind" in refused
    else:
        assert kubectl(*call("--dry-run=server")).out == f"{title} created (server dry run)\n"
    try:
        assert kctl(*call()).out == f"{title} created\n"
    finally:
        if words[0] in CLUSTER_SCOPED:
            kctl("delete", title, "--wait=false")


def test_create_again(tool: Tool) -> None:
    tool("create", "configmap", "settings", "--from-literal=a=1")
    assert '"settings" already exists' in tool("create", "configmap", "settings", code=1).err


def _clean(made: object, outdated: bool) -> object:
    """Without what a version more or less says of an object: empty fields, creation times, the namespace of the call."""
    if isinstance(made, dict):
        gone = ("status", "creationTimestamp", *(("apiVersion",) if outdated else ()))
        if isinstance(made.get("metadata"), dict):
            made = {**made, "metadata": {key: value for key, value in made["metadata"].items() if key != "namespace"}}
        cleaned = {key: _clean(value, outdated) for key, value in made.items() if key not in gone}
        return {key: value for key, value in cleaned.items() if value not in ({}, None, "", [])}
    return [_clean(each, outdated) for each in made] if isinstance(made, list) else made


def test_create_from_files(tools: tuple[Tool, ...], ns: Namespace, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1\n")
    (tmp_path / "two").write_bytes(b"\xff\x00")
    env = tmp_path / "env"
    env.write_text("# none\nA=1\nB=x y\n")
    key, cert = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=web",
         "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True,
    )  # fmt: skip
    for words in (
        ("configmap", "files", f"--from-file={tmp_path / 'one'}", f"--from-file=named={tmp_path / 'two'}"),
        ("configmap", "env", f"--from-env-file={env}"),
        ("secret", "generic", "files", f"--from-file={tmp_path / 'two'}"),
        ("secret", "tls", "pair", f"--cert={cert}", f"--key={key}"),
    ):
        made = [json.loads(ran.out) for ran in of_each(tools, "create", *words, "--dry-run=client", "-o", "json")]
        assert _clean(made[0], False) == _clean(made[1], False)
    tools[0]("create", "secret", "tls", "pair", f"--cert={cert}", f"--key={key}")
    stored = ns.get("secrets", "pair")
    assert (stored["type"], base64.b64decode(stored["data"]["tls.crt"])) == ("kubernetes.io/tls", cert.read_bytes())
    (tmp_path / "no.pem").write_text("none")
    for tool in tools:
        tool("create", "secret", "tls", "bad", f"--cert={tmp_path / 'no.pem'}", f"--key={key}", code=1)


def test_create_of_manifests(tool: Tool, ns: Namespace) -> None:
    both = documents(config_map("one", k="v"), config_map("two", k="v"))
    assert tool("create", "-f", "-", "--dry-run=client", stdin=both).lines() == [
        *("configmap/one created (dry run)", "configmap/two created (dry run)")
    ]
    assert tool("create", "-f", "-", stdin=both).lines() == ["configmap/one created", "configmap/two created"]
    again = tool("create", "-f", "-", stdin=both, code=1)
    assert again.err.count("AlreadyExists") == 2
    generated = {**config_map("x", k="v"), "metadata": {"generateName": "made-"}}
    assert tool("create", "-f", "-", stdin=documents(generated)).out.startswith("configmap/made-")
    tool("create", "-f", "-", "--save-config", stdin=documents(config_map("kept", k="v")))
    assert tool.apply(config_map("kept", k="v")).out == "configmap/kept unchanged\n"
    raw = tool("create", "--raw", ns.path("configmaps"), "-f", "-", stdin=json.dumps(config_map("raw", k="v")))
    assert json.loads(raw.out)["metadata"]["name"] == "raw"


def test_jobs_of_cron_jobs(tool: Tool, ns: Namespace) -> None:
    template = {"spec": {"template": {"spec": {"containers": [sleeper()], "restartPolicy": "Never", **NOWHERE}}}}
    spec = {"schedule": "@yearly", "jobTemplate": template}
    cron_job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "often"}, "spec": spec}
    ns.rest.create(f"/apis/batch/v1/namespaces/{ns.name}/cronjobs", cron_job)
    if not tool.is_kctl:
        assert (
            'no kind "CronJob" is registered for version "batch/v1"'
            in tool("create", "job", "now", "--from=cronjob/often", code=1).err
        )
        return
    assert tool("create", "job", "now", "--from=cronjob/often").out == "job.batch/now created\n"
    made = ns.rest.get(f"/apis/batch/v1/namespaces/{ns.name}/jobs/now")
    assert made["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert made["metadata"]["ownerReferences"][0]["name"] == "often"


# run


def test_run(tool: Tool, ns: Namespace) -> None:
    made = json.loads(
        tool(
            "run", "box", "--image=busybox:1", "--env=A=1", "--labels=app=box,x=y", "--port=80", "--restart=Never",
            "--dry-run=client", "-o", "json", "--command", "--", "sleep", "9",
        ).out
    )  # fmt: skip
    container = made["spec"]["containers"][0]
    assert (container["command"], container["env"]) == (["sleep", "9"], [{"name": "A", "value": "1"}])
    assert (made["metadata"]["labels"], made["spec"]["restartPolicy"]) == ({"app": "box", "x": "y"}, "Never")
    once = tool("run", "once", "--image=busybox:1", "--restart=Never", "--rm", "-i", "--command", "--", "cat", stdin="hello\n")
    assert "hello\n" in once.out
    assert 'pod "once" deleted' in once.out
    assert ns.find("pods", "once") is None
    failed = tool("run", "fails", "--image=busybox:1", "--restart=Never", "--rm", "-i", "--", "sh", "-c", "exit 3", code=None)
    assert failed.code == 3, failed
    exposed = tool("run", "web", "--image=busybox:1", "--port=80", "--expose", "--dry-run=client")
    assert exposed.out.split("\n")[:2] == ["service/web created (dry run)", "pod/web created (dry run)"]
    overridden = '{"spec":{"nodeSelector":{"no":"where"}}}'
    assert tool("run", "waits", "--image=busybox:1", f"--overrides={overridden}").out == "pod/waits created\n"
    assert ns.get("pods", "waits")["spec"]["nodeSelector"] == {"no": "where"}


# expose, autoscale


def test_expose_and_autoscale(tools: tuple[Tool, ...], ns: Namespace) -> None:
    web = deployment("web", 0, sleeper(ports=[{"containerPort": 8080}]))
    ns.apply(web, service("shown"))
    for arguments in (
        ("expose", "deployment", "web", "--port=80", "--target-port=8080"),
        ("expose", "deployment/web", "--name=other", "--type=NodePort"),
        ("expose", "service", "shown", "--name=copy", "--port=81"),
    ):
        made = [json.loads(ran.out) for ran in of_each(tools, *arguments, "--dry-run=client", "-o", "json")]
        assert _clean(made[0], False) == _clean(made[1], False)
    for tool in tools:
        assert tool("expose", "deploy", "web", f"--name={tool.name}").out == f"service/{tool.name} exposed\n"
        assert ns.get("services", tool.name)["spec"]["ports"][0]["targetPort"] == 8080
        scaled = tool("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu-percent=80", f"--name={tool.name}")
        assert scaled.out == f"horizontalpodautoscaler.autoscaling/{tool.name} autoscaled\n"
        stored = ns.rest.get(f"/apis/autoscaling/v2/namespaces/{ns.name}/horizontalpodautoscalers/{tool.name}")["spec"]
        assert (stored["minReplicas"], stored["maxReplicas"]) == (1, 3)
        assert stored["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    same(tools, "get", "hpa")


# set


def test_set(tool: Tool, ns: Namespace) -> None:
    ns.apply(deployment("web", 0, sleeper(), template={"initContainers": [sleeper("init")]}), service("web"))

    def container() -> dict[str, object]:
        found: dict[str, object] = ns.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]
        return found

    assert tool("set", "image", "deployment/web", "main=busybox:2").out == "deployment.apps/web image updated\n"
    assert container()["image"] == "busybox:2"
    assert 'unable to find container named "no"' in tool("set", "image", "deploy/web", "no=busybox:2", code=1).err
    tool("set", "image", "deployments", "--all", "*=busybox:3")
    assert container()["image"] == "busybox:3"
    assert tool("set", "env", "deployment/web", "A=1", "B=2").out == "deployment.apps/web env updated\n"
    tool("set", "env", "deployment/web", "A-")
    assert container()["env"] == [{"name": "B", "value": "2"}]
    assert "B=2" in tool("set", "env", "deployment/web", "--list").lines()
    ns.create(config_map("settings", colour="blue"), "configmaps")
    tool("set", "env", "deployment/web", "--from=configmap/settings", "--prefix=X_", code=0)
    assert {"name": "X_COLOUR", "valueFrom": {"configMapKeyRef": {"key": "colour", "name": "settings"}}} in container()["env"]  # type: ignore[operator]
    limited = tool("set", "resources", "deployment", "web", "--limits=cpu=200m,memory=64Mi", "--requests=cpu=100m", "-c=main")
    assert limited.out == "deployment.apps/web resource requirements updated\n"
    assert container()["resources"] == {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m"}}
    assert tool("set", "selector", "service", "web", "app=other").out == "service/web selector updated\n"
    assert ns.get("services", "web")["spec"]["selector"] == {"app": "other"}
    account = tool("set", "serviceaccount", "deployment", "web", "me")
    assert account.out == "deployment.apps/web serviceaccount updated\n"
    assert ns.get("deployments", "web")["spec"]["template"]["spec"]["serviceAccountName"] == "me"
    tool("create", "rolebinding", "readers", "--clusterrole=view", "--user=jane")
    subjects = tool("set", "subject", "rolebinding", "readers", "--group=team", "--serviceaccount=default:me")
    assert subjects.out == f"rolebinding.{RBAC}/readers subjects updated\n"
    stored = ns.rest.get(f"/apis/{RBAC}/v1/namespaces/{ns.name}/rolebindings/readers")["subjects"]
    assert [each["kind"] for each in stored] == ["User", "Group", "ServiceAccount"]
    local = tool(
        "set", "image", "--local", "-f", "-", "main=busybox:9", "-o", "json", stdin=documents(deployment("x", 1, sleeper()))
    )
    assert json.loads(local.out)["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:9"


# label, annotate


def test_label_and_annotate(tool: Tool, ns: Namespace) -> None:
    ns.apply(config_map("one", k="v"), config_map("two", k="v"))
    assert tool("label", "cm", "one", "two", "app=x").lines() == ["configmap/one labeled", "configmap/two labeled"]
    assert "already has a value (x), and --overwrite is false" in tool("label", "cm", "one", "app=y", code=1).err
    assert tool("label", "cm", "one", "app=y", "--overwrite").out == "configmap/one labeled\n"
    assert tool("label", "cm", "-l", "app", "app-").out != ""
    assert "labels" not in ns.get("configmaps", "one")["metadata"]
    assert "invalid" in tool("label", "cm", "one", "a=not valid", code=1).err
    assert tool("label", "cm", "one", "tier=back", "--dry-run=server").out.startswith("configmap/one labeled")
    assert "labels" not in ns.get("configmaps", "one")["metadata"]
    assert tool("annotate", "cm", "one", "note=a b: c").out == "configmap/one annotated\n"
    assert ns.get("configmaps", "one")["metadata"]["annotations"]["note"] == "a b: c"
    assert tool("annotate", "cm", "one", "note-").out == "configmap/one annotated\n"
    assert "note" not in ns.get("configmaps", "one")["metadata"].get("annotations", {})
    stale = tool("label", "cm", "one", "a=b", "--resource-version=1", code=1)
    assert "(Conflict)" in stale.err
    local = tool("annotate", "--local", "-f", "-", "a=b", "-o", "json", stdin=documents(config_map("x")))
    assert json.loads(local.out)["metadata"]["annotations"] == {"a": "b"}
    assert path_of("configmaps", ns.name) == ns.path("configmaps")
