"""Tables of workloads that keep pods running, of their templates and of their revisions."""

from datetime import datetime

from apimachinery.printing.shape import (
    AGE,
    NAME,
    Cell,
    Column,
    Plain,
    TableShape,
    age,
    images_of,
    labels_text,
    name_of,
    selector_text,
    wide,
)

_TEMPLATE_COLUMNS = (
    wide("Containers", "Names of the containers in each pod."),
    wide("Images", "Images of the containers in each pod."),
    wide("Selector", "Labels of the pods that belong to it."),
)


def _template_cells(spec: Plain) -> list[Cell]:
    names, images = images_of((spec.get("template") or {}).get("spec") or {})
    return [names, images, selector_text(spec.get("selector"))]


def _desired(spec: Plain) -> int:
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)


def deployment_cells(deployment: Plain, now: datetime) -> list[Cell]:
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    return [
        name_of(deployment),
        f"{status.get('readyReplicas') or 0}/{_desired(spec)}",
        int(status.get("updatedReplicas") or 0),
        int(status.get("availableReplicas") or 0),
        age(deployment, now),
        *_template_cells(spec),
    ]


def replica_set_cells(replica_set: Plain, now: datetime) -> list[Cell]:
    spec, status = replica_set.get("spec") or {}, replica_set.get("status") or {}
    return [
        name_of(replica_set),
        _desired(spec),
        int(status.get("replicas") or 0),
        int(status.get("readyReplicas") or 0),
        age(replica_set, now),
        *_template_cells(spec),
    ]


def stateful_set_cells(stateful_set: Plain, now: datetime) -> list[Cell]:
    spec, status = stateful_set.get("spec") or {}, stateful_set.get("status") or {}
    return [
        name_of(stateful_set),
        f"{status.get('readyReplicas') or 0}/{_desired(spec)}",
        age(stateful_set, now),
        *_template_cells(spec)[:2],
    ]


def daemon_set_cells(daemon_set: Plain, now: datetime) -> list[Cell]:
    spec, status = daemon_set.get("spec") or {}, daemon_set.get("status") or {}
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable")
    return [
        name_of(daemon_set),
        *(int(status.get(count) or 0) for count in counts),
        labels_text(((spec.get("template") or {}).get("spec") or {}).get("nodeSelector")),
        age(daemon_set, now),
        *_template_cells(spec),
    ]


def replication_controller_cells(controller: Plain, now: datetime) -> list[Cell]:
    spec = controller.get("spec") or {}
    return [*replica_set_cells({**controller, "spec": {**spec, "selector": None}}, now)[:-1], labels_text(spec.get("selector"))]


def pod_template_cells(template: Plain, now: datetime) -> list[Cell]:
    pod = template.get("template") or {}
    return [name_of(template), *images_of(pod.get("spec") or {}), labels_text((pod.get("metadata") or {}).get("labels"))]


def controller_revision_cells(revision: Plain, now: datetime) -> list[Cell]:
    owners = (revision.get("metadata") or {}).get("ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), None)
    return [
        name_of(revision),
        _owner_text(owner) if owner else "<none>",
        int(revision.get("revision") or 0),
        age(revision, now),
    ]


def _owner_text(owner: Plain) -> str:
    """`statefulset.apps/web`"""
    group, slash, _ = str(owner.get("apiVersion", "")).partition("/")
    kind = str(owner.get("kind", "")).lower()
    return f"{kind}.{group}/{owner.get('name', '')}" if slash else f"{kind}/{owner.get('name', '')}"


DEPLOYMENT = TableShape(
    (
        NAME,
        Column("Ready", description="Ready pods, of those wanted."),
        Column("Up-to-date", "integer", description="Pods that are made from the newest template."),
        Column("Available", "integer", description="Pods that have been ready for long enough."),
        AGE,
        *_TEMPLATE_COLUMNS,
    ),
    deployment_cells,
)

REPLICA_SET = TableShape(
    (
        NAME,
        Column("Desired", "integer", description="Pods that are wanted."),
        Column("Current", "integer", description="Pods that exist."),
        Column("Ready", "integer", description="Pods that are ready."),
        AGE,
        *_TEMPLATE_COLUMNS,
    ),
    replica_set_cells,
)

STATEFUL_SET = TableShape(
    (NAME, Column("Ready", description="Ready pods, of those wanted."), AGE, *_TEMPLATE_COLUMNS[:2]), stateful_set_cells
)

DAEMON_SET = TableShape(
    (
        NAME,
        Column("Desired", "integer", description="Nodes that should run a pod of it."),
        Column("Current", "integer", description="Nodes that should run one and do."),
        Column("Ready", "integer", description="Nodes where the pod is ready."),
        Column("Up-to-date", "integer", description="Nodes where the pod is made from the newest template."),
        Column("Available", "integer", description="Nodes where the pod has been ready for long enough."),
        Column("Node Selector", description="Labels of the nodes that it runs on."),
        AGE,
        *_TEMPLATE_COLUMNS,
    ),
    daemon_set_cells,
)

REPLICATION_CONTROLLER = TableShape(REPLICA_SET.columns, replication_controller_cells)

POD_TEMPLATE = TableShape(
    (
        NAME,
        Column("Containers", description="Names of the containers in each pod."),
        Column("Images", description="Images of the containers in each pod."),
        Column("Pod Labels", description="Labels of the pods."),
    ),
    pod_template_cells,
)

CONTROLLER_REVISION = TableShape(
    (
        NAME,
        Column("Controller", description="Whose revision it is."),
        Column("Revision", description="Its number."),
        AGE,
    ),
    controller_revision_cells,
)
