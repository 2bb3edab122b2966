"""A custom resource for tests: the CronTab of Kubernetes' documentation, with everything that a definition can say."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Plain = dict[str, Any]

GROUP = "stable.example.com"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

SPEC: Plain = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$", "description": "When it runs."},
        "image": {"type": "string", "maxLength": 20},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 2},
        "size": {"type": "string", "enum": ["large", "small"]},
        "note": {"type": "string", "nullable": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "port": {"x-kubernetes-int-or-string": True},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "number": {"type": "integer", "default": 80}},
            },
        },
        "template": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
    },
}
STATUS: Plain = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}, "phase": {"type": "string"}},
}
COLUMNS = [
    {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec", "description": "When it runs."},
    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def version(name: str = "v1", *, storage: bool = True, **more: Any) -> Plain:
    """One version, with both subresources and a table."""
    schema = {"type": "object", "properties": {"spec": deepcopy(SPEC), "status": deepcopy(STATUS)}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": dict(SCALE)},
        "additionalPrinterColumns": deepcopy(COLUMNS),
        "selectableFields": [{"jsonPath": ".spec.size"}],
        **more,
    }


def definition(*versions: Plain, plural: str = "crontabs", kind: str = "CronTab", group: str = GROUP, **spec: Any) -> Plain:
    """A CustomResourceDefinition; of one version unless others are given."""
    names = {"plural": plural, "kind": kind, "shortNames": ["ct"], "categories": ["all"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions) or [version()], **spec},
    }


def crontab(name: str = "a", api_version: str = f"{GROUP}/v1", **spec: Any) -> Plain:
    """A valid CronTab."""
    return {
        "apiVersion": api_version,
        "kind": "CronTab",
        "metadata": {"name": name},
        "spec": {"cronSpec": "* * * * */5", "image": "registry.local/a:1", **spec},
    }


def condition(obj: Plain, kind: str) -> Plain:
    """A condition of an object's status; empty when it is not there."""
    conditions = obj.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})
