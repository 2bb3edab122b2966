"""Jobs, CronJobs, Ingresses, quotas, budgets and priority classes from options: pure."""

import re
from collections.abc import Sequence
from typing import Any

from kctl.errors import KctlError

_RULE = re.compile(
    r"(?P<host>[\w*.-]*)(?P<path>/[^=]*)?=(?P<service>[a-z0-9-]+):(?P<port>[a-z0-9-]+)(?P<tls>,tls(=(?P<secret>[\w.-]+))?)?"
)


def job(name: str, image: str, command: Sequence[str]) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": _ending(name, image, command, "Never")}},
    }


def job_of(name: str, cron_job: dict[str, Any]) -> dict[str, Any]:
    """The Job that a CronJob would start, started by hand."""
    metadata, template = cron_job["metadata"], cron_job["spec"]["jobTemplate"]
    own = template.get("metadata") or {}
    owner = {
        "apiVersion": cron_job["apiVersion"],
        "kind": cron_job["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    annotations = {**(own.get("annotations") or {}), "cronjob.kubernetes.io/instantiate": "manual"}
    made = {"name": name, "annotations": annotations, "ownerReferences": [owner]}
    labels = {"labels": own["labels"]} if own.get("labels") else {}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {**made, **labels}, "spec": template.get("spec") or {}}


def cron_job(name: str, image: str, schedule: str, restart: str, command: Sequence[str]) -> dict[str, Any]:
    template = {"metadata": {"name": name}, "spec": {"template": {"spec": _ending(name, image, command, restart)}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {"schedule": schedule, "jobTemplate": template},
    }


def ingress(
    name: str, rules: Sequence[str], default_backend: str, class_name: str, annotations: dict[str, str]
) -> dict[str, Any]:
    """An Ingress of rules HOST/PATH=SERVICE:PORT[,tls[=SECRET]]; a path that ends in * is a prefix. Raises KctlError."""
    if not rules and not default_backend:
        raise KctlError("not enough information provided: every ingress has to either specify a default-backend or rules")
    spec: dict[str, Any] = {}
    if class_name:
        spec["ingressClassName"] = class_name
    if default_backend:
        service, colon, port = default_backend.partition(":")
        if not (service and colon and port):
            raise KctlError("default-backend should be in format servicename:serviceport")
        spec["defaultBackend"] = _backend(service, port)
    hosts: dict[str, list[dict[str, Any]]] = {}
    secrets: dict[str, list[str]] = {}
    for text in rules:
        found = _RULE.fullmatch(text)
        if found is None:
            raise KctlError(f"rule {text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]")
        path = found["path"] or ""
        prefix = path.endswith("*")
        row = {"path": path.removesuffix("*"), "pathType": "Prefix" if prefix else "Exact"}
        hosts.setdefault(found["host"], []).append({**row, "backend": _backend(found["service"], found["port"])})
        if found["tls"]:
            listed = secrets.setdefault(found["secret"] or "", [])
            listed += [found["host"]] if found["host"] and found["host"] not in listed else []
    if hosts:
        spec["rules"] = [{**({"host": host} if host else {}), "http": {"paths": paths}} for host, paths in hosts.items()]
    if secrets:
        spec["tls"] = [
            {**({"hosts": listed} if listed else {}), **({"secretName": secret} if secret else {})}
            for secret, listed in secrets.items()
        ]
    metadata = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


def quota(name: str, hard: dict[str, str], scopes: Sequence[str]) -> dict[str, Any]:
    spec: dict[str, Any] = {**({"hard": hard} if hard else {}), **({"scopes": list(scopes)} if scopes else {})}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec}


def budget(name: str, selector: dict[str, str], minimum: str, maximum: str) -> dict[str, Any]:
    """A PodDisruptionBudget; numbers or percentages. Raises KctlError."""
    if not selector:
        raise KctlError("a selector must be specified")
    if bool(minimum) == bool(maximum):
        raise KctlError("exactly one of min-available and max-unavailable must be specified")
    field, text = ("minAvailable", minimum) if minimum else ("maxUnavailable", maximum)
    spec = {"selector": {"matchLabels": selector}, field: int(text) if text.isdigit() else text}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def priority_class(name: str, value: int, description: str, preemption: str, *, default: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "preemptionPolicy": preemption,
    }
    more = {"description": description} if description else {}
    return {**made, **more, **({"globalDefault": True} if default else {})}


def _ending(name: str, image: str, command: Sequence[str], restart: str) -> dict[str, Any]:
    """The pod of a program that ends."""
    container: dict[str, Any] = {"name": name, "image": image, **({"command": list(command)} if command else {})}
    return {"containers": [container], "restartPolicy": restart}


def _backend(service: str, port: str) -> dict[str, Any]:
    return {"service": {"name": service, "port": {"number": int(port)} if port.isdigit() else {"name": port}}}
