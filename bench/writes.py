"""Count writes a second through the whole handler chain, on storage in memory, in this process.

    python -m bench.writes [--count 2000] [--repeats 3]

No sockets and no TLS: what is left is decoding, rules, field ownership, encoding, and the watch cache. A second is one of CPU
time, and the best of the repeats is shown, since a machine that does other things beside can only make figures worse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from apimachinery.clock import SystemClock
from apimachinery.resources import LEASES, PODS, Resource
from apiserver.app import Assembly, Settings
from apiserver.core.request import Options, Request, User, Verb
from apiserver.storage.memory import MemoryStorage

USER = User("bench", ("system:masters",))
STRATEGIC = "application/strategic-merge-patch+json"
READY = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
LEASE_SPEC = {"holderIdentity": "n", "leaseDurationSeconds": 4}


class Kubelets:
    """There are none."""

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def api_server() -> AsyncIterator[Assembly]:
    assembly = Assembly(Settings(), MemoryStorage(), Kubelets(), clock=SystemClock(), rng=random.Random(1))  # type: ignore[arg-type]
    async with assembly.running():
        yield assembly


def pod(index: int, *, alike: bool) -> dict[str, Any]:
    """A pod such as a ReplicaSet makes; with `alike`, the specifications of all are the same."""
    name = f"web-{index:06d}"
    variable = {"name": "A", "value": "alike" if alike else name}
    container = {
        "name": "web",
        "image": "registry.local/web:1",
        "ports": [{"containerPort": 80}],
        "env": [variable, {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "1", "controller": True}
    labels = {"app": "web", "pod-template-hash": "abcdef"}
    meta = {"name": name, "namespace": "default", "labels": labels, "ownerReferences": [owner]}
    return {"metadata": meta, "spec": {"containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]}}


def status(index: int, turn: int) -> dict[str, Any]:
    """A status patch such as a kubelet sends: everything at first, then the counts of a container and a condition."""
    moment = f"2026-01-31T12:{turn % 60:02d}:{index % 60:02d}Z"
    state = {"running": {"startedAt": moment}}
    container = {"name": "web", "image": "i", "imageID": "i", "ready": True, "restartCount": turn, "state": state}
    conditions = [{"type": each, "status": "True", "lastTransitionTime": moment} for each in READY]
    if turn:
        return {"status": {"conditions": conditions[2:], "containerStatuses": [container]}}
    addresses = {"podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}], "hostIP": "172.31.255.3"}
    return {"status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container], **addresses}}


class Bench:
    """One server, and the figures."""

    def __init__(self, assembly: Assembly, count: int) -> None:
        self._api = assembly.api
        self._count = count

    async def write(
        self, verb: Verb, resource: Resource, name: str, body: Any, *, subresource: str = "", kind: str = "application/json"
    ) -> None:
        await self._api.handle(
            Request(
                verb=verb,
                resource=resource,
                user=USER,
                namespace="default",
                name=name if verb is not Verb.CREATE else "",
                subresource=subresource,
                body=body,
                content_type=kind,
                options=Options(field_manager="kubelet" if verb is Verb.PATCH else "kube-controller-manager"),
            )
        )

    async def rate(self, verb: Verb, resource: Resource, body: Callable[[int], Any], **more: Any) -> float:
        """Writes a second of CPU time, one after the other."""
        bodies = [json.dumps(body(index)).encode() for index in range(self._count)]
        started = time.process_time()
        for index, each in enumerate(bodies):
            await self.write(verb, resource, f"web-{index:06d}", each, **more)
        return self._count / (time.process_time() - started)


def lease(index: int, turn: int) -> dict[str, Any]:
    moment = f"2026-01-31T12:{turn:02d}:{index % 60:02d}.000000Z"
    return {"metadata": {"name": f"web-{index:06d}"}, "spec": {**LEASE_SPEC, "renewTime": moment}}


async def measured(count: int) -> dict[str, float]:
    """Each figure on a fresh server."""
    found: dict[str, float] = {}
    async with api_server() as assembly:
        bench = Bench(assembly, count)
        found["create pods, each different"] = await bench.rate(Verb.CREATE, PODS, lambda index: pod(index, alike=False))
    async with api_server() as assembly:
        bench = Bench(assembly, count)
        patch = {"subresource": "status", "kind": STRATEGIC}
        found["create pods of one template"] = await bench.rate(Verb.CREATE, PODS, lambda index: pod(index, alike=True))
        found["patch status, the first time"] = await bench.rate(Verb.PATCH, PODS, lambda index: status(index, 0), **patch)
        found["patch status, later"] = await bench.rate(Verb.PATCH, PODS, lambda index: status(index, 1), **patch)
        found["patch status, no change"] = await bench.rate(Verb.PATCH, PODS, lambda index: status(index, 1), **patch)
        await bench.rate(Verb.CREATE, LEASES, lambda index: lease(index, 0))
        merge = {"kind": "application/merge-patch+json"}
        found["renew leases"] = await bench.rate(Verb.PATCH, LEASES, lambda index: lease(index, 1), **merge)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="writes of each sort")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    runs = [asyncio.run(measured(arguments.count)) for _ in range(arguments.repeats)]
    for name in runs[0]:
        print(f"{name:30} {max(run[name] for run in runs):8.0f}/s")


if __name__ == "__main__":
    main()
