"""Metadata that every object carries, selectors, conditions, Status (group meta/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, FreeForm, Int32, Int64, Merge, Time, constant


class ManagedFieldsEntry(Base):
    """meta/v1.ManagedFieldsEntry"""

    api_version: str = ""
    fields_type: str = ""
    fields_v1: FreeForm | None = None
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: Time | None = None


class OwnerReference(Base):
    """meta/v1.OwnerReference"""

    api_version: str = msgspec.field(default_factory=str)
    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)
    uid: str = msgspec.field(default_factory=str)
    block_owner_deletion: bool | None = None
    controller: bool | None = None


class ObjectMeta(Base):
    """meta/v1.ObjectMeta

    What every object has: names, labels, owners, and the versions that the server counts.
    """

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Int64 | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    annotations: dict[str, str] = {}
    deletion_grace_period_seconds: Int64 | None = None
    finalizers: Annotated[list[str], Merge(patch="merge", list_type="set")] = []
    labels: dict[str, str] = {}
    managed_fields: Annotated[list[ManagedFieldsEntry], Merge(list_type="atomic")] = []
    owner_references: Annotated[
        list[OwnerReference], Merge(patch="merge", merge_key="uid", list_type="map", keys=("uid",))
    ] = []
    self_link: str = ""


class LabelSelectorRequirement(Base):
    """meta/v1.LabelSelectorRequirement"""

    key: str = msgspec.field(default_factory=str)
    operator: str = msgspec.field(default_factory=str)
    values: Annotated[list[str], Merge(list_type="atomic")] = []


class FieldSelectorRequirement(Base):
    """meta/v1.FieldSelectorRequirement"""

    key: str = msgspec.field(default_factory=str)
    operator: str = msgspec.field(default_factory=str)
    values: Annotated[list[str], Merge(list_type="atomic")] = []


class LabelSelector(Base):
    """meta/v1.LabelSelector

    Selects objects by their labels; every requirement must be met, and an empty selector selects all.
    """

    match_expressions: Annotated[list[LabelSelectorRequirement], Merge(list_type="atomic")] = []
    match_labels: dict[str, str] = {}


class ShardInfo(Base):
    """meta/v1.ShardInfo"""

    selector: str = msgspec.field(default_factory=str)


class ListMeta(Base):
    """meta/v1.ListMeta

    What every list has.
    """

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")
    remaining_item_count: Int64 | None = None
    self_link: str = ""
    shard_info: ShardInfo | None = None


class Condition(Base):
    """meta/v1.Condition"""

    last_transition_time: Time | None = None
    message: str = msgspec.field(default_factory=str)
    observed_generation: Int64 | None = None
    reason: str = msgspec.field(default_factory=str)
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class StatusCause(Base):
    """meta/v1.StatusCause"""

    field: str = ""
    message: str = ""
    reason: str = ""


class StatusDetails(Base):
    """meta/v1.StatusDetails"""

    kind: str = ""
    name: str = ""
    uid: str = ""
    causes: Annotated[list[StatusCause], Merge(list_type="atomic")] = []
    group: str = ""
    retry_after_seconds: Int32 | None = None


class Status(Base):
    """meta/v1.Status

    What came of a request that returns no object.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Status"))
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    code: Int32 | None = None
    details: StatusDetails | None = None
    message: str = ""
    reason: str = ""
    status: str = ""


class Preconditions(Base):
    """meta/v1.Preconditions"""

    uid: str = ""
    resource_version: str = ""


class DeleteOptions(Base):
    """meta/v1.DeleteOptions

    How an object is to be deleted.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("DeleteOptions"))
    dry_run: Annotated[list[str], Merge(list_type="atomic")] = []
    grace_period_seconds: Int64 | None = None
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = None
    orphan_dependents: bool | None = None
    preconditions: Preconditions | None = None
    propagation_policy: str = ""
