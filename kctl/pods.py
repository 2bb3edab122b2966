"""From what people name (a pod, a deployment, a service, labels) to the pods behind it, and which container is meant."""

from collections.abc import Mapping
from typing import Any

from kctl import targets, watching
from kctl.errors import KctlError
from kctl.session import Session
from kctl.targets import Target

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def pods_of(session: Session, target: Target) -> list[dict[str, Any]]:
    """The pods of an object, the readiest and oldest first; raises KctlError for a kind that has none."""
    resource = session.discovery.for_kind("v1", "Pod")
    if target.resource.kind == "Pod":
        return [session.client.get(target.path)]
    selector = selector_of(session.client.get(target.path))
    if not selector:
        raise KctlError(f"cannot attach to or read logs of {target.title}: it selects no pods")
    pods = targets.fetch(session.client, Target(resource, "", target.namespace), watching.selectors(selector))
    if not pods:
        raise KctlError(f"no pods found for {target.title}")
    return sorted(pods, key=preference)


def selector_of(obj: Mapping[str, Any]) -> str:
    """The label selector of a workload or service as text; empty when it has none."""
    selector = (obj.get("spec") or {}).get("selector") or {}
    if not ("matchLabels" in selector or "matchExpressions" in selector):
        return ",".join(f"{key}={value}" for key, value in selector.items() if isinstance(value, str))
    from apimachinery.printing.shape import selector_text

    text = selector_text(selector)
    return "" if text == "<none>" else text


def preference(pod: Mapping[str, Any]) -> tuple[bool, bool, bool, str]:
    """Sort key: scheduled, running, ready, then the older ones first."""
    status = pod.get("status") or {}
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in status.get("conditions") or ())
    created = str(pod["metadata"].get("creationTimestamp") or "")
    return (not (pod.get("spec") or {}).get("nodeName"), status.get("phase") != "Running", not ready, created)


def container_names(pod: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the init containers, and of the others."""
    spec = pod.get("spec") or {}
    first = [each["name"] for each in spec.get("initContainers") or ()]
    main = [each["name"] for key in ("containers", "ephemeralContainers") for each in spec.get(key) or ()]
    return first, main


def choose_container(session: Session, pod: Mapping[str, Any], wanted: str, *, quiet: bool = False) -> str:
    """The container that is meant; raises KctlError when the pod has none of that name."""
    first, main = container_names(pod)
    name = pod["metadata"]["name"]
    if wanted:
        if wanted not in first + main:
            listed = ", ".join(main + [f"{each} (init)" for each in first])
            raise KctlError(f"container {wanted} is not valid for pod {name} out of: {listed}")
        return wanted
    annotated = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER, "")
    if annotated in main and annotated:
        return str(annotated)
    if not main:
        raise KctlError(f"pod {name} has no containers")
    if len(main) + len(first) > 1 and not quiet:
        others = ", ".join(main + [f"{each} (init)" for each in first])
        session.note(f'Defaulted container "{main[0]}" out of: {others}')
    return main[0]
