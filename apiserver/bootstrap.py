"""What must exist before anybody else can work: the cluster's own namespaces, the priority classes of its own pods, the
`kubernetes` Service with its endpoints, and what extension API servers need to recognise clients.

All of it goes through the handler chain as any request does, by the server's own user. What is there already is left as it
is, but for the endpoints, which always name this server's address, and the certificates that count."""

from collections.abc import Mapping

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.kinds import (
    ConfigMap,
    EndpointAddress,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Namespace,
    ObjectMeta,
    PriorityClass,
    Service,
    ServicePort,
    ServiceSpec,
    discovery,
    services,
)
from apimachinery.kinds.object import Object
from apimachinery.resources import TABLE
from apiserver.chain import Api
from apiserver.core.aggregation.identity import CONFIG_MAP, CONFIG_MAP_NAMESPACE
from apiserver.core.request import Document, Request, User, Verb
from apiserver.strategy.scheduling import SYSTEM_CLASSES

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVER = User("system:apiserver", ("system:masters",))
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def bootstrap(
    api: Api, *, service_address: str, advertise_address: str, port: int, authentication: Mapping[str, str]
) -> None:
    """Create what is missing; raises ApiError when the storage does not let it."""
    for name in NAMESPACES:
        await _ensure(api, Namespace(metadata=ObjectMeta(name=name)))
    for priority in priority_classes():
        await _ensure(api, priority)
    await _ensure(api, kubernetes_service(service_address, port))
    for obj in (kubernetes_endpoints(advertise_address, port), kubernetes_slice(advertise_address, port)):
        await _ensure(api, obj, replace=True)
    if authentication:
        await _ensure(api, authentication_config(authentication), replace=True)


def authentication_config(data: Mapping[str, str]) -> ConfigMap:
    """How extension API servers recognise this server and its clients."""
    return ConfigMap(metadata=ObjectMeta(name=CONFIG_MAP, namespace=CONFIG_MAP_NAMESPACE), data=dict(data))


def priority_classes() -> list[PriorityClass]:
    """The two classes that stand above all that users may make."""
    whose = {
        "system-cluster-critical": "Used for system critical pods that must run in the cluster, but can be moved to another "
        "node if necessary.",
        "system-node-critical": "Used for system critical pods that must not be moved from their current node.",
    }
    return [
        PriorityClass(metadata=ObjectMeta(name=name), value=value, description=whose[name])
        for name, value in SYSTEM_CLASSES.items()
    ]


def kubernetes_service(address: str, port: int) -> Service:
    """The Service by which pods reach the API."""
    return Service(
        metadata=ObjectMeta(name="kubernetes", namespace="default", labels=dict(_LABELS)),
        spec=ServiceSpec(
            type="ClusterIP",
            cluster_ip=address,
            cluster_ips=[address],
            ports=[ServicePort(name="https", protocol="TCP", port=443, target_port=port)],
            session_affinity="None",
        ),
    )


def kubernetes_endpoints(address: str, port: int) -> Endpoints:
    return Endpoints(
        metadata=ObjectMeta(name="kubernetes", namespace="default", labels={"endpointslice.kubernetes.io/skip-mirror": "true"}),
        subsets=[
            EndpointSubset(
                addresses=[EndpointAddress(ip=address)],
                ports=[services.EndpointPort(name="https", port=port, protocol="TCP")],
            )
        ],
    )


def kubernetes_slice(address: str, port: int) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name="kubernetes", namespace="default", labels={"kubernetes.io/service-name": "kubernetes"}),
        address_type="IPv4",
        endpoints=[discovery.Endpoint(addresses=[address], conditions=discovery.EndpointConditions(ready=True))],
        ports=[discovery.EndpointPort(name="https", port=port, protocol="TCP")],
    )


async def _ensure(api: Api, obj: Object, *, replace: bool = False) -> None:
    meta = obj.metadata
    resource = TABLE.for_class(type(obj))
    request = Request(
        verb=Verb.GET, resource=resource, user=SERVER, namespace=meta.namespace, name=meta.name, agent="apiserver"
    )
    try:
        found = await api.handle(request)
    except ApiError as error:
        if not errors.is_not_found(error):
            raise
        create = msgspec.structs.replace(request, verb=Verb.CREATE, name="", body=codec.encode(obj))
        try:
            await api.handle(create)
        except ApiError as lost:
            if not errors.is_already_exists(lost):
                raise  # another API server was faster: as good
        return
    if replace and isinstance(found, Document):
        await api.handle(msgspec.structs.replace(request, verb=Verb.UPDATE, body=codec.encode(obj)))
