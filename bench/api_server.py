"""Load the API server of a fresh control plane, and hold it against raw etcd and raw aiohttp.

    python -m bench.api_server [--nodes 1000] [--pods 5000] [--callers 64] [--runs 3] [--without-scheduler]

A run: raw puts into its etcd, of values as large as its pods; hollow nodes, which nobody looks after, and pods are created and
bound; the memory of each process; reads, beside raw GETs from aiohttp of an answer as large; updates that are fanned out to
watchers; deletes. Beside each measure stands how much processor time the API server took for one operation, which depends less
than its rate on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
import uvloop

from bench.clusters import WATCH_TIMEOUT, Access, client_context
from bench.control_plane import ControlPlane, throwaway_control_plane
from bench.raw_etcd import puts_per_second

NODES, PODS, MAPS = "/api/v1/nodes", "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/configmaps"
RAW_PUTS = 20_000
READS, LISTS, DELETES_MAX = 4_000, 10, 2_000
WATCHERS, OBJECTS, UPDATES = 50, 20, 30
GIVE_UP_S = 300.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Figures:
    """What was measured, over all runs: rates by name, latencies in ms by name, and processor time in µs for one operation."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    processor: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        return statistics.median(self.rates[name])


class Api:
    """Calls on the REST door that leave their answers undecoded; every refusal ends the benchmark."""

    def __init__(self, server: str, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def call(self, method: str, path: str, body: Any = None) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        async with self.session.request(method, self.server + path, data=data) as response:
            answer = await response.read()
            if response.status >= 400:
                raise SystemExit(f"{method} {path}: {response.status} {answer[:300]!r}")
            return answer

    async def lines(self, path: str, opened: Callable[[], None]) -> AsyncIterator[list[bytes]]:
        """The lines of a watch, as they come; `opened` is called once it has begun."""
        rest = b""
        async with self.session.get(self.server + path, timeout=WATCH_TIMEOUT) as response:
            opened()
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                yield lines


@asynccontextmanager
async def opened(access: Access) -> AsyncIterator[Api]:
    """The API of a server over mutual TLS, with as many connections as callers."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connector = aiohttp.TCPConnector(ssl=client_context(access), limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        yield Api(access.server, session)


class Run:
    """One run on one control plane."""

    def __init__(self, plane: ControlPlane, api: Api, figures: Figures, arguments: argparse.Namespace) -> None:
        self._plane = plane
        self._api = api
        self._figures = figures
        self._nodes: int = arguments.nodes
        self._pods: int = arguments.pods
        self._callers: int = arguments.callers
        self._scheduled = not arguments.without_scheduler

    async def writes(self) -> None:
        call = self._api.call
        await self._pool("node creates", self._nodes, lambda index: call("POST", NODES, node(index)))
        opening, names, all_bound = asyncio.Event(), set[str](), asyncio.Event()
        watching = asyncio.create_task(self._watch_bindings(names, opening, all_bound))
        await opening.wait()
        started = time.perf_counter()
        await self._pool("pod creates", self._pods, lambda index: call("POST", PODS, pod(index)))
        if self._scheduled:
            async with asyncio.timeout(GIVE_UP_S):
                await all_bound.wait()
            self._note_rate("pods bound", self._pods / (time.perf_counter() - started))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def reads(self) -> None:
        call, count = self._api.call, self._pods
        await self._pool("GET", READS, lambda index: call("GET", f"{PODS}/pod-{index % count}"))
        self._figures.sizes["LIST"] = len(await call("GET", PODS))
        await self._pool("LIST of all", LISTS, lambda _: call("GET", PODS), callers=1)
        await self._pool(
            "LIST of all, any revision, 8 callers", 16, lambda _: call("GET", f"{PODS}?resourceVersion=0"), callers=8
        )
        await self._pool("LIST by label", LISTS, lambda _: call("GET", f"{PODS}?labelSelector=tenth%3D3"), callers=1)

    async def fan_out(self) -> None:
        """OBJECTS ConfigMaps are each updated UPDATES times while WATCHERS watch them all."""
        call, wanted, got = self._api.call, WATCHERS * OBJECTS * UPDATES, 0
        maps = [msgspec.json.decode(await call("POST", MAPS, config_map(index))) for index in range(OBJECTS)]
        path = f"{MAPS}?watch=true&resourceVersion={maps[-1]['metadata']['resourceVersion']}"
        done, opens = asyncio.Event(), asyncio.Semaphore(0)

        async def watch() -> None:
            nonlocal got
            async for lines in self._api.lines(path, opens.release):
                got += len(lines)
                if got >= wanted:
                    done.set()

        async def update(each: Any) -> None:
            del each["metadata"]["resourceVersion"]
            for number in range(UPDATES):
                each["data"]["number"] = str(number)
                await call("PUT", f"{MAPS}/{each['metadata']['name']}", each)

        watchers = [asyncio.create_task(watch()) for _ in range(WATCHERS)]
        for _ in watchers:
            await opens.acquire()
        with self._timed("events fanned out", wanted):
            await asyncio.gather(*(update(each) for each in maps))
            async with asyncio.timeout(GIVE_UP_S):
                await done.wait()
        for task in watchers:
            task.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)

    async def deletes(self) -> None:
        count = min(DELETES_MAX, self._pods)
        await self._pool(
            "pod deletes", count, lambda index: self._api.call("DELETE", f"{PODS}/pod-{index}?gracePeriodSeconds=0")
        )

    async def raw_puts(self) -> None:
        """Values of the size of the pods that will be stored."""
        stored = len(await self._api.call("POST", f"{PODS}?dryRun=All", pod(0)))
        self._figures.sizes["pod"] = stored
        self._note_rate("raw etcd puts", await puts_per_second(self._plane.etcd, [b"x" * stored] * RAW_PUTS, self._callers))

    async def raw_gets(self) -> None:
        size = len(await self._api.call("GET", f"{PODS}/pod-0"))
        with raw_server(self._plane.access, size) as server:
            access = Access(
                "raw", server, self._plane.access.cert_file, self._plane.access.key_file, self._plane.access.ca_file
            )
            async with opened(access) as api:
                await asyncio.gather(*(api.call("GET", "/") for _ in range(self._callers)))  # the connections
                await self._pool("raw aiohttp GETs", READS, lambda _: api.call("GET", "/"))

    def memory(self) -> None:
        for name, pid in self._plane.pids.items():
            self._figures.memory.setdefault(name, []).append(memory_mb(pid))

    async def _watch_bindings(self, names: set[str], opening: asyncio.Event, all_bound: asyncio.Event) -> None:
        async for lines in self._api.lines(f"{PODS}?watch=true&resourceVersion=0", opening.set):
            for line in filter(None, lines):
                seen = _seen.decode(line).object
                if seen.spec.nodeName:
                    names.add(seen.metadata.name)
            if len(names) >= self._pods:
                all_bound.set()

    async def _pool(self, name: str, count: int, call: Callable[[int], Awaitable[Any]], *, callers: int | None = None) -> None:
        """call(0..count-1) by so many callers at once."""
        todo, latencies = iter(range(count)), self._figures.latencies.setdefault(name, [])

        async def work() -> None:
            for index in todo:
                started = time.perf_counter()
                await call(index)
                latencies.append((time.perf_counter() - started) * 1e3)

        with self._timed(name, count):
            await asyncio.gather(*(work() for _ in range(callers or self._callers)))

    @contextmanager
    def _timed(self, name: str, count: int) -> Iterator[None]:
        pid = self._plane.pids["apiserver"]
        processor, started = processor_s(pid), time.perf_counter()
        yield
        self._note_rate(name, count / (time.perf_counter() - started))
        self._figures.processor.setdefault(name, []).append((processor_s(pid) - processor) / count * 1e6)

    def _note_rate(self, name: str, rate: float) -> None:
        self._figures.rates.setdefault(name, []).append(rate)


class _Named(msgspec.Struct):
    name: str


class _Placed(msgspec.Struct):
    nodeName: str = ""  # noqa: N815 - as the API names it


class _Pod(msgspec.Struct):
    metadata: _Named
    spec: _Placed


class _Event(msgspec.Struct):
    object: _Pod


_seen = msgspec.json.Decoder(_Event)


def node(index: int) -> dict[str, Any]:
    """A Ready node, which no kubelet looks after."""
    size = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    moment = "2026-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "made up"}
    labels = {"kubernetes.io/hostname": f"node-{index}", "topology.kubernetes.io/zone": f"zone-{index % 3}"}
    conditions = [{**ready, "lastHeartbeatTime": moment, "lastTransitionTime": moment}]
    status = {"capacity": size, "allocatable": size, "conditions": conditions}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{index}", "labels": labels}, "status": status}


def pod(index: int) -> dict[str, Any]:
    """A small pod that may go to any node, tainted ones included."""
    resources = {"requests": {"cpu": "100m", "memory": "100Mi"}}
    container = {"name": "main", "image": "registry.local/coxswain/pause:1", "resources": resources}
    spec = {"containers": [container], "tolerations": [{"operator": "Exists"}]}
    meta = {"name": f"pod-{index}", "labels": {"app": "bench", "tenth": str(index % 10)}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def config_map(index: int) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"map-{index}"}, "data": {"text": "x" * 1000}}


def processor_s(pid: int) -> float:
    """The processor time that a process has taken, in all its threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mb(pid: int) -> tuple[float, float]:
    """VmRSS, and its proportional share (Pss), in which pages that processes share count once."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        values = {line.split(":")[0]: int(line.split()[1]) for line in file if line.endswith("kB\n")}
    return values["Rss"] / 1e3, values["Pss"] / 1e3


@contextmanager
def raw_server(access: Access, size_bytes: int) -> Iterator[str]:
    """The raw server with the certificate of the API server that it is compared with."""
    folder = os.path.dirname(access.cert_file)
    files = {"cert": f"{folder}/apiserver.crt", "key": f"{folder}/apiserver.key", "ca": access.ca_file}
    flags = [f"--{name}={file}" for name, file in files.items()]
    command = [sys.executable, "-m", "bench.raw_rest", *flags, f"--bytes={size_bytes}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"https://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def measure(plane: ControlPlane, figures: Figures, arguments: argparse.Namespace) -> None:
    async with opened(plane.access) as api:
        run = Run(plane, api, figures, arguments)
        await run.raw_puts()
        await run.writes()
        run.memory()
        await run.reads()
        await run.raw_gets()
        await run.fan_out()
        await run.deletes()


def report(figures: Figures) -> None:
    """Medians over the runs; the latencies are those of all operations of all runs."""
    print(f"{'':38}{'median/s':>10}{'best/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'API server µs':>15}")
    for name, rates in figures.rates.items():
        line = f"{name:38}{statistics.median(rates):10.0f}{max(rates):10.0f}"
        if latencies := sorted(figures.latencies.get(name, ())):
            line += f"{statistics.median(latencies):9.1f}{latencies[int(len(latencies) * 0.99)]:9.1f}"
        if (processor := figures.processor.get(name)) and not name.startswith("raw"):
            line = f"{line:76}{statistics.median(processor):15.0f}"
        print(line)
    print(f"pod creates / raw etcd puts: {figures.rate('pod creates') / figures.rate('raw etcd puts'):.3f}")
    print(f"GETs / raw aiohttp GETs: {figures.rate('GET') / figures.rate('raw aiohttp GETs'):.3f}")
    print(f"a pod to be created: {figures.sizes['pod']} bytes; the list: {figures.sizes['LIST'] / 1e6:.1f} MB")
    total = (0.0, 0.0)
    for name, values in figures.memory.items():
        resident, share = (statistics.median(each) for each in zip(*values, strict=True))
        total = (total[0] + resident, total[1] + share)
        print(f"memory of {name:28}{resident:6.0f} MB resident,{share:6.0f} MB proportional")
    print(f"memory of {'all':28}{total[0]:6.0f} MB resident,{total[1]:6.0f} MB proportional")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without-scheduler", action="store_true", help="neither scheduler nor controller manager are started")
    arguments = parser.parse_args()
    figures = Figures()
    for _ in range(arguments.runs):
        without = ("scheduler", "controller_manager") if arguments.without_scheduler else ()
        with throwaway_control_plane(without) as plane:
            uvloop.run(measure(plane, figures, arguments))
    report(figures)


if __name__ == "__main__":
    main()
