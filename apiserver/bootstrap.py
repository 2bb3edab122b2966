"""What must exist before anybody else can work: the cluster's own namespaces, with the accounts of pods in them where pods need
one; the priority classes of its own pods; the default roles and who holds them; the `kubernetes` Service with its endpoints;
and what extension API servers need to recognise clients.

All of it goes through the handler chain as any request does, by the server's own user. What is there already is left as it
is, but for the endpoints, which always name this server's address, the certificates that count, and default roles and bindings
that have lost something of what they need, unless their annotation `rbac.authorization.kubernetes.io/autoupdate` is "false"."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    ConfigMap,
    EndpointAddress,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Namespace,
    ObjectMeta,
    PriorityClass,
    Role,
    RoleBinding,
    Service,
    ServiceAccount,
    ServicePort,
    ServiceSpec,
    discovery,
    services,
)
from apimachinery.kinds.object import Object
from apimachinery.resources import TABLE
from apimachinery.service_accounts import DEFAULT
from apiserver.chain import Api
from apiserver.core import default_roles
from apiserver.core.aggregation.identity import CONFIG_MAP, CONFIG_MAP_NAMESPACE
from apiserver.core.request import MASTERS, Document, Request, User, Verb
from apiserver.strategy.scheduling import SYSTEM_CLASSES

log = logging.getLogger(__name__)

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVER = User("system:apiserver", (MASTERS,))
AnyRole = TypeVar("AnyRole", Role, ClusterRole)
AnyBinding = TypeVar("AnyBinding", RoleBinding, ClusterRoleBinding)
_MENDED_BY_PEOPLE = (400, 403, 500)
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def bootstrap(
    api: Api,
    *,
    service_address: str,
    advertise_address: str,
    port: int,
    authentication: Mapping[str, str],
    accounts: bool = False,
) -> None:
    """Create what is missing; raises ApiError when the storage does not let it."""
    async with asyncio.TaskGroup() as group:  # the storage commits what comes together as one
        for name in NAMESPACES:
            group.create_task(_ensure(api, Namespace(metadata=ObjectMeta(name=name))))
        for priority in priority_classes():
            group.create_task(_ensure(api, priority))
        for role in default_roles.cluster_roles():
            group.create_task(_ensure(api, role, completed=_completed_role))
        for binding in default_roles.cluster_role_bindings():
            group.create_task(_ensure(api, binding, completed=_completed_binding))
    async with asyncio.TaskGroup() as group:  # these need their namespace
        for name in NAMESPACES if accounts else ():
            group.create_task(_ensure(api, ServiceAccount(metadata=ObjectMeta(name=DEFAULT, namespace=name))))
        for local_role in default_roles.roles():
            group.create_task(_ensure(api, local_role, completed=_completed_role))
        for local_binding in default_roles.role_bindings():
            group.create_task(_ensure(api, local_binding, completed=_completed_binding))
        group.create_task(_ensure(api, kubernetes_service(service_address, port)))
        for obj in (kubernetes_endpoints(advertise_address, port), kubernetes_slice(advertise_address, port)):
            group.create_task(_ensure(api, obj, completed=lambda _, wanted: wanted))
        if authentication:
            config = authentication_config(authentication)
            group.create_task(_ensure(api, config, completed=lambda _, wanted: wanted))


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


async def _ensure(api: Api, obj: Object, *, completed: "Completing | None" = None) -> None:
    """Create or complete an object; where that fails for what stands in its way in storage, the server does without.

    What cannot be read, or is refused by what cannot be read or by a quota, has to be mended by people, who need a running
    server for it.
    """
    try:
        await _make(api, obj, completed)
    except ApiError as error:
        if error.code not in _MENDED_BY_PEOPLE:
            raise
        where = {"kind": obj.kind, "namespace": obj.metadata.namespace, "object": obj.metadata.name}
        log.error("an object of the cluster's own is not as it should be", extra={**where, "error": error.status.message})


async def _make(api: Api, obj: Object, completed: "Completing | None") -> None:
    """Create an object that is missing; `completed` makes of one that is there and the wanted one what is to replace it."""
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
    if completed is None or not isinstance(found, Document):
        return
    changed = completed(codec.decode(type(obj), found.body), obj)
    if changed is None:
        return
    try:
        await api.handle(msgspec.structs.replace(request, verb=Verb.UPDATE, body=codec.encode(changed)))
    except ApiError as error:
        if not errors.is_conflict(error):
            raise  # else another API server does the same at this moment


Completing = Callable[[Any, Any], Object | None]


def _completed_role(found: AnyRole, wanted: AnyRole) -> AnyRole | None:
    """A default role with the rules it lacks, None when it lacks none or wants to be left alone."""
    if not default_roles.updates_itself(found.metadata):
        return None
    rules = default_roles.completed_rules(found.rules, wanted.rules)
    return None if rules is None else msgspec.structs.replace(found, rules=rules)


def _completed_binding(found: AnyBinding, wanted: AnyBinding) -> AnyBinding | None:
    """The same for the subjects of a default binding."""
    if not default_roles.updates_itself(found.metadata):
        return None
    subjects = default_roles.completed_subjects(found.subjects, wanted.subjects)
    return None if subjects is None else msgspec.structs.replace(found, subjects=subjects)
