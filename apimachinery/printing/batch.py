"""Tables of Jobs and CronJobs."""

from datetime import datetime

from apimachinery.printing.shape import (
    AGE,
    NAME,
    Cell,
    Column,
    Plain,
    TableShape,
    age,
    condition,
    images_of,
    name_of,
    selector_text,
    since,
    wide,
)
from apimachinery.times import human_duration, parse_time

_POD_COLUMNS = (
    wide("Containers", "Names of the containers in each pod."),
    wide("Images", "Images of the containers in each pod."),
    wide("Selector", "Labels of the pods that belong to it."),
)


def job_status(job: Plain) -> str:
    """Where a Job stands, in one word; the end of it before everything else."""
    for kind in ("Complete", "Failed"):
        if _holds(job, kind):
            return kind
    if (job.get("metadata") or {}).get("deletionTimestamp"):
        return "Terminating"
    return next((kind for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if _holds(job, kind)), "Running")


def job_completions(job: Plain) -> str:
    """`1/3`; `1/1 of 2` where any of two pods that run side by side completes it."""
    spec, done = job.get("spec") or {}, int((job.get("status") or {}).get("succeeded") or 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = int(spec.get("parallelism") or 0)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def job_duration(job: Plain, now: datetime) -> str:
    """How long it ran, or has been running; "" when it has not begun."""
    status = job.get("status") or {}
    start, end = status.get("startTime"), status.get("completionTime")
    if not start:
        return ""
    return human_duration((parse_time(end) - parse_time(start)).total_seconds()) if end else since(start, now)


def job_cells(job: Plain, now: datetime) -> list[Cell]:
    return [
        name_of(job),
        job_status(job),
        job_completions(job),
        job_duration(job, now),
        age(job, now),
        *_pod_cells(job.get("spec") or {}),
    ]


def cron_job_cells(cron_job: Plain, now: datetime) -> list[Cell]:
    spec, status = cron_job.get("spec") or {}, cron_job.get("status") or {}
    last = status.get("lastScheduleTime")
    return [
        name_of(cron_job),
        spec.get("schedule", ""),
        spec.get("timeZone") or "<none>",
        _truth(spec.get("suspend")),
        len(status.get("active") or ()),
        since(last, now) if last else "<none>",
        age(cron_job, now),
        *_pod_cells((spec.get("jobTemplate") or {}).get("spec") or {}),
    ]


def _pod_cells(job_spec: Plain) -> list[Cell]:
    names, images = images_of((job_spec.get("template") or {}).get("spec") or {})
    return [names, images, selector_text(job_spec.get("selector"))]


def _holds(job: Plain, kind: str) -> bool:
    found = condition(job, kind)
    return found is not None and found.get("status") == "True"


def _truth(value: bool | None) -> str:
    return "<unset>" if value is None else str(bool(value))


JOB = TableShape(
    (
        NAME,
        Column("Status", description="Where it stands."),
        Column("Completions", description="Pods that have succeeded, of those wanted."),
        Column("Duration", description="How long it took, or has been taking."),
        AGE,
        *_POD_COLUMNS,
    ),
    job_cells,
)

CRON_JOB = TableShape(
    (
        NAME,
        Column("Schedule", description="When it starts Jobs."),
        Column("Timezone", description="Where the clock of the schedule hangs."),
        Column("Suspend", "boolean", description="Whether it starts none for now."),
        Column("Active", "integer", description="Jobs of it that run."),
        Column("Last Schedule", description="How long ago it last started one."),
        AGE,
        *_POD_COLUMNS,
    ),
    cron_job_cells,
)
