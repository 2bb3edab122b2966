"""StatefulSets: pods with identities, and claims to volumes for each of them.

The template's pods are judged with the volumes that they will have, the claims' included.
Source: the Kubernetes page "StatefulSets" and the API reference of StatefulSetSpec.
"""

from collections.abc import Iterator, Sequence

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    PersistentVolumeClaim,
    PersistentVolumeClaimVolumeSource,
    PodTemplateSpec,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
    Volume,
)
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, not_negative, one_of, required_name, unique
from apiserver.strategy.claim_spec import default_claim_spec, validate_claim_spec
from apiserver.strategy.meta import validate_labels
from apiserver.strategy.pod_defaults import default_pod_spec
from apiserver.strategy.pod_spec import validate_template
from apiserver.strategy.pod_warnings import pod_spec_warnings
from apiserver.strategy.templates import (
    is_zero,
    validate_collisions,
    validate_counts,
    validate_kept_running,
    validate_selector,
    validate_share,
)

_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "update_strategy",
    "revision_history_limit",
    "persistent_volume_claim_retention_policy",
    "min_ready_seconds",
)


class StatefulSetStrategy(Strategy[StatefulSet]):
    has_status = True
    has_generation = True

    def name_problems(self, name: str) -> Sequence[str]:
        """It becomes part of host names."""
        return names.dns_1123_label(name)

    def default(self, obj: StatefulSet) -> None:
        spec = obj.spec
        spec.pod_management_policy = spec.pod_management_policy or "OrderedReady"
        _default_updates(spec.update_strategy)
        retention = spec.persistent_volume_claim_retention_policy or StatefulSetPersistentVolumeClaimRetentionPolicy()
        retention.when_deleted = retention.when_deleted or "Retain"
        retention.when_scaled = retention.when_scaled or "Retain"
        spec.persistent_volume_claim_retention_policy = retention
        if spec.replicas is None:
            spec.replicas = 1
        if spec.revision_history_limit is None:
            spec.revision_history_limit = 10
        for claim in spec.volume_claim_templates:
            default_claim_spec(claim.spec)
            claim.status.phase = claim.status.phase or "Pending"
        default_pod_spec(spec.template.spec)

    def check(self, obj: StatefulSet) -> Iterator[FieldError]:
        spec = obj.spec
        if spec.pod_management_policy not in ("OrderedReady", "Parallel"):
            detail = "must be 'OrderedReady' or 'Parallel'"
            yield FieldError.invalid("spec.podManagementPolicy", spec.pod_management_policy, detail)
        yield from _validate_updates(spec.update_strategy, "spec.updateStrategy")
        yield from _validate_retention(spec.persistent_volume_claim_retention_policy)
        yield from not_negative("spec.replicas", spec.replicas)
        yield from not_negative("spec.minReadySeconds", spec.min_ready_seconds)
        yield from not_negative("spec.revisionHistoryLimit", spec.revision_history_limit)
        if spec.ordinals is not None:
            yield from not_negative("spec.ordinals.start", spec.ordinals.start)
        yield from _validate_claims(spec.volume_claim_templates, "spec.volumeClaimTemplates")
        yield from validate_selector(spec.selector, spec.template, "spec", "StatefulSet")
        yield from validate_template(_with_claims(spec.template, spec.volume_claim_templates), "spec.template")
        yield from validate_kept_running(spec.template, "spec.template.spec", "StatefulSet")

    def check_update(self, new: StatefulSet, old: StatefulSet, subresource: str) -> Iterator[FieldError]:
        if _fixed(new.spec) != _fixed(old.spec):
            detail = (
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
                "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
            )
            yield FieldError.forbidden("spec", detail)

    def check_status_update(self, new: StatefulSet, old: StatefulSet) -> Iterator[FieldError]:
        status = new.status
        counts = {
            "replicas": status.replicas,
            "readyReplicas": status.ready_replicas,
            "currentReplicas": status.current_replicas,
            "updatedReplicas": status.updated_replicas,
            "availableReplicas": status.available_replicas,
        }
        yield from validate_counts(counts, status.observed_generation)
        yield from validate_collisions(status.collision_count, old.status.collision_count)

    def warnings(self, obj: StatefulSet) -> list[str]:
        return list(pod_spec_warnings(obj.spec.template.spec, "spec.template.spec"))


def _default_updates(strategy: StatefulSetUpdateStrategy) -> None:
    strategy.type = strategy.type or "RollingUpdate"
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateStatefulSetStrategy()
        rolling.partition = 0 if rolling.partition is None else rolling.partition
        rolling.max_unavailable = 1 if rolling.max_unavailable is None else rolling.max_unavailable
        strategy.rolling_update = rolling


def _validate_updates(strategy: StatefulSetUpdateStrategy, path: str) -> Errors:
    rolling = strategy.rolling_update
    if strategy.type not in ("OnDelete", "RollingUpdate"):
        yield FieldError.invalid(path, strategy.type, "must be 'RollingUpdate' or 'OnDelete'")
    elif strategy.type == "OnDelete" and rolling is not None:
        yield FieldError.forbidden(f"{path}.rollingUpdate", "only allowed for updateStrategy 'RollingUpdate'")
    elif rolling is not None:
        yield from not_negative(f"{path}.rollingUpdate.partition", rolling.partition)
        yield from validate_share(f"{path}.rollingUpdate.maxUnavailable", rolling.max_unavailable)
        if rolling.max_unavailable is not None and is_zero(rolling.max_unavailable):
            yield FieldError.invalid(f"{path}.rollingUpdate.maxUnavailable", rolling.max_unavailable, "cannot be 0")


def _validate_retention(policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None) -> Errors:
    if policy is not None:
        path = "spec.persistentVolumeClaimRetentionPolicy"
        yield from one_of(f"{path}.whenDeleted", policy.when_deleted, ("Delete", "Retain"))
        yield from one_of(f"{path}.whenScaled", policy.when_scaled, ("Delete", "Retain"))


def _validate_claims(claims: Sequence[PersistentVolumeClaim], path: str) -> Errors:
    """The name of a claim is that of the volume in the pods, and part of the names of the claims that are made."""
    for index, claim in enumerate(claims):
        yield from required_name(f"{path}[{index}].metadata.name", claim.metadata.name, names.dns_1123_label)
        yield from validate_labels(claim.metadata.labels, f"{path}[{index}].metadata.labels")
        yield from validate_claim_spec(claim.spec, f"{path}[{index}].spec")
    yield from unique(path, [claim.metadata.name for claim in claims], ".metadata.name")


def _with_claims(template: PodTemplateSpec, claims: Sequence[PersistentVolumeClaim]) -> PodTemplateSpec:
    """The template with a volume for each claim; a volume of the template that has the same name gives way to it."""
    wanted = {claim.metadata.name for claim in claims if not names.dns_1123_label(claim.metadata.name)}
    wanted -= {volume.name for volume in template.spec.volumes}
    added = [
        Volume(name=name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=name)) for name in sorted(wanted)
    ]
    spec = msgspec.structs.replace(template.spec, volumes=[*template.spec.volumes, *added])
    return msgspec.structs.replace(template, spec=spec)


def _fixed(spec: StatefulSetSpec) -> list[object]:
    return [getattr(spec, field) for field in spec.__struct_fields__ if field not in _MUTABLE]
