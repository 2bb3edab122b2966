"""Where requests for an aggregated API go: what of an APIService matters to whoever carries them."""

import base64
from collections.abc import Iterable, Mapping

import msgspec

from apimachinery.kinds import APIService, APIServiceReference
from apiserver.core.aggregation.availability import is_available
from apiserver.core.aggregation.ordering import GroupVersion, Priority, default_priority

PORT = 443


class Servers(msgspec.Struct, frozen=True):
    """The servers of an API: a port of a Service, and how they are recognised.

    ca_bundle: PEM certificates that theirs must be signed by; empty for those that this machine trusts. insecure: they are not
    recognised at all.
    """

    namespace: str
    service: str
    port: int = PORT
    ca_bundle: bytes = b""
    insecure: bool = False

    @property
    def host(self) -> str:
        """The name that their certificate must be for."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def origin(self) -> str:
        return f"https://{self.host}:{self.port}"


class Route(msgspec.Struct, frozen=True):
    """An APIService that names a Service. `uid` tells it from another one of its name."""

    name: str
    uid: str
    group: str
    version: str
    servers: Servers
    available: bool

    @property
    def path(self) -> str:
        """What is below it belongs to these servers."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def group_version(self) -> GroupVersion:
        return self.group, self.version


def route_of(api_service: APIService) -> Route | None:
    """None for what this server serves itself."""
    meta, spec = api_service.metadata, api_service.spec
    if spec.service is None:
        return None
    servers = Servers(
        spec.service.namespace,
        spec.service.name,
        spec.service.port or PORT,
        base64.b64decode(spec.ca_bundle),
        spec.insecure_skip_tls_verify,
    )
    return Route(meta.name, meta.uid, spec.group, spec.version, servers, is_available(api_service.status.conditions))


def reference_of(servers: Servers) -> APIServiceReference:
    return APIServiceReference(namespace=servers.namespace, name=servers.service, port=servers.port)


def priorities(served: Iterable[GroupVersion], api_services: Iterable[APIService]) -> Mapping[GroupVersion, Priority]:
    """Of all that is listed: what this server serves, and what others serve for it."""
    found = {each: default_priority(*each) for each in served}
    for each in api_services:
        spec = each.spec
        if spec.service is not None or (spec.group, spec.version) in found:
            found[spec.group, spec.version] = Priority(spec.group_priority_minimum, spec.version_priority)
    return found
