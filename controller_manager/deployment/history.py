"""Which ReplicaSet runs the present template, and the revisions of all of them. Pure.

A revision is a number in an annotation: the newest ReplicaSet has the highest. Going back to an old template finds its old
ReplicaSet, which then gets a new highest number and remembers those it had before.
"""

from collections.abc import Sequence

from apimachinery import codec
from apimachinery.kinds import Deployment, LabelSelector, ObjectMeta, ReplicaSet, ReplicaSetSpec
from controller_manager.deployment.hashing import HASH_LABEL, same_template, template_hash
from controller_manager.deployment.sizes import max_surge, wanted
from controller_manager.shared.ownership import controller_reference

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    )
)


def age_order(rs: ReplicaSet) -> tuple[str, str]:
    """A sort key: oldest first, the name deciding within a second."""
    return rs.metadata.creation_timestamp or "", rs.metadata.name


def newest(deployment: Deployment, sets: Sequence[ReplicaSet]) -> ReplicaSet | None:
    """The oldest set whose template is the Deployment's; None before it has been created."""
    template = deployment.spec.template
    return next((rs for rs in sorted(sets, key=age_order) if same_template(rs.spec.template, template)), None)


def revision_of(rs: ReplicaSet) -> int:
    """The set's revision, 0 when it has none."""
    return _number(rs.metadata.annotations.get(REVISION)) or 0


def next_revision(old: Sequence[ReplicaSet]) -> int:
    """The number above all old ones."""
    return max(map(revision_of, old), default=0) + 1


def annotations_for(deployment: Deployment, rs: ReplicaSet | None, old: Sequence[ReplicaSet]) -> dict[str, str]:
    """All annotations that the newest set should have: its own, the Deployment's, and its revision."""
    result = dict(rs.metadata.annotations) if rs is not None else {}
    result.update({key: value for key, value in deployment.metadata.annotations.items() if key not in _NOT_COPIED})
    had, wants = _number(result.get(REVISION)), next_revision(old)
    if had is None or had < wants:
        result[REVISION] = str(wants)
        if had is not None:
            earlier = [each for each in result.get(REVISION_HISTORY, "").split(",") if each]
            result[REVISION_HISTORY] = ",".join([*earlier, str(had)])
    if rs is None:
        result.update(size_annotations(deployment))
    return result


def size_annotations(deployment: Deployment) -> dict[str, str]:
    """What a set remembers of the Deployment's size when it was last scaled: the base of proportional scaling."""
    replicas = wanted(deployment)
    return {DESIRED_REPLICAS: str(replicas), MAX_REPLICAS: str(replicas + max_surge(deployment))}


def desired_of(rs: ReplicaSet) -> int | None:
    """The Deployment's size when this set was last scaled; None when it does not say."""
    return _number(rs.metadata.annotations.get(DESIRED_REPLICAS))


def max_of(rs: ReplicaSet) -> int | None:
    """The Deployment's size with surge when this set was last scaled; None when it does not say."""
    return _number(rs.metadata.annotations.get(MAX_REPLICAS))


def new_set(deployment: Deployment, old: Sequence[ReplicaSet], replicas: int) -> ReplicaSet:
    """The ReplicaSet for the Deployment's template, named after the template's hash."""
    meta, spec = deployment.metadata, deployment.spec
    digest = template_hash(spec.template, deployment.status.collision_count)
    template = codec.deep_copy(spec.template)
    template.metadata.labels[HASH_LABEL] = digest
    selector = LabelSelector(
        match_labels={**spec.selector.match_labels, HASH_LABEL: digest},
        match_expressions=list(spec.selector.match_expressions),
    )
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{meta.name}-{digest}",
            namespace=meta.namespace,
            labels=dict(template.metadata.labels),
            annotations=annotations_for(deployment, None, old),
            owner_references=[controller_reference(deployment)],
        ),
        spec=ReplicaSetSpec(replicas=replicas, min_ready_seconds=spec.min_ready_seconds, selector=selector, template=template),
    )


def disposable(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Old sets beyond the history limit that run nothing, lowest revision first."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    kept = (rs for rs in old if rs.metadata.deletion_timestamp is None)
    cleanable = sorted(kept, key=lambda rs: (revision_of(rs), age_order(rs)))
    return [rs for rs in cleanable[: max(0, len(cleanable) - limit)] if _is_idle(rs)]


def _is_idle(rs: ReplicaSet) -> bool:
    """Whether the set runs nothing, wants nothing, and its status is up to date."""
    seen = (rs.metadata.generation or 0) <= (rs.status.observed_generation or 0)
    return not rs.spec.replicas and not rs.status.replicas and seen


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
