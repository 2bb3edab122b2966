"""The Service that `kctl expose` makes of an object that has pods: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kctl.errors import KctlError

MAX_NAME = 63


@dataclass(frozen=True)
class Wishes:
    """The options; empty ones are taken from the object."""

    name: str = ""
    port: str = ""
    target_port: str = ""
    protocol: str = ""
    kind: str = ""
    selector: str = ""
    labels: str = ""
    cluster_ip: str = ""
    external_ip: str = ""
    load_balancer_ip: str = ""
    session_affinity: str = ""


def service(obj: Mapping[str, Any], wishes: Wishes) -> dict[str, Any]:
    """A Service for the pods behind `obj`; raises KctlError when the object has none, or says too little."""
    _check_kind(obj)
    metadata = obj.get("metadata") or {}
    selector = pairs(wishes.selector, "--selector") if wishes.selector else selector_of(obj)
    labels = pairs(wishes.labels, "--labels") if wishes.labels else dict(metadata.get("labels") or {})
    name = wishes.name or str(metadata.get("name", ""))[:MAX_NAME]
    spec: dict[str, Any] = {"selector": selector}
    ports = _ports(obj, wishes)
    if ports:
        spec["ports"] = ports
    for key, value in (
        ("type", wishes.kind),
        ("clusterIP", wishes.cluster_ip),
        ("sessionAffinity", wishes.session_affinity),
        ("loadBalancerIP", wishes.load_balancer_ip),
    ):
        if value:
            spec[key] = value
    if wishes.external_ip:
        spec["externalIPs"] = [wishes.external_ip]
    if wishes.session_affinity not in ("", "None", "ClientIP"):
        raise KctlError(f"unknown session affinity: {wishes.session_affinity}")
    made: dict[str, Any] = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "Service", "metadata": made, "spec": spec, "status": {"loadBalancer": {}}}


def selector_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """The labels by which a Service finds the pods of an object; raises KctlError."""
    kind, spec = str(obj["kind"]), obj.get("spec") or {}
    if kind == "Pod":
        labels = (obj.get("metadata") or {}).get("labels") or {}
        if not labels:
            raise KctlError(
                "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed"
            )
        return dict(labels)
    selector = spec.get("selector") or {}
    if kind in ("Service", "ReplicationController"):
        if not selector:
            raise KctlError("couldn't retrieve selectors via --selector flag or introspection: the object selects no pods")
        return dict(selector)
    if selector.get("matchExpressions"):
        raise KctlError(
            "couldn't retrieve selectors via --selector flag or introspection: "
            f'couldn\'t convert expressions - "{selector["matchExpressions"]}" to map-based selector format'
        )
    return dict(selector.get("matchLabels") or {})


def pairs(text: str, option: str) -> dict[str, str]:
    """`a=b,c=d`; raises KctlError."""
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise KctlError(f"unexpected label spec of {option}: {part}")
        found[key.strip()] = value.strip()
    return found


def _check_kind(obj: Mapping[str, Any]) -> None:
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    kinds = {"": ("Pod", "Service", "ReplicationController"), "apps": ("Deployment", "ReplicaSet")}
    if obj["kind"] not in kinds.get(group, ()):
        raise KctlError(f"cannot expose a {obj['kind']}")


def _ports(obj: Mapping[str, Any], wishes: Wishes) -> list[dict[str, Any]]:
    own = _own_ports(obj)
    numbers = wishes.port.split(",") if wishes.port else list(dict.fromkeys(str(port) for port, _ in own))
    if not numbers:
        if wishes.cluster_ip == "None":
            return []  # a headless Service needs none
        raise KctlError("couldn't find port via --port flag or introspection")
    made: list[dict[str, Any]] = []
    for place, text in enumerate(numbers, 1):
        if not text.isdigit():
            raise KctlError(f'strconv.Atoi: parsing "{text}": invalid syntax')
        for protocol in _protocols(int(text), own, wishes.protocol):
            port: dict[str, Any] = {"name": f"port-{place}", "port": int(text), "protocol": protocol}
            port["targetPort"] = _target(wishes.target_port) if wishes.target_port else int(text)
            made.append(port)
    if len(made) == 1:
        del made[0]["name"]
    elif len(made) > len(numbers):  # one number with several protocols
        made = [{**port, "name": f"port-{place}"} for place, port in enumerate(made, 1)]
    return made


def _protocols(port: int, own: Sequence[tuple[int, str]], wished: str) -> list[str]:
    if wished:
        return [wished]
    return list(dict.fromkeys(protocol for number, protocol in own if number == port)) or ["TCP"]


def _own_ports(obj: Mapping[str, Any]) -> list[tuple[int, str]]:
    spec = obj.get("spec") or {}
    if obj["kind"] == "Service":
        return [(each["port"], each.get("protocol") or "TCP") for each in spec.get("ports") or ()]
    pod = spec if obj["kind"] == "Pod" else ((spec.get("template") or {}).get("spec") or {})
    return [
        (port["containerPort"], port.get("protocol") or "TCP")
        for container in pod.get("containers") or ()
        for port in container.get("ports") or ()
    ]


def _target(text: str) -> int | str:
    return int(text) if text.isdigit() else text
