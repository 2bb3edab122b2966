"""A Service with one pod behind it, on a node whose kubelet is a fake one: what controllers and a scheduler would have made."""

from __future__ import annotations

from apiclient.client import Client
from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.kinds import (
    Container,
    DaemonEndpoint,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    Node,
    NodeAddress,
    NodeDaemonEndpoints,
    NodeStatus,
    ObjectMeta,
    ObjectReference,
    Pod,
    PodSpec,
    Service,
    ServicePort,
    ServiceSpec,
)
from apimachinery.resources import ENDPOINTS
from tests.support.apiserver import RunningServer

NODE = "n1"


async def one_pod_service(
    server: RunningServer, name: str, *, kubelet_port: int, port: int, target_port: int, ready: bool = True
) -> None:
    """Service, pod and Endpoints called `name` in `default`, and node n1, with this kubelet, if it is not there yet."""
    client = Client(server.transport())
    try:
        await kubelet_node(client, kubelet_port)
        meta = ObjectMeta(name=name, namespace="default")
        await client.create(Service(metadata=meta, spec=ServiceSpec(ports=[ServicePort(name="https", port=port)])))
        spec = PodSpec(containers=[Container(name="c", image="registry.local/busybox:1")], node_name=NODE)
        await client.create(Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
        target = ObjectReference(kind="Pod", namespace="default", name=name)
        address = [EndpointAddress(ip="10.244.0.9", target_ref=target)]
        subset = EndpointSubset(
            addresses=address if ready else [],
            not_ready_addresses=[] if ready else address,
            ports=[EndpointPort(name="https", port=target_port)],
        )
        await client.create(Endpoints(metadata=ObjectMeta(name=name, namespace="default"), subsets=[subset]))
    finally:
        await client.close()
    await server.assembly.caches[ENDPOINTS].catch_up()


async def kubelet_node(client: Client, kubelet_port: int) -> None:
    """Node n1, if it is not there yet, whose kubelet listens on a port of 127.0.0.1."""
    try:
        made = await client.create(Node(metadata=ObjectMeta(name=NODE)))
    except ApiError as error:
        if errors.is_already_exists(error):
            return
        raise
    made.status = NodeStatus(
        addresses=[NodeAddress(type="InternalIP", address="127.0.0.1")],
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=kubelet_port)),
    )
    await client.update_status(made)
