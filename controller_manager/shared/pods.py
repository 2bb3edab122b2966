"""What a pod's conditions and phase mean to controllers. Pure; moments are parameters.

Source: the Kubernetes page "Pod Lifecycle".
"""

from datetime import datetime, timedelta

from apimachinery.kinds import Pod, PodCondition
from apimachinery.times import parse_time

TERMINAL_PHASES = frozenset(("Succeeded", "Failed"))


def is_terminating(pod: Pod) -> bool:
    """Whether the pod has been asked to stop."""
    return pod.metadata.deletion_timestamp is not None


def is_terminal(pod: Pod) -> bool:
    """Whether the pod's containers have stopped for good."""
    return pod.status.phase in TERMINAL_PHASES


def is_active(pod: Pod) -> bool:
    """Whether the pod still counts for the controller that wants it."""
    return not is_terminating(pod) and not is_terminal(pod)


def condition(pod: Pod, kind: str) -> PodCondition | None:
    """The pod's condition of type `kind`."""
    return next((each for each in pod.status.conditions if each.type == kind), None)


def is_ready(pod: Pod) -> bool:
    """Whether the pod reports that it can serve."""
    ready = condition(pod, "Ready")
    return ready is not None and ready.status == "True"


def ready_since(pod: Pod) -> datetime | None:
    """Since when the pod has been ready; None when it is not, or does not say."""
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "True" or not ready.last_transition_time:
        return None
    return parse_time(ready.last_transition_time)


def is_available(pod: Pod, min_ready_s: int, now: datetime) -> bool:
    """Whether the pod has been ready for at least `min_ready_s` seconds."""
    return is_ready(pod) and (min_ready_s == 0 or until_available_s(pod, min_ready_s, now) == 0.0)


def until_available_s(pod: Pod, min_ready_s: int, now: datetime) -> float | None:
    """Seconds until a ready pod becomes available, 0 when it is; None when it is not ready."""
    since = ready_since(pod)
    if since is None:
        return 0.0 if min_ready_s == 0 and is_ready(pod) else None
    return max(0.0, (since + timedelta(seconds=min_ready_s) - now).total_seconds())


def pod_ip(pod: Pod) -> str:
    """The pod's first address, or ""."""
    return pod.status.pod_ip or next((each.ip for each in pod.status.pod_ips), "")
