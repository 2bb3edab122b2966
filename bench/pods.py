"""Time pods from create to Running, and from delete to gone, as a watcher of the API sees them.

    python -m bench.pods [--serial 10] [--burst 20]

All pods run on one node of a fresh cluster with two workers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from typing import Any

from bench.clusters import Access, Api, connected, spread, throwaway_cluster

PODS = "/api/v1/namespaces/default/pods"
GIVE_UP_S = 120.0


class Observer:
    """When each pod was first seen Running, and when gone."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.running: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        self._changed = asyncio.Event()

    async def watch(self) -> None:
        async for event in self._api.watch(f"{PODS}?watch=true&labelSelector=bench%3Dpods"):
            name, now = event["object"]["metadata"]["name"], time.perf_counter()
            if event["type"] == "DELETED":
                self.gone[name] = now
            elif event["object"].get("status", {}).get("phase") == "Running":
                self.running.setdefault(name, now)
            self._changed.set()

    async def until(self, names: list[str], seen: dict[str, float]) -> None:
        async with asyncio.timeout(GIVE_UP_S):
            while not all(name in seen for name in names):
                self._changed.clear()
                await self._changed.wait()


def manifest(name: str, node: str) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": "busybox:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"],
    }
    selector = {"kubernetes.io/hostname": node}
    spec = {"nodeSelector": selector, "terminationGracePeriodSeconds": 1, "containers": [container]}
    meta = {"name": name, "labels": {"bench": "pods"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def measure(access: Access, serial: int, burst: int) -> None:
    node = f"{access.name}-worker"
    async with connected(access) as api:
        observer = Observer(api)
        watching = asyncio.create_task(observer.watch())
        one_by_one = [await _start_one(api, observer, f"serial-{number}", node) for number in range(serial)]
        print(f"one at a time, create to Running: {spread(one_by_one, 'ms')}")
        names = [f"burst-{number}" for number in range(burst)]
        first = time.perf_counter()
        await asyncio.gather(*(api.call("POST", PODS, manifest(name, node)) for name in names))
        await observer.until(names, observer.running)
        took = max(observer.running[name] for name in names) - first
        waits = [(observer.running[name] - first) * 1e3 for name in names]
        print(f"burst of {burst}, create to Running: {spread(waits, 'ms')}; {burst / took:.1f} pods/s")
        names = list(observer.running)
        first = time.perf_counter()
        await asyncio.gather(*(api.call("DELETE", f"{PODS}/{name}") for name in names))
        await observer.until(names, observer.gone)
        print(f"delete of {len(names)}: all gone after {max(observer.gone.values()) - first:.1f} s")
        watching.cancel()


async def _start_one(api: Api, observer: Observer, name: str, node: str) -> float:
    started = time.perf_counter()
    await api.call("POST", PODS, manifest(name, node))
    await observer.until([name], observer.running)
    return (observer.running[name] - started) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serial", type=int, default=10)
    parser.add_argument("--burst", type=int, default=20)
    arguments = parser.parse_args()
    with throwaway_cluster(f"bench-pods-{os.getpid()}", workers=2) as access:
        asyncio.run(measure(access, arguments.serial, arguments.burst))


if __name__ == "__main__":
    main()
