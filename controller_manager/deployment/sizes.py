"""How many pods each ReplicaSet of a Deployment should have next. Pure.

The rolling step holds two bounds whatever the cluster does: the sizes never add up to more than replicas + maxSurge,
and only so much is taken away that replicas - maxUnavailable pods stay available. Both follow from the order: the new
set grows only into free room; old sets shrink first by pods that are not available (they serve nobody) and then by the
available surplus, and pods of the new set that are not yet available are counted as missing.
Source: the Kubernetes page "Deployments" (Rolling Update Deployment, Proportional scaling).
"""

import math
from collections.abc import Callable, Sequence

from apimachinery.kinds import Deployment, ReplicaSet

DEFAULT_SHARE = "25%"


def wanted(deployment: Deployment) -> int:
    """How many pods the Deployment asks for; 1 where it does not say."""
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def size_of(rs: ReplicaSet) -> int:
    """How many pods the set asks for."""
    return 1 if rs.spec.replicas is None else rs.spec.replicas


def is_rolling(deployment: Deployment) -> bool:
    """Whether the strategy is RollingUpdate, the default."""
    return deployment.spec.strategy.type != "Recreate"


def max_surge(deployment: Deployment) -> int:
    """Pods above the wanted number that a rolling update may have."""
    return _bounds(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Deployment) -> int:
    """Pods that a rolling update may miss."""
    if not is_rolling(deployment) or wanted(deployment) == 0:
        return 0
    return min(_bounds(deployment)[1], wanted(deployment))


def min_available(deployment: Deployment) -> int:
    """Pods that must stay available."""
    return wanted(deployment) - max_unavailable(deployment)


def new_size(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> int:
    """The newest set's next size, before old sets give up anything more."""
    want, have = wanted(deployment), 0 if new is None else size_of(new)
    if have >= want or not is_rolling(deployment):
        return want
    room = want + max_surge(deployment) - have - sum(map(size_of, old))
    return have + max(0, min(room, want - have))


def old_sizes(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> dict[str, int]:
    """Next sizes of old sets (oldest first) by uid; only those that change."""
    sizes = {rs.metadata.uid: size_of(rs) for rs in old}
    everything = sum(sizes.values()) + size_of(new)
    new_missing = size_of(new) - (new.status.available_replicas or 0)
    budget = everything - min_available(deployment) - new_missing
    if not sum(sizes.values()) or budget <= 0:
        return {}
    # pods that serve nobody go first and cost nothing, but within the budget: the status may be behind
    budget = _shrink(sizes, old, budget, lambda rs: max(0, size_of(rs) - (rs.status.available_replicas or 0)))
    available = sum(each.status.available_replicas or 0 for each in (*old, new))
    _shrink(sizes, old, available - min_available(deployment), lambda rs: sizes[rs.metadata.uid])
    return {rs.metadata.uid: sizes[rs.metadata.uid] for rs in old if sizes[rs.metadata.uid] != size_of(rs)}


def proportional_sizes(
    deployment: Deployment, sets: Sequence[ReplicaSet], base_of: Callable[[ReplicaSet], int]
) -> dict[str, int]:
    """Sizes by uid when a Deployment is scaled amid a roll-out: the difference is shared by size, what is left goes to
    the largest.

    base_of: the Deployment's size with surge when the set was last scaled.
    """
    want = wanted(deployment)
    allowed = want + max_surge(deployment) if want else 0
    change = allowed - sum(map(size_of, sets))
    # more goes to the newer of two equal sets, less to the older
    ordered = sorted(sets, key=lambda rs: rs.metadata.creation_timestamp or "", reverse=change > 0)
    ordered.sort(key=size_of, reverse=True)
    sizes, shared = {}, 0
    for rs in ordered:
        share = _share(rs, want, allowed, change - shared, base_of(rs))
        sizes[rs.metadata.uid] = size_of(rs) + share
        shared += share
    left = change - shared
    for rs in ordered:
        uid, before = rs.metadata.uid, sizes[rs.metadata.uid]
        sizes[uid] = max(0, before + left)
        left -= sizes[uid] - before
    return sizes


def _share(rs: ReplicaSet, want: int, allowed: int, left: int, base: int) -> int:
    if left == 0 or size_of(rs) == 0:
        return 0
    scaled = math.floor(size_of(rs) * allowed / base + 0.5) if base else size_of(rs)
    ideal = (scaled if want else 0) - size_of(rs)
    return max(0, min(ideal, left)) if left > 0 else min(0, max(ideal, left))


def _shrink(sizes: dict[str, int], sets: Sequence[ReplicaSet], budget: int, most: Callable[[ReplicaSet], int]) -> int:
    """Take at most `budget` pods from `sets` in order, from each at most `most(rs)`; what is left of the budget."""
    for rs in sets:
        taken = max(0, min(budget, most(rs), sizes[rs.metadata.uid]))
        sizes[rs.metadata.uid] -= taken
        budget -= taken
    return budget


def _bounds(deployment: Deployment) -> tuple[int, int]:
    """(surge, unavailable) as numbers; a percentage rounds surge up and unavailable down, and not both are 0."""
    rolling, want = deployment.spec.strategy.rolling_update, wanted(deployment)
    surge_text = DEFAULT_SHARE if rolling is None or rolling.max_surge is None else rolling.max_surge
    lack_text = DEFAULT_SHARE if rolling is None or rolling.max_unavailable is None else rolling.max_unavailable
    surge, lack = _number(surge_text, want, up=True), _number(lack_text, want, up=False)
    return (surge, lack) if surge or lack else (0, 1)


def _number(value: int | str, of: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    # in integers: 10% of 30 is 3, which floats do not promise
    hundredths = int(value.rstrip("%")) * of
    return -(-hundredths // 100) if up else hundredths // 100
