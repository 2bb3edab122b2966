"""Namespaces, ConfigMaps, Secrets, ServiceAccounts."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Merge, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import LocalObjectReference, ObjectReference


class NamespaceSpec(Base):
    """core/v1.NamespaceSpec"""

    finalizers: Annotated[list[str], Merge(list_type="atomic")] = []


class NamespaceCondition(Base):
    """core/v1.NamespaceCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class NamespaceStatus(Base):
    """core/v1.NamespaceStatus"""

    conditions: Annotated[
        list[NamespaceCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    phase: str = ""


class Namespace(Object):
    """core/v1.Namespace

    A scope for names; deleting it deletes what is in it.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Namespace"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: NamespaceSpec = msgspec.field(default_factory=NamespaceSpec)
    status: NamespaceStatus = msgspec.field(default_factory=NamespaceStatus)


class ConfigMap(Object):
    """core/v1.ConfigMap

    Settings that are not secret, for pods to read as files or variables.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ConfigMap"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    binary_data: dict[str, str] = {}
    data: dict[str, str] = {}
    immutable: bool | None = None


class Secret(Object):
    """core/v1.Secret

    Passwords, keys and the like, for pods to read as files or variables.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Secret"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    data: dict[str, str] = {}
    immutable: bool | None = None
    string_data: dict[str, str] = {}
    type: str = ""


class ServiceAccount(Object):
    """core/v1.ServiceAccount

    An identity for what runs in pods.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ServiceAccount"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    automount_service_account_token: bool | None = None
    image_pull_secrets: Annotated[list[LocalObjectReference], Merge(list_type="atomic")] = []
    secrets: Annotated[list[ObjectReference], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = []
