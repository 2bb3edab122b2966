"""Leases (group coordination.k8s.io/v1)."""

import msgspec

from apimachinery.kinds.base import Base, Int32, MicroTime, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class LeaseSpec(Base):
    """coordination/v1.LeaseSpec"""

    acquire_time: MicroTime | None = None
    holder_identity: str = ""
    lease_duration_seconds: Int32 | None = None
    lease_transitions: Int32 | None = None
    preferred_holder: str = ""
    renew_time: MicroTime | None = None
    strategy: str = ""


class Lease(Object):
    """coordination/v1.Lease

    Says who holds something, and until when; leaders are elected with it and nodes show that they live.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("coordination.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Lease"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)
