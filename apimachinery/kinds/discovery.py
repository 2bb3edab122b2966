"""EndpointSlices (group discovery.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Merge, constant, required_list
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import ObjectReference


class EndpointConditions(Base):
    """discovery/v1.EndpointConditions"""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForNode(Base):
    """discovery/v1.ForNode"""

    name: str = msgspec.field(default_factory=str)


class ForZone(Base):
    """discovery/v1.ForZone"""

    name: str = msgspec.field(default_factory=str)


class EndpointHints(Base):
    """discovery/v1.EndpointHints"""

    for_nodes: Annotated[list[ForNode], Merge(list_type="atomic")] = []
    for_zones: Annotated[list[ForZone], Merge(list_type="atomic")] = []


class Endpoint(Base):
    """discovery/v1.Endpoint"""

    addresses: Annotated[list[str], Merge(list_type="set")] = msgspec.field(default_factory=required_list)
    conditions: EndpointConditions | None = None
    deprecated_topology: dict[str, str] = {}
    hints: EndpointHints | None = None
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None
    zone: str = ""


class EndpointPort(Base):
    """discovery/v1.EndpointPort"""

    name: str = ""
    app_protocol: str = ""
    port: Int32 | None = None
    protocol: str = ""


class EndpointSlice(Object):
    """discovery/v1.EndpointSlice

    Some of the addresses behind a Service.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("discovery.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("EndpointSlice"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    address_type: str = msgspec.field(default_factory=str)
    endpoints: Annotated[list[Endpoint], Merge(list_type="atomic")] = []
    ports: Annotated[list[EndpointPort], Merge(list_type="atomic")] = []
