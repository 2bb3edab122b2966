"""All controllers against the API server's own handler chain (defaults, validation, admission, fences), in virtual time.

Kubelets and scheduler are played: pods are placed, become Running and Ready, and end when they are deleted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from apiclient.client import Client, PatchType, PodBinding
from apiclient.leaderelection import LeaderElector
from apiclient.transport import Name, Verb, Write
from apimachinery import codec
from apimachinery.codec import convert
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import (
    ConfigMap,
    Deployment,
    Endpoints,
    EndpointSlice,
    Eviction,
    Lease,
    LeaseSpec,
    Namespace,
    Node,
    Object,
    ObjectMeta,
    Pod,
    PodDisruptionBudget,
    ReplicaSet,
    ResourceQuota,
    Service,
    ServiceAccount,
)
from apimachinery.resources import PODS
from apimachinery.times import format_micro_time
from component_base.config import parse
from controller_manager.app import NAME, Leader
from controller_manager.config import ControllerManagerConfiguration
from controller_manager.node_lifecycle.controller import LEASE_NAMESPACE
from controller_manager.shared.context import build_informers
from controller_manager.shared.custom import CustomKinds
from controller_manager.shared.metrics import Metrics
from tests.support.controllers import LoopClock, ready_node, running
from tests.support.inprocess import InProcessTransport, in_process_api

pytestmark = pytest.mark.looptime


class Cluster:
    """The API server, the controllers, and nodes that are played."""

    def __init__(self, transport: InProcessTransport, clock: LoopClock) -> None:
        self.client = Client(transport)
        self.transport = transport
        self.clock = clock
        self.nodes: list[str] = []
        self.dead: set[str] = set()
        self.unwell: Callable[[Pod], bool] = lambda pod: False
        self._turn = 0

    async def add_node(self, name: str) -> None:
        node = ready_node(name, self.clock.now())
        status = codec.deep_copy(node).status
        made = await self.client.create(node)
        made.status = status
        await self.client.update_status(made)
        await self.client.create(Lease(metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE), spec=LeaseSpec()))
        self.nodes.append(name)

    async def kubelets(self) -> None:
        renewed_at = 0.0
        while True:
            now = self.clock.monotonic()
            if now - renewed_at >= 1:
                renewed_at = now
                for name in self.nodes:
                    if name not in self.dead:
                        await self._renew(name)
            for pod in (await self.client.list(Pod)).items:
                try:
                    await self._tend(pod)
                except ApiError as error:
                    if not is_conflict(error) and not is_not_found(error):
                        raise
            await asyncio.sleep(0.05)

    async def _renew(self, name: str) -> None:
        renew = {"spec": {"renewTime": format_micro_time(self.clock.now())}}
        await self.client.patch(Lease, name, LEASE_NAMESPACE, patch=renew)
        node = await self.client.get(Node, name)
        if any(each.type == "Ready" and each.status != "True" for each in node.status.conditions):
            node.status.conditions = ready_node(name, self.clock.now()).status.conditions
            await self.client.update_status(node)

    async def _tend(self, pod: Pod) -> None:
        meta = pod.metadata
        if not pod.spec.node_name:
            alive = [name for name in self.nodes if name not in self.dead]
            self._turn += 1
            binding = PodBinding(meta.namespace, meta.name, meta.uid, alive[self._turn % len(alive)])
            await self.client.bind([binding])
        elif pod.spec.node_name in self.dead:
            return
        elif meta.deletion_timestamp is not None:
            await self.client.delete(Pod, meta.name, meta.namespace, uid=meta.uid, grace_period_seconds=0)
        else:
            before = codec.encode(pod.status)
            reported = running(pod, self.clock.now(), ready=not self.unwell(pod))
            if codec.encode(reported.status) != before:
                await self.client.update_status(reported)

    async def evict(self, pod: Pod) -> bool:
        """False when a budget forbids it for now."""
        name = Name(PODS, pod.metadata.namespace, pod.metadata.name, "eviction")
        try:
            await self.transport.write(Write(Verb.CREATE, name, codec.encode(Eviction())))
        except ApiError as error:
            if error.code != 429:
                raise
            return False
        return True

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> float:
        began = self.clock.monotonic()
        while not await condition():
            assert self.clock.monotonic() - began < timeout_s, f"not within {timeout_s:g} s"
            await asyncio.sleep(0.02)
        return self.clock.monotonic() - began

    async def names(self, *kinds: type[Object], namespace: str = "default") -> list[str]:
        return sorted([each.metadata.name for kind in kinds for each in (await self.client.list(kind, namespace)).items])

    async def complete(self, name: str = "web") -> bool:
        wanted = await self.client.get(Deployment, name, "default")
        status = wanted.status
        return (
            status.observed_generation == wanted.metadata.generation
            and status.updated_replicas == status.replicas == status.available_replicas == wanted.spec.replicas
            and any(each.reason == "NewReplicaSetAvailable" for each in status.conditions)
        )

    async def serving(self, name: str = "web") -> tuple[list[str], list[str]]:
        """Ready pods by the Service's slices, and by its Endpoints."""
        listed = await self.client.list(EndpointSlice, "default", label_selector=f"kubernetes.io/service-name={name}")
        points = [point for each in listed.items for point in each.endpoints if point.conditions and point.conditions.ready]
        endpoints = await self.client.get(Endpoints, name, "default")
        plain = [address for subset in endpoints.subsets for address in subset.addresses]
        return (
            sorted(each.target_ref.name for each in points if each.target_ref),
            sorted(each.target_ref.name for each in plain if each.target_ref),
        )


@asynccontextmanager
async def cluster(tmp_path: Path, *nodes: str) -> AsyncIterator[Cluster]:
    clock, rng = LoopClock(), random.Random(7)
    ca = tmp_path / "ca.crt"
    ca.write_text("PEM")
    config = parse(
        f"""
        apiVersion: coxswain.dev/v1
        kind: ControllerManagerConfiguration
        client: {{endpoints: [unused], caFile: unused, certFile: unused, keyFile: unused}}
        leaderElection: {{identity: cp-1}}
        rootCaFile: {ca}
        """,
        ControllerManagerConfiguration,
    )
    async with in_process_api(clock=clock, rng=rng) as assembly:
        transport = InProcessTransport(assembly.api, table=assembly.table)
        client = Client(transport)
        elector = LeaderElector(client, name=NAME, identity="cp-1", clock=clock, rng=rng)
        informers, stop = build_informers(client, rng), asyncio.Event()
        custom = CustomKinds(client, informers.custom_resource_definitions, rng=rng)
        leader = Leader(
            config,
            client.fenced(elector.fence),
            informers,
            custom,
            clock=clock,
            rng=rng,
            metrics=Metrics(CollectorRegistry()),
            stop=stop,
        )
        world = Cluster(transport, clock)
        for name in nodes:
            await world.add_node(name)
        tasks = [asyncio.create_task(each.run()) for each in (*informers.all(), custom)]
        for informer in informers.all():
            await informer.synced.wait()
        tasks += [asyncio.create_task(elector.run(leader.lead)), asyncio.create_task(world.kubelets())]
        try:
            yield world
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def web(replicas: int = 3, image: str = "registry.local/web:1") -> Sequence[Object]:
    deployment = convert(
        Deployment,
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "containers": [{"name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}]
                    },
                },
            },
        },
    )
    ports = [{"port": 80, "targetPort": "http"}]
    service = convert(
        Service,
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}, "ports": ports}},
    )
    return deployment, service


async def test_an_app_from_its_manifest_to_its_end(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b") as world:
        client = world.client
        for obj in web():
            await client.create(obj)
        await world.until(world.complete)
        pods = await world.names(Pod)
        assert len(pods) == 3

        async def served() -> bool:
            return await world.serving() == (pods, pods)

        assert await world.until(served) <= 0.2
        (found,) = (await client.list(EndpointSlice, "default", label_selector="kubernetes.io/service-name=web")).items
        assert [(each.port, each.protocol) for each in found.ports] == [(8080, "TCP")]

        await client.patch(Deployment, "web", "default", patch={"spec": {"replicas": 10}})
        await world.until(world.complete)
        assert len(await world.names(Pod)) == 10

        image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.local/web:2"}]}}}}
        await client.patch(Deployment, "web", "default", patch=image, patch_type=PatchType.STRATEGIC)
        await world.until(world.complete)
        sets = (await client.list(ReplicaSet, "default")).items
        assert sorted((rs.spec.replicas, rs.metadata.annotations["deployment.kubernetes.io/revision"]) for rs in sets) == [
            (0, "1"),
            (10, "2"),
        ]
        await client.delete(Deployment, "web", "default", propagation_policy="Foreground")
        await client.delete(Service, "web", "default")

        async def gone() -> bool:
            left = await world.names(Deployment, ReplicaSet, Pod)
            slices = [each.metadata.name for each in (await client.list(EndpointSlice, "default")).items]
            return not left and slices == ["kubernetes"] and await world.names(Endpoints) == ["kubernetes"]

        await world.until(gone)


async def test_a_rolling_update_keeps_its_bounds(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b") as world:
        client = world.client
        for obj in web(8):
            await client.create(obj)
        await world.until(world.complete)
        fewest, most = 99, 0

        async def watch() -> None:
            nonlocal fewest, most
            while True:
                pods = [each for each in (await client.list(Pod, "default")).items if not each.metadata.deletion_timestamp]
                ready = [each for each in pods if any(c.type == "Ready" and c.status == "True" for c in each.status.conditions)]
                fewest, most = min(fewest, len(ready)), max(most, len(pods))
                await asyncio.sleep(0.005)

        watching = asyncio.create_task(watch())
        image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.local/web:2"}]}}}}
        await client.patch(Deployment, "web", "default", patch=image, patch_type=PatchType.STRATEGIC)
        await world.until(world.complete)
        watching.cancel()
        assert fewest >= 6
        assert most <= 10


async def test_pods_of_a_lost_node_run_elsewhere_within_twelve_seconds(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b", "c") as world:
        for obj in web(6):
            await world.client.create(obj)
        await world.until(world.complete)
        await asyncio.sleep(15)
        world.dead.add("b")

        async def out_of_service() -> bool:
            on_b = {each.metadata.name for each in (await world.client.list(Pod)).items if each.spec.node_name == "b"}
            return not on_b & set((await world.serving())[0])

        assert await world.until(out_of_service) <= 4.6

        async def elsewhere() -> bool:
            names, _ = await world.serving()
            pods = {each.metadata.name: each for each in (await world.client.list(Pod)).items}
            return len(names) == 6 and all(pods[name].spec.node_name != "b" for name in names)

        assert await world.until(elsewhere) <= 7
        world.dead.clear()

        async def tidy() -> bool:
            node = await world.client.get(Node, "b")
            return node.spec.taints == [] and len(await world.names(Pod)) == 6

        await world.until(tidy)


async def test_namespaces_come_furnished_and_go_empty(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a") as world:
        client = world.client
        await client.create(convert(Namespace, {"metadata": {"name": "team"}}))

        async def furnished() -> bool:
            return await world.names(ServiceAccount, ConfigMap, namespace="team") == ["default", "kube-root-ca.crt"]

        assert await world.until(furnished) <= 1.0
        for obj in web(4):
            obj.metadata.namespace = "team"
            await client.create(obj)

        async def running_pods() -> bool:
            return len(await world.names(Pod, namespace="team")) == 4

        await world.until(running_pods)
        await client.delete(Namespace, "team")

        async def gone() -> bool:
            try:
                await client.get(Namespace, "team")
            except ApiError as error:
                return is_not_found(error)
            return False

        await world.until(gone)
        kinds = (Deployment, ReplicaSet, Pod, Service, Endpoints, EndpointSlice, ServiceAccount, ConfigMap)
        assert await world.names(*kinds, namespace="team") == []
        assert "default" in [each.metadata.name for each in (await client.list(Namespace)).items]


async def test_nodes_get_pod_cidrs(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b", "c") as world:

        async def assigned() -> bool:
            cidrs = [node.spec.pod_cidr for node in (await world.client.list(Node)).items]
            return sorted(cidrs) == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]

        await world.until(assigned)


async def test_an_impatient_drain_stays_within_the_budget(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b") as world:
        client = world.client
        for obj in web(6):
            await client.create(obj)
        spec = {"maxUnavailable": "30%", "selector": {"matchLabels": {"app": "web"}}}
        meta = {"name": "web", "namespace": "default"}
        await client.create(convert(PodDisruptionBudget, {"metadata": meta, "spec": spec}))
        await world.until(world.complete)

        async def allows() -> bool:
            status = (await client.get(PodDisruptionBudget, "web", "default")).status
            counts = (status.current_healthy, status.desired_healthy, status.expected_pods, status.disruptions_allowed)
            return counts == (6, 4, 6, 2) and not status.disrupted_pods

        await world.until(allows)
        left = {each.metadata.uid: each for each in (await client.list(Pod, "default")).items}
        rounds = 0

        async def drained() -> bool:
            nonlocal rounds
            rounds += 1
            asked = list(left.values())
            for pod, granted in zip(asked, await asyncio.gather(*map(world.evict, asked)), strict=True):
                if granted:
                    del left[pod.metadata.uid]
            serving = [each for each in (await client.list(Pod, "default")).items if may_count(each)]
            assert len(serving) >= 4, f"only {len(serving)} of 6 pods serve"
            return not left

        await world.until(drained)
        assert rounds >= 3
        await world.until(allows)


def may_count(pod: Pod) -> bool:
    """Whether the pod serves and is to go on serving."""
    ready = any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
    return ready and pod.metadata.deletion_timestamp is None


async def test_a_quota_is_kept_and_given_back(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a") as world:
        client = world.client

        def told(**wanted: str) -> Callable[[], Any]:
            async def is_told() -> bool:
                return (await client.get(ResourceQuota, "q", "default")).status.used == wanted

            return is_told

        hard = {"pods": "2", "count/jobs.batch": "1", "configmaps": "3"}
        await client.create(convert(ResourceQuota, {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": hard}}))
        maps = {"configmaps": "1"}  # the cluster's certificate
        await world.until(told(pods="0", **{"count/jobs.batch": "0"}, **maps))
        deployment, _ = web(4)
        await client.create(deployment)
        full = told(pods="2", **{"count/jobs.batch": "0"}, **maps)
        await world.until(full)
        await asyncio.sleep(5)
        first, second = await world.names(Pod)

        await client.delete(Pod, first, "default", grace_period_seconds=0)

        async def replaced() -> bool:
            names = await world.names(Pod)
            assert len(names) <= 2
            return len(names) == 2 and first not in names and second in names

        await world.until(replaced)
        await world.until(full)

        with pytest.raises(ApiError, match="already exists"):  # charged in vain, and given back
            await client.create(ConfigMap(metadata=ObjectMeta(name="kube-root-ca.crt", namespace="default")))
        await world.until(told(pods="2", configmaps="2", **{"count/jobs.batch": "0"}), 1)
        await world.until(full, 5)

        await client.delete(Deployment, "web", "default")
        await world.until(told(pods="0", **{"count/jobs.batch": "0"}, **maps))
