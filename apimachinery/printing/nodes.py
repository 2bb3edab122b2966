"""The Node's table."""

from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, condition, name_of, wide

_ROLE_PREFIX, _ROLE_LABEL = "node-role.kubernetes.io/", "kubernetes.io/role"

COLUMNS = (
    NAME,
    Column("Status", description="Whether it is ready, and whether it takes new pods."),
    Column("Roles", description="What it is for, from its labels."),
    AGE,
    Column("Version", description="The version of its kubelet."),
    wide("Internal-IP", "Its address within the cluster."),
    wide("External-IP", "Its address from outside."),
    wide("OS-Image", "Its operating system."),
    wide("Kernel-Version", "Its kernel."),
    wide("Container-Runtime", "Its container runtime."),
)


def roles(node: Plain) -> list[str]:
    """The roles that a node's labels name, sorted."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    found = {label.removeprefix(_ROLE_PREFIX) for label in labels if label.startswith(_ROLE_PREFIX)}
    return sorted(filter(None, found | {labels.get(_ROLE_LABEL, "")}))


def status_text(node: Plain) -> str:
    """`Ready`, `NotReady,SchedulingDisabled`, `Unknown`."""
    ready = condition(node, "Ready")
    words = ["Unknown"] if ready is None else ["Ready" if ready.get("status") == "True" else "NotReady"]
    if (node.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def cells(node: Plain, now: datetime) -> list[Cell]:
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    addresses: dict[str, str] = {}
    for each in status.get("addresses") or ():
        addresses.setdefault(each.get("type", ""), each.get("address", ""))
    return [
        name_of(node),
        status_text(node),
        ",".join(roles(node)) or "<none>",
        age(node, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


NODE = TableShape(COLUMNS, cells)
