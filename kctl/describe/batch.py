"""Descriptions of Jobs and CronJobs."""

from apimachinery.printing.batch import job_duration
from apimachinery.printing.shape import selector_text
from kctl.describe.common import (
    Plain,
    Surroundings,
    annotations,
    controlled_by,
    events,
    heading,
    labels,
    long_time,
    lower_truth,
    metadata_of,
    truth,
)
from kctl.describe.pods import describe_template
from kctl.describe.text import Page

UNSET = "<unset>"


def describe_job(job: Plain, around: Surroundings) -> Page:
    page, spec, status, metadata = Page(), job.get("spec") or {}, job.get("status") or {}, metadata_of(job)
    heading(page, job)
    page.field("Selector", selector_text(spec.get("selector")))
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    controlled_by(page, job)
    page.field("Parallelism", _given(spec.get("parallelism")))
    page.field("Completions", _given(spec.get("completions")))
    page.optional("Completion Mode", spec.get("completionMode"))
    page.field("Suspend", lower_truth(spec.get("suspend")))
    page.field("Backoff Limit", _given(spec.get("backoffLimit")))
    page.optional("TTL Seconds After Finished", spec.get("ttlSecondsAfterFinished"))
    page.optional("Start Time", long_time(status.get("startTime")))
    page.optional("Completed At", long_time(status.get("completionTime")))
    page.optional("Duration", job_duration(job, around.now) if status.get("completionTime") else "")
    if spec.get("activeDeadlineSeconds") is not None:
        page.field("Active Deadline Seconds", f"{spec['activeDeadlineSeconds']}s")
    page.field("Pods Statuses", _statuses(status))
    page.optional("Completed Indexes", status.get("completedIndexes"))
    page.line("Pod Template:")
    page.extend(describe_template(spec.get("template") or {}), 1)
    events(page, around)
    return page


def describe_cron_job(cron_job: Plain, around: Surroundings) -> Page:
    page, spec, status, metadata = (
        Page(),
        cron_job.get("spec") or {},
        cron_job.get("status") or {},
        metadata_of(cron_job),
    )
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    heading(page, cron_job)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Schedule", spec.get("schedule", ""))
    page.optional("Time Zone", spec.get("timeZone"))
    page.field("Concurrency Policy", spec.get("concurrencyPolicy", ""))
    page.field("Suspend", truth(spec.get("suspend")))
    page.field("Successful Job History Limit", _given(spec.get("successfulJobsHistoryLimit")))
    page.field("Failed Job History Limit", _given(spec.get("failedJobsHistoryLimit")))
    deadline_s = spec.get("startingDeadlineSeconds")
    page.field("Starting Deadline Seconds", UNSET if deadline_s is None else f"{deadline_s}s")
    page.field("Selector", selector_text(job_spec["selector"]) if job_spec.get("selector") else UNSET)
    page.field("Parallelism", _given(job_spec.get("parallelism")))
    page.field("Completions", _given(job_spec.get("completions")))
    page.line("Pod Template:")
    page.extend(describe_template(job_spec.get("template") or {}), 1)
    page.field("Last Schedule Time", long_time(status.get("lastScheduleTime")) or UNSET)
    page.field("Active Jobs", ", ".join(each.get("name", "") for each in status.get("active") or ()) or "<none>")
    events(page, around)
    return page


def _statuses(status: Plain) -> str:
    """`1 Active (0 Ready) / 2 Succeeded / 0 Failed`"""
    active, ready = status.get("active") or 0, status.get("ready")
    running = f"{active} Active" if ready is None else f"{active} Active ({ready} Ready)"
    return f"{running} / {status.get('succeeded') or 0} Succeeded / {status.get('failed') or 0} Failed"


def _given(value: object) -> object:
    return UNSET if value is None else value
