"""The description of a node: its state, what it has, and what the pods on it have asked for."""

from collections.abc import Sequence

from apimachinery.printing.nodes import roles
from apimachinery.printing.shape import age
from apimachinery.quantity import QuantityError, canonical, from_milli, int_value, milli_value
from kctl.describe.common import (
    Plain,
    Surroundings,
    annotations,
    events,
    heading,
    labels,
    long_time,
    lower_truth,
    metadata_of,
    resources,
)
from kctl.describe.text import Page

_SYSTEM_INFO = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
)


def describe_node(node: Plain, around: Surroundings) -> Page:
    """`around.of("pods")`: the pods on it; `around.of("leases")`: its lease."""
    page, spec, status, metadata = Page(), node.get("spec") or {}, node.get("status") or {}, metadata_of(node)
    heading(page, node, namespaced=False)
    page.field("Roles", ",".join(roles(node)) or "<none>")
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("CreationTimestamp", long_time(metadata.get("creationTimestamp")))
    page.fields("Taints", [taint_text(each) for each in spec.get("taints") or ()])
    page.field("Unschedulable", lower_truth(spec.get("unschedulable")))
    _lease(page, around)
    _conditions(page, status.get("conditions") or ())
    page.line("Addresses:")
    for each in status.get("addresses") or ():
        page.field(each.get("type", ""), each.get("address", ""), 1)
    resources(page, "Capacity", status.get("capacity"))
    resources(page, "Allocatable", status.get("allocatable"))
    page.line("System Info:")
    info = status.get("nodeInfo") or {}
    for title, key in _SYSTEM_INFO:
        page.field(title, info.get(key, ""), 1)
    page.optional("PodCIDR", spec.get("podCIDR"))
    page.optional("PodCIDRs", ",".join(spec.get("podCIDRs") or ()))
    page.optional("ProviderID", spec.get("providerID"))
    _pods(page, node, around)
    events(page, around)
    return page


def taint_text(taint: Plain) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def pod_total(pod: Plain, section: str, resource: str) -> int:
    """What a pod asks for in all, in thousandths: its containers together, or the largest init container if that is more."""
    spec = pod.get("spec") or {}
    together = sum(_amount(each, section, resource) for each in spec.get("containers") or ())
    largest = 0
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") == "Always":
            together += _amount(each, section, resource)
        else:
            largest = max(largest, _amount(each, section, resource))
    return max(together, largest) + _milli((spec.get("overhead") or {}).get(resource))


def _lease(page: Page, around: Surroundings) -> None:
    lease = next(iter(around.of("leases")), None)
    if lease is None:
        return
    spec = lease.get("spec") or {}
    page.line("Lease:")
    page.field("HolderIdentity", spec.get("holderIdentity") or "<unset>", 1)
    page.field("AcquireTime", long_time(spec.get("acquireTime")) or "<unset>", 1)
    page.field("RenewTime", long_time(spec.get("renewTime")) or "<unset>", 1)


def _conditions(page: Page, listed: Sequence[Plain]) -> None:
    if not listed:
        return
    page.line("Conditions:")
    page.table(
        ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"),
        [
            (
                each.get("type", ""),
                each.get("status", ""),
                long_time(each.get("lastHeartbeatTime")),
                long_time(each.get("lastTransitionTime")),
                each.get("reason", ""),
                each.get("message", ""),
            )
            for each in listed
        ],
    )


def _pods(page: Page, node: Plain, around: Surroundings) -> None:
    pods = [each for each in around.of("pods") if (each.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    page.field("Non-terminated Pods", f"({len(pods)} in total)")
    columns = [(resource, section) for resource in ("cpu", "memory") for section in ("requests", "limits")]
    rows = []
    for pod in sorted(pods, key=lambda each: (metadata_of(each).get("namespace", ""), metadata_of(each).get("name", ""))):
        cells = [_share(pod_total(pod, section, resource), resource, allocatable) for resource, section in columns]
        metadata = metadata_of(pod)
        rows.append([metadata.get("namespace", ""), metadata.get("name", ""), *cells, age(pod, around.now)])
    page.table(("Namespace", "Name", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age"), rows)
    page.line("Allocated resources:")
    page.line("(Limits may add up to more than the node has.)", 1)
    totals = []
    for resource in _resource_names(pods, allocatable):
        sums = [sum(pod_total(pod, section, resource) for pod in pods) for section in ("requests", "limits")]
        totals.append([resource, *(_share(total, resource, allocatable) for total in sums)])
    page.table(("Resource", "Requests", "Limits"), totals)


def _resource_names(pods: Sequence[Plain], allocatable: Plain) -> list[str]:
    first = ["cpu", "memory", "ephemeral-storage"]
    return first + sorted(name for name in allocatable if name not in (*first, "pods"))


def _share(milli: int, resource: str, allocatable: Plain) -> str:
    whole = _milli(allocatable.get(resource))
    percent = milli * 100 // whole if whole else 0
    text = from_milli(milli) if resource == "cpu" else canonical(_bytes_text(-(-milli // 1000)))
    return f"{text} ({percent}%)"


def _bytes_text(amount: int) -> str:
    """Bytes with a binary suffix where that is exact."""
    for suffix, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if amount and amount % factor == 0:
            return f"{amount // factor}{suffix}"
    return str(amount)


def _amount(container: Plain, section: str, resource: str) -> int:
    return _milli(((container.get("resources") or {}).get(section) or {}).get(resource))


def _milli(quantity: object) -> int:
    if quantity is None:
        return 0
    try:
        text = str(quantity)
        return milli_value(text) if len(text) < 15 else int_value(text) * 1000
    except QuantityError:
        return 0
