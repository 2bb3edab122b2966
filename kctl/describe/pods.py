"""Descriptions of pods and of pod templates."""

from collections.abc import Mapping, Sequence
from typing import Any

from apimachinery.printing.shape import selector_text
from apimachinery.times import age_s, human_duration
from kctl.describe.common import (
    Plain,
    Surroundings,
    annotations,
    conditions,
    controlled_by,
    events,
    heading,
    labels,
    long_time,
    lower_truth,
    metadata_of,
    resources,
    truth,
)
from kctl.describe.text import Page

_PROBES = (("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe"))
_VOLUME_TITLES = {
    "emptyDir": "EmptyDir (lives as long as the pod)",
    "hostPath": "HostPath (a path of the node)",
    "configMap": "ConfigMap (files from a ConfigMap)",
    "secret": "Secret (files from a Secret)",
    "projected": "Projected (files from several sources)",
    "downwardAPI": "DownwardAPI (files about the pod itself)",
    "persistentVolumeClaim": "PersistentVolumeClaim (storage that was claimed)",
}


def describe_pod(pod: Plain, around: Surroundings) -> Page:
    page, spec, status = Page(), pod.get("spec") or {}, pod.get("status") or {}
    heading(page, pod)
    page.optional("Priority", spec.get("priority"))
    page.optional("Priority Class Name", spec.get("priorityClassName"))
    page.optional("Runtime Class Name", spec.get("runtimeClassName"))
    page.optional("Service Account", spec.get("serviceAccountName"))
    page.field("Node", f"{spec['nodeName']}/{status.get('hostIP', '')}" if spec.get("nodeName") else "<none>")
    page.optional("Start Time", long_time(status.get("startTime")))
    labels(page, metadata_of(pod).get("labels"))
    annotations(page, metadata_of(pod).get("annotations"))
    _status(page, pod, around)
    controlled_by(page, pod)
    page.optional("NominatedNodeName", status.get("nominatedNodeName"))
    if spec.get("initContainers"):
        containers(page, "Init Containers", spec["initContainers"], status.get("initContainerStatuses"), pod)
    containers(page, "Containers", spec.get("containers") or (), status.get("containerStatuses"), pod)
    if spec.get("ephemeralContainers"):
        containers(page, "Ephemeral Containers", spec["ephemeralContainers"], status.get("ephemeralContainerStatuses"), pod)
    _readiness_gates(page, pod)
    conditions(page, status.get("conditions") or (), (("Type", "type"), ("Status", "status")))
    volumes(page, spec.get("volumes") or ())
    page.optional("QoS Class", status.get("qosClass"))
    labels(page, spec.get("nodeSelector"), name="Node-Selectors")
    page.fields("Tolerations", [toleration_text(each) for each in spec.get("tolerations") or ()])
    _spread(page, spec)
    events(page, around)
    return page


def describe_template(template: Plain) -> Page:
    """What a workload makes its pods from."""
    page, spec = Page(), template.get("spec") or {}
    labels(page, metadata_of(template).get("labels"))
    if metadata_of(template).get("annotations"):
        annotations(page, metadata_of(template)["annotations"])
    page.optional("Service Account", spec.get("serviceAccountName"))
    if spec.get("initContainers"):
        containers(page, "Init Containers", spec["initContainers"])
    containers(page, "Containers", spec.get("containers") or ())
    volumes(page, spec.get("volumes") or ())
    _spread(page, spec)
    page.optional("Priority Class Name", spec.get("priorityClassName"))
    labels(page, spec.get("nodeSelector"), name="Node-Selectors")
    page.fields("Tolerations", [toleration_text(each) for each in spec.get("tolerations") or ()])
    return page


def containers(
    page: Page, title: str, listed: Sequence[Plain], statuses: Sequence[Plain] | None = None, pod: Plain | None = None
) -> None:
    """A section with each container; with what became of it when statuses are given."""
    by_name = {each.get("name"): each for each in statuses or ()}
    page.section(title, not listed)
    for container in listed:
        _container(page, container, by_name.get(container.get("name")), pod)


def volumes(page: Page, listed: Sequence[Plain]) -> None:
    if not page.section("Volumes", not listed):
        return
    for volume in listed:
        page.line(f"{volume.get('name')}:", 1)
        kind = next((key for key in volume if key != "name"), "emptyDir")
        volume_source(page, kind, volume.get(kind) or {})


def toleration_text(toleration: Plain) -> str:
    """`key=value:NoSchedule op=Exists for 5s`"""
    text = str(toleration.get("key") or "")
    if toleration.get("value"):
        text += f"={toleration['value']}"
    if toleration.get("effect"):
        text += f":{toleration['effect']}"
    if toleration.get("operator") == "Exists":
        text += " op=Exists" if text else "op=Exists"
    seconds = toleration.get("tolerationSeconds")
    return f"{text} for {seconds}s" if seconds is not None else text


def probe_text(probe: Plain) -> str:
    """`http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3`"""
    numbers = (
        f"delay={probe.get('initialDelaySeconds') or 0}s timeout={probe.get('timeoutSeconds') or 1}s "
        f"period={probe.get('periodSeconds') or 10}s #success={probe.get('successThreshold') or 1} "
        f"#failure={probe.get('failureThreshold') or 3}"
    )
    return f"{_probe_action(probe)} {numbers}"


def _probe_action(probe: Plain) -> str:
    if execute := probe.get("exec"):
        return f"exec [{' '.join(execute.get('command') or ())}]"
    if http := probe.get("httpGet"):
        scheme = str(http.get("scheme") or "HTTP").lower()
        return f"http-get {scheme}://{http.get('host', '')}:{http.get('port', '')}{http.get('path', '')}"
    if socket := probe.get("tcpSocket"):
        return f"tcp-socket {socket.get('host', '')}:{socket.get('port', '')}"
    if grpc := probe.get("grpc"):
        return f"grpc <pod>:{grpc.get('port', '')} {grpc.get('service') or ''}".rstrip()
    return "unknown"


def _status(page: Page, pod: Plain, around: Surroundings) -> None:
    status, metadata = pod.get("status") or {}, metadata_of(pod)
    if metadata.get("deletionTimestamp") and status.get("phase") not in ("Succeeded", "Failed"):
        lasts = human_duration(max(age_s(metadata["deletionTimestamp"], around.now) or 0.0, 0.0))
        page.field("Status", f"Terminating (lasts {lasts})")
        page.field("Termination Grace Period", f"{metadata.get('deletionGracePeriodSeconds') or 0}s")
    else:
        page.field("Status", status.get("phase", ""))
    page.optional("Reason", status.get("reason"))
    page.optional("Message", status.get("message"))
    page.field("IP", status.get("podIP", ""))
    addresses = [each.get("ip", "") for each in status.get("podIPs") or ()]
    if page.section("IPs", not addresses):
        for address in addresses:
            page.field("IP", address, 1)


def _container(page: Page, container: Plain, status: Plain | None, pod: Plain | None) -> None:
    page.line(f"{container.get('name')}:", 1)
    if status is not None:
        page.field("Container ID", status.get("containerID", ""), 2)
    page.field("Image", container.get("image", ""), 2)
    if status is not None:
        page.field("Image ID", status.get("imageID", ""), 2)
    ports = container.get("ports") or ()
    plural = "s" if len(ports) > 1 else ""
    page.field(
        f"Port{plural}",
        ", ".join(f"{each.get('containerPort')}/{each.get('protocol') or 'TCP'}" for each in ports) or "<none>",
        2,
    )
    host = ", ".join(f"{each.get('hostPort') or 0}/{each.get('protocol') or 'TCP'}" for each in ports)
    page.field(f"Host Port{plural}", host or "<none>", 2)
    for title, words in (("Command", container.get("command")), ("Args", container.get("args"))):
        if words:
            page.line(f"{title}:", 2)
            for word in words:
                for line in str(word).split("\n"):
                    page.line(line, 3)
    if status is not None:
        _state(page, "State", status.get("state") or {})
        if status.get("lastState"):
            _state(page, "Last State", status["lastState"])
        page.field("Ready", truth(status.get("ready")), 2)
        page.field("Restart Count", status.get("restartCount") or 0, 2)
    wanted = container.get("resources") or {}
    resources(page, "Limits", wanted.get("limits"), 2)
    resources(page, "Requests", wanted.get("requests"), 2)
    for title, key in _PROBES:
        if container.get(key):
            page.field(title, probe_text(container[key]), 2)
    _environment(page, container, pod)
    _mounts(page, container)


def _state(page: Page, title: str, state: Plain) -> None:
    if "running" in state:
        page.field(title, "Running", 2)
        page.field("Started", long_time((state["running"] or {}).get("startedAt")), 3)
    elif "terminated" in state:
        ended = state["terminated"] or {}
        page.field(title, "Terminated", 2)
        page.optional("Reason", ended.get("reason"), 3)
        page.optional("Message", str(ended.get("message") or "").strip().replace("\n", " "), 3)
        page.field("Exit Code", ended.get("exitCode", 0), 3)
        page.optional("Signal", ended.get("signal") or "", 3)
        page.field("Started", long_time(ended.get("startedAt")), 3)
        page.field("Finished", long_time(ended.get("finishedAt")), 3)
    else:
        page.field(title, "Waiting", 2)
        page.optional("Reason", (state.get("waiting") or {}).get("reason"), 3)


def _environment(page: Page, container: Plain, pod: Plain | None) -> None:
    if container.get("envFrom"):
        page.line("Environment Variables from:", 2)
        for each in container["envFrom"]:
            kind = "ConfigMap" if each.get("configMapRef") else "Secret"
            reference = each.get("configMapRef") or each.get("secretRef") or {}
            prefix = f" with prefix '{each['prefix']}'" if each.get("prefix") else ""
            page.line(f"{reference.get('name')}\t{kind}{prefix}\tOptional: {lower_truth(reference.get('optional'))}", 3)
    variables = container.get("env") or ()
    if not page.section("Environment", not variables, 2):
        return
    for variable in variables:
        lines = _variable_text(variable, pod).split("\n")
        page.field(str(variable.get("name")), lines[0], 3)
        for line in lines[1:]:
            page.line(f"\t{line}", 3)


def _variable_text(variable: Plain, pod: Plain | None) -> str:
    source: Mapping[str, Any] = variable.get("valueFrom") or {}
    if not source:
        return str(variable.get("value") or "")
    if field := source.get("fieldRef"):
        return (
            f"{_pod_field(pod, str(field.get('fieldPath', '')))} ({field.get('apiVersion') or 'v1'}:{field.get('fieldPath')})"
        )
    if resource := source.get("resourceFieldRef"):
        return f"({resource.get('resource')})"
    if secret := source.get("secretKeyRef"):
        optional = lower_truth(secret.get("optional"))
        return f"<set to the key '{secret.get('key')}' in secret '{secret.get('name')}'>\tOptional: {optional}"
    key = source.get("configMapKeyRef") or {}
    return (
        f"<set to the key '{key.get('key')}' of config map '{key.get('name')}'>\tOptional: {lower_truth(key.get('optional'))}"
    )


def _pod_field(pod: Plain | None, path: str) -> str:
    value: Any = pod or {}
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return str(value) if isinstance(value, str | int) else ""


def _mounts(page: Page, container: Plain) -> None:
    mounts = sorted(container.get("volumeMounts") or (), key=lambda each: str(each.get("mountPath", "")))
    if not page.section("Mounts", not mounts, 2):
        return
    for mount in mounts:
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        page.line(f"{mount.get('mountPath')} from {mount.get('name')} ({','.join(flags)})", 3)


def volume_source(page: Page, kind: str, source: Plain) -> None:
    """Where the contents of a volume come from."""
    page.field("Type", _VOLUME_TITLES.get(kind, kind[:1].upper() + kind[1:]), 2)
    match kind:
        case "emptyDir":
            page.field("Medium", source.get("medium", ""), 2)
            page.field("SizeLimit", source.get("sizeLimit") or "<unset>", 2)
        case "hostPath":
            page.field("Path", source.get("path", ""), 2)
            page.field("HostPathType", source.get("type") or "<none>", 2)
        case "configMap":
            page.field("Name", source.get("name", ""), 2)
            page.field("Optional", lower_truth(source.get("optional")), 2)
        case "secret":
            page.field("SecretName", source.get("secretName", ""), 2)
            page.field("Optional", lower_truth(source.get("optional")), 2)
        case "persistentVolumeClaim":
            page.field("ClaimName", source.get("claimName", ""), 2)
            page.field("ReadOnly", lower_truth(source.get("readOnly")), 2)
        case "projected":
            _projected(page, source)
        case _:
            for key, value in sorted(source.items()):
                if isinstance(value, str | int):
                    page.field(key[:1].upper() + key[1:], value, 2)


def _projected(page: Page, source: Plain) -> None:
    for each in source.get("sources") or ():
        if each.get("secret"):
            page.field("SecretName", each["secret"].get("name", ""), 2)
        elif each.get("configMap"):
            page.field("ConfigMapName", each["configMap"].get("name", ""), 2)
        elif each.get("serviceAccountToken"):
            page.field("TokenExpirationSeconds", each["serviceAccountToken"].get("expirationSeconds") or 3600, 2)
        elif each.get("downwardAPI"):
            page.field("DownwardAPI", "true", 2)


def _readiness_gates(page: Page, pod: Plain) -> None:
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    if not gates:
        return
    met = {each.get("type"): each.get("status") for each in (pod.get("status") or {}).get("conditions") or ()}
    page.line("Readiness Gates:")
    page.table(
        ("Type", "Status"), [(each.get("conditionType"), met.get(each.get("conditionType"), "<none>")) for each in gates]
    )


def _spread(page: Page, spec: Plain) -> None:
    rows = []
    for each in spec.get("topologySpreadConstraints") or ():
        text = f"{each.get('topologyKey')}:{each.get('whenUnsatisfiable')} when max skew {each.get('maxSkew')} is exceeded"
        rows.append(f"{text} for selector {selector_text(each.get('labelSelector'))}")
    if rows:
        page.fields("Topology Spread Constraints", rows)
