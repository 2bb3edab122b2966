"""The scheduler's process: builds the parts, leads when it holds the lease, stops in order."""

import asyncio
import random
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from apiclient.events import EventRecorder
from apiclient.informer import Informer
from apimachinery.clock import SystemClock
from apimachinery.kinds import Namespace, Node, Pod
from component_base import notify, run
from component_base.connection import new_client, new_elector
from component_base.health import HealthServer
from component_base.tasks import forever
from scheduler.config import SchedulerConfiguration
from scheduler.core.evaluate import Evaluator
from scheduler.loops import POD_FIELD_SELECTOR, Metrics, Scheduler

SYNC_TIMEOUT_S = 60.0


async def serve(config: SchedulerConfiguration, stop: asyncio.Event) -> None:
    """Run until `stop`; raises when the lease is lost or a part fails."""
    clock, rng = SystemClock(), random.Random(config.seed)
    registry = CollectorRegistry()
    client = new_client(config.client, field_manager="scheduler")
    elector = new_elector(config.leader_election, client, name="kube-scheduler", clock=clock, rng=rng)
    fenced = client.fenced(elector.fence)
    pods = Informer(client, Pod, rng=rng, field_selector=POD_FIELD_SELECTOR)
    nodes = Informer(client, Node, rng=rng)
    namespaces = Informer(client, Namespace, rng=rng)
    recorder = EventRecorder(client, component=config.scheduler_name, clock=clock, rng=rng)
    scheduler = Scheduler(
        fenced,
        pods=pods,
        nodes=nodes,
        namespaces=namespaces,
        evaluator=Evaluator(rng),
        recorder=recorder,
        clock=clock,
        metrics=Metrics(registry),
        scheduler_name=config.scheduler_name,
    )
    informers: Sequence[Informer[Pod] | Informer[Node] | Informer[Namespace]] = (nodes, namespaces, pods)
    async with HealthServer(config.health, {"ping": lambda: None}, registry), asyncio.TaskGroup() as group:
        tasks = [group.create_task(forever(each.run(), each.kind), name=f"informer/{each.kind}") for each in informers]
        tasks.append(group.create_task(forever(recorder.run(), "events"), name="events"))
        async with asyncio.timeout(SYNC_TIMEOUT_S):
            for informer in informers:
                await informer.synced.wait()
        leading = group.create_task(forever(elector.run(scheduler.run), "leading"), name="leading")
        notify.ready()
        await stop.wait()
        leading.cancel()
        await asyncio.wait((leading,))
        for task in tasks:
            task.cancel()
    await client.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scheduler with `--config FILE`; the exit code."""
    return run.main("scheduler", SchedulerConfiguration, serve, argv)
