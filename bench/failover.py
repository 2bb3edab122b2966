"""Time what users feel when a node dies: how long a Service refuses requests, and when its pods are Ready elsewhere.

    python -m bench.failover [--runs 3]

A Deployment of three web pods behind a NodePort on three workers; one worker that runs some of them is killed while a
client asks ten times a second through the published port.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import time
from typing import Any

import aiohttp

from bench.clusters import Access, Api, connected, spread, throwaway_cluster
from cluster import api as clusters
from cluster.spec import Publish

NODE_PORT = 30081
REQUEST_TIMEOUT_S = 1.0
INTERVAL_S = 0.1
GIVE_UP_S = 60.0
LABELS = {"bench": "failover"}
SELECTOR = "labelSelector=bench%3Dfailover"
PODS = "/api/v1/namespaces/default/pods"


def deployment() -> dict[str, Any]:
    serve = "mkdir -p /www && echo ok > /www/index.html && exec httpd -f -p 8080 -h /www"
    container = {
        "name": "web",
        "image": "busybox:1",
        "command": ["/bin/sh", "-c", serve],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 1},
    }
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    spec = {"replicas": 3, "selector": {"matchLabels": LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def service() -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 8080, "nodePort": NODE_PORT}]
    spec = {"type": "NodePort", "selector": LABELS, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


async def until_ready_on(api: Api, wanted: int, dead: str = "") -> None:
    """Wait until `wanted` pods are Ready on nodes other than `dead`."""
    ready: set[str] = set()
    async with asyncio.timeout(GIVE_UP_S):
        async for event in api.watch(f"{PODS}?watch=true&{SELECTOR}"):
            pod = event["object"]
            name = pod["metadata"]["name"]
            if event["type"] != "DELETED" and is_ready(pod) and pod["spec"]["nodeName"] != dead:
                ready.add(name)
            else:
                ready.discard(name)
            if len(ready) >= wanted:
                return


class Client:
    """Asks over and over; remembers when requests failed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.failures: list[float] = []
        self.requests = 0

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        while True:
            started = time.perf_counter()
            # a connection for each request: the Service chooses anew each time
            connector = aiohttp.TCPConnector(force_close=True)
            async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
                try:
                    async with session.get(self._url) as response:
                        await response.read()
                        failed = response.status != 200
                except (aiohttp.ClientError, TimeoutError):
                    failed = True
            self.requests += 1
            if failed:
                self.failures.append(time.perf_counter())
            await asyncio.sleep(max(0.0, INTERVAL_S - (time.perf_counter() - started)))


async def measure(access: Access, port: int) -> tuple[float, float, float]:
    """Seconds until the lost pods were Ready elsewhere, until the last failed request, and the share of failed requests."""
    async with connected(access) as api:
        await api.call("POST", "/apis/apps/v1/namespaces/default/deployments", deployment())
        await api.call("POST", "/api/v1/namespaces/default/services", service())
        await until_ready_on(api, 3)
        client = Client(f"http://127.0.0.1:{port}/")
        asking = asyncio.create_task(client.run())
        await asyncio.sleep(2.0)
        pods = (await api.call("GET", f"{PODS}?{SELECTOR}"))["items"]
        victim = pods[0]["spec"]["nodeName"]
        client.failures.clear()
        client.requests = 0
        killed = time.perf_counter()
        await asyncio.to_thread(clusters.node_kill, access.name, victim)
        await until_ready_on(api, 3, dead=victim)
        recovered = time.perf_counter() - killed
        await asyncio.sleep(2.0)
        asking.cancel()
    last = max((moment - killed for moment in client.failures), default=0.0)
    return recovered, last, len(client.failures) / client.requests


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for run in range(arguments.runs):
        port = free_port()
        with throwaway_cluster(f"bench-fail-{os.getpid()}-{run}", workers=3, publish=(Publish(port, NODE_PORT),)) as access:
            rows.append(asyncio.run(measure(access, port)))
    recovered, last, share = zip(*rows, strict=True)
    print(f"node killed, its pods Ready elsewhere after: {spread(recovered, 's', 1)}")
    print(f"last failed request after: {spread(last, 's', 1)}")
    print(f"failed requests meanwhile: {max(share):.1%} at most")


if __name__ == "__main__":
    main()
