"""The kubelet's process: builds the real adapters from the configuration and serves.

python -m kubelet --config FILE
"""

import asyncio
import os
import random
from collections.abc import Sequence

from apimachinery.clock import SystemClock
from component_base import notify, run
from component_base.connection import new_client
from component_base.health import HealthServer
from kubelet.adapters.cgroupfs import CgroupTree
from kubelet.adapters.cri import CriRuntime
from kubelet.adapters.filesystem import NodeFilesystem
from kubelet.adapters.log_files import LogFiles
from kubelet.adapters.machine import LocalMachine, read_machine, read_resolver
from kubelet.adapters.netlink import NodeNetwork
from kubelet.adapters.pod_dialer import dial
from kubelet.adapters.probing import NetworkProbes
from kubelet.adapters.spdy import SpdyStreams
from kubelet.config import KubeletConfiguration
from kubelet.core.node import NodeIdentity, allocatable
from kubelet.core.sandboxes import NodeFacts
from kubelet.door import NodeAddresses, NodeServer, NodeService
from kubelet.kubelet import Kubelet, Options, Ports
from kubelet.loops.kit import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped; the exit code."""
    return run.main("kubelet", KubeletConfiguration, serve, argv)


async def serve(config: KubeletConfiguration, stop: asyncio.Event) -> None:
    """Be the kubelet of one node until `stop`."""
    clock, rng = SystemClock(), random.Random()
    os.makedirs(config.root_directory, 0o750, exist_ok=True)
    machine = read_machine(config.root_directory)
    identity = NodeIdentity(
        name=config.node_name,
        ip=config.node_ip,
        port=config.serving.port,
        max_pods=config.max_pods,
        labels=config.node_labels,
        taints=[(each.key, each.value, each.effect) for each in config.register_with_taints],
    )
    settings = Settings(
        node_name=config.node_name,
        node_ip=config.node_ip,
        facts=NodeFacts(
            cluster_dns=tuple(config.cluster_dns),
            cluster_domain=config.cluster_domain,
            node_resolver=read_resolver(),
            seccomp_directory=f"{config.root_directory}/seccomp",
        ),
        pod_logs_directory=config.pod_logs_directory,
        cgroup_root=config.cgroup_root,
        memory_bytes=machine.memory_bytes,
        allocatable=allocatable(identity, machine),
    )
    options = Options(
        identity=identity,
        machine=machine,
        lease_duration_s=config.lease_duration_seconds,
        lease_renew_s=config.lease_renew_seconds,
        state_directory=f"{config.root_directory}/network",
        program_routes=config.node_routes,
    )
    runtime = CriRuntime(config.runtime_endpoint)
    machinery, logs = LocalMachine(config.root_directory), LogFiles(config.pod_logs_directory)
    ports = Ports(
        runtime=runtime,
        filesystem=NodeFilesystem(config.root_directory, config.pod_logs_directory, clock),
        cgroups=CgroupTree(),
        network=NodeNetwork(config.cni_config_directory),
        probes=NetworkProbes(),
        machinery=machinery,
        logs=logs,
    )
    client = new_client(config.client, field_manager="kubelet")
    kubelet = Kubelet(client, ports, settings, options, clock, rng)
    addresses = NodeAddresses(config.node_ip, config.health.address, config.health.port)
    service = NodeService(kubelet.manager, runtime, SpdyStreams(runtime), logs, dial, machinery, clock, addresses=addresses)
    checks = {"runtime": lambda: None if kubelet.health.health.runtime_ready else "container runtime is down"}
    try:
        async with HealthServer(config.health, checks), NodeServer(config.serving, service):
            await _until(stop, kubelet)
    finally:
        await client.close()
        await runtime.close()


async def _until(stop: asyncio.Event, kubelet: Kubelet) -> None:
    """Run the kubelet until `stop`; its failure is ours."""
    running = asyncio.create_task(kubelet.run(), name="kubelet")
    telling = asyncio.create_task(_tell_ready(kubelet), name="notify")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
    finally:
        for task in (running, telling, stopping):
            task.cancel()
        await asyncio.gather(running, telling, stopping, return_exceptions=True)


async def _tell_ready(kubelet: Kubelet) -> None:
    await kubelet.ready.wait()
    notify.ready()
