"""APIServices (group apiregistration.k8s.io/v1): who serves the API of a group and version."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Merge, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class ServiceReference(Base):
    """apiregistration/v1.ServiceReference

    The Service that leads to the servers of the group and version.
    """

    name: str = ""
    namespace: str = ""
    port: Int32 | None = None


class APIServiceSpec(Base):
    """apiregistration/v1.APIServiceSpec

    Who serves the group and version, how it is recognised, and where it stands among the others.
    """

    ca_bundle: Annotated[str, Merge(list_type="atomic")] = ""
    group: str = ""
    group_priority_minimum: Int32 = msgspec.field(default_factory=int)
    insecure_skip_tls_verify: bool = msgspec.field(name="insecureSkipTLSVerify", default=False)
    service: ServiceReference | None = None
    version: str = ""
    version_priority: Int32 = msgspec.field(default_factory=int)


class APIServiceCondition(Base):
    """apiregistration/v1.APIServiceCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class APIServiceStatus(Base):
    """apiregistration/v1.APIServiceStatus"""

    conditions: Annotated[
        list[APIServiceCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []


class APIService(Object):
    """apiregistration/v1.APIService

    The API of one group and version: served by this server itself, or by servers behind a Service.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("apiregistration.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("APIService"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: APIServiceSpec = msgspec.field(default_factory=APIServiceSpec)
    status: APIServiceStatus = msgspec.field(default_factory=APIServiceStatus)
