"""What a node's conditions and taints mean to controllers. Pure."""

from apimachinery.kinds import Node, NodeCondition

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def condition(node: Node, kind: str) -> NodeCondition | None:
    """The node's condition of type `kind`."""
    return next((each for each in node.status.conditions if each.type == kind), None)


def readiness(node: Node) -> str:
    """ "True", "False" or "Unknown"; a node that has never said is Unknown."""
    ready = condition(node, "Ready")
    return ready.status if ready is not None else "Unknown"


def takes_workloads(node: Node) -> bool:
    """Whether ordinary pods may run here: control planes keep them off by a taint."""
    return not any(taint.key == CONTROL_PLANE for taint in node.spec.taints)
