"""CertificateSigningRequests (group certificates.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Merge, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class CertificateSigningRequestSpec(Base):
    """certificates/v1.CertificateSigningRequestSpec"""

    expiration_seconds: Int32 | None = None
    extra: dict[str, list[str]] = {}
    groups: Annotated[list[str], Merge(list_type="atomic")] = []
    request: str = msgspec.field(default_factory=str)
    signer_name: str = msgspec.field(default_factory=str)
    uid: str = ""
    usages: Annotated[list[str], Merge(list_type="atomic")] = []
    username: str = ""


class CertificateSigningRequestCondition(Base):
    """certificates/v1.CertificateSigningRequestCondition"""

    last_transition_time: Time | None = None
    last_update_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class CertificateSigningRequestStatus(Base):
    """certificates/v1.CertificateSigningRequestStatus"""

    certificate: str = ""
    conditions: Annotated[list[CertificateSigningRequestCondition], Merge(list_type="map", keys=("type",))] = []


class CertificateSigningRequest(Object):
    """certificates/v1.CertificateSigningRequest"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("certificates.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("CertificateSigningRequest"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: CertificateSigningRequestSpec = msgspec.field(default_factory=CertificateSigningRequestSpec)
    status: CertificateSigningRequestStatus = msgspec.field(default_factory=CertificateSigningRequestStatus)
