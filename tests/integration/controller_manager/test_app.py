"""The process as a whole: one of two leads, hands over, is fenced, and drains."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from apiclient.leaderelection import LeaderElector, LeadershipLostError
from apiclient.testing import FakeApi, fake_client
from apiclient.transport import Write
from apimachinery.codec import convert
from apimachinery.kinds import Deployment, Event, Lease, Namespace, Pod, ServiceAccount
from component_base.config import ConfigError, parse
from controller_manager.app import NAME, Leader
from controller_manager.config import ControllerManagerConfiguration
from controller_manager.shared.context import build_informers
from controller_manager.shared.custom import CustomKinds
from controller_manager.shared.metrics import Metrics
from tests.support.controllers import LoopClock

CONFIG = """
apiVersion: coxswain.dev/v1
kind: ControllerManagerConfiguration
client: {endpoints: ["127.0.0.1:6444"], caFile: ca, certFile: cert, keyFile: key}
leaderElection: {identity: cp-1}
"""


class Process:
    """A controller manager over an imitated API."""

    def __init__(self, api: FakeApi, identity: str) -> None:
        rng, clock = random.Random(identity), LoopClock()
        client = fake_client(api)
        self.api = api
        self.stop = asyncio.Event()
        self.registry = CollectorRegistry()
        self.informers = build_informers(client, rng)
        self.elector = LeaderElector(client, name=NAME, identity=identity, clock=clock, rng=rng)
        self.leader = Leader(
            parse(CONFIG, ControllerManagerConfiguration),
            client.fenced(self.elector.fence),
            self.informers,
            CustomKinds(client, self.informers.custom_resource_definitions, rng=rng),
            clock=clock,
            rng=rng,
            metrics=Metrics(self.registry),
            stop=self.stop,
        )
        self.feeds = [asyncio.create_task(each.run()) for each in self.informers.all()]
        self.task = asyncio.create_task(self.elector.run(self.leader.lead))

    async def end(self) -> None:
        for task in (self.task, *self.feeds):
            task.cancel()
        await asyncio.gather(self.task, *self.feeds, return_exceptions=True)


def namespace(name: str) -> Namespace:
    return convert(Namespace, {"metadata": {"name": name}})


def accounts(api: FakeApi) -> set[str]:
    return {each.metadata.namespace for each in api.objects(ServiceAccount)}


@pytest.mark.looptime
async def test_the_standby_takes_over_at_once_when_the_leader_stops_in_order() -> None:
    api = FakeApi(LoopClock())
    first = Process(api, "first")
    await asyncio.sleep(1)
    second = Process(api, "second")
    api.seed(namespace("a"))
    await asyncio.sleep(2)
    assert (first.elector.leading, second.elector.leading) == (True, False)
    assert accounts(api) == {"a"}
    first.stop.set()
    await first.task
    lease = api.find(Lease, NAME, "kube-system")
    assert lease is not None
    assert lease.spec.holder_identity == "", "given away"
    await first.end()
    await asyncio.sleep(1.5)
    api.seed(namespace("b"))
    await asyncio.sleep(0.1)
    assert second.elector.leading
    assert accounts(api) == {"a", "b"}
    await second.end()


@pytest.mark.looptime
async def test_every_write_carries_the_claim_and_a_deposed_leader_writes_nothing_more() -> None:
    api = FakeApi(LoopClock())
    process = Process(api, "first")
    template = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "w"}}, "template": template}
    api.seed(namespace("a"), convert(Deployment, {"metadata": {"name": "w", "namespace": "a"}, "spec": spec}))
    await asyncio.sleep(3)
    assert len(api.objects(Pod)) == 2
    unfenced = [write for write in api.writes if write.fence is None and write.name.resource.cls is not Lease]
    assert unfenced == []
    assert {each.reason for each in api.objects(Event)} == {"ScalingReplicaSet", "SuccessfulCreate"}
    lease = api.find(Lease, NAME, "kube-system")
    assert lease is not None
    lease.spec.holder_identity, lease.spec.lease_transitions = "usurper", 7
    api.put(lease)
    before = api.revision
    api.seed(namespace("b"))
    with pytest.raises((LeadershipLostError, ExceptionGroup)):
        await process.task
    assert accounts(api) == {"a"}
    assert api.revision == before + 1, "nothing but our own seed was written"
    await process.end()


@pytest.mark.looptime
async def test_draining_finishes_what_is_in_hand() -> None:
    api = FakeApi(LoopClock())
    process = Process(api, "first")
    await asyncio.sleep(1)
    finished: list[str] = []
    original = api.write

    async def slowly(write: Write) -> bytes:
        await asyncio.sleep(1)
        answer = await original(write)
        finished.append(write.name.resource.plural)
        return answer

    api.write = slowly  # type: ignore[method-assign]
    api.seed(namespace("a"))
    await asyncio.sleep(0.5)
    process.stop.set()
    await process.task
    assert "serviceaccounts" in finished
    await process.end()


@pytest.mark.looptime
async def test_metrics_tell_of_each_controller() -> None:
    api = FakeApi(LoopClock())
    process = Process(api, "first")
    api.seed(namespace("a"))
    await asyncio.sleep(1)
    text = generate_latest(process.registry).decode()
    assert 'workqueue_depth{name="garbage-collector"} 0.0' in text
    assert 'controller_reconcile_duration_seconds_count{controller="serviceaccount"}' in text
    await process.end()


def test_the_configuration_has_the_clusters_defaults(tmp_path: Path) -> None:
    config = parse(CONFIG, ControllerManagerConfiguration)
    assert (config.cluster_cidr, config.node_cidr_mask_size) == ("10.244.0.0/16", 24)
    assert (config.node_monitor_grace_period_seconds, config.unhealthy_fraction) == (4.0, 0.55)
    with pytest.raises(ConfigError, match="unhealthyFraction"):
        parse(CONFIG + "unhealthyFraction: 0\n", ControllerManagerConfiguration)
    with pytest.raises(ConfigError, match="nodeMonitorGracePeriodSeconds"):
        parse(CONFIG + "nodeMonitorGracePeriodSeconds: 0\n", ControllerManagerConfiguration)
