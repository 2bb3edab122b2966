"""Tables of Deployments and ReplicaSets."""

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
