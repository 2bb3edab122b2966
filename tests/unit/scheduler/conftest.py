"""Builders of nodes and pods for the scheduler's tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from apimachinery.codec import convert
from apimachinery.kinds import Node, Pod

_numbers = itertools.count(1)


def make_node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **more: Any) -> Node:
    """A node; `labels`, `taints`, `unschedulable`, `extra` (resources) and `images` (name -> bytes) may be given."""
    return convert(
        Node,
        {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **more.get("labels", {})}},
            "spec": {"taints": more.get("taints", []), "unschedulable": more.get("unschedulable", False)},
            "status": {
                "allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **more.get("extra", {})},
                "images": [{"names": [image], "sizeBytes": size} for image, size in more.get("images", {}).items()],
            },
        },
    )


def make_pod(name: str = "", *, cpu: str = "", memory: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Pod:
    """A pod of one container with these requests; the rest goes into its spec."""
    number = next(_numbers)
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory), *spec.pop("extra", {}).items()) if value}
    container = {
        "name": "c",
        "image": spec.pop("image", "app:1"),
        "resources": {"requests": requests},
        "ports": spec.pop("ports", []),
    }
    owner = spec.pop("owner", "")
    owners = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": owner, "controller": True}] if owner else []
    meta = {
        "name": name or f"p{number}",
        "namespace": spec.pop("namespace", "default"),
        "uid": f"uid-{number}",
        "labels": labels or {},
        "ownerReferences": owners,
    }
    return convert(Pod, {"metadata": meta, "spec": {"containers": [container], **spec}})


@pytest.fixture
def node() -> Callable[..., Node]:
    return make_node


@pytest.fixture
def pod() -> Callable[..., Pod]:
    return make_pod
