"""What the status of a Job may say: counts that agree, and conditions that end it once and for all.

A Job that has succeeded or failed says so beforehand (SuccessCriteriaMet, FailureTarget), so that nobody takes it for finished
while pods of it still run.
Source: the Kubernetes page "Jobs", section "Termination of Job pods"; the API reference of JobStatus.
"""

from apimachinery.errors import FieldError
from apimachinery.indexes import IndexesError, overlap, parse_indexes
from apimachinery.kinds import Job, JobStatus
from apimachinery.times import parse_time
from apiserver.strategy.checks import Errors, not_negative

_EXCLUSIVE = (
    ("Complete", "Failed"),
    ("Complete", "FailureTarget"),
    ("SuccessCriteriaMet", "Failed"),
    ("SuccessCriteriaMet", "FailureTarget"),
)
_ANNOUNCED = (("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet"))
_FINAL = ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")


def validate_job_status(new: Job, old: Job) -> Errors:
    status, true = new.status, _true_conditions(new.status)
    yield from _validate_counts(status, "status")
    yield from _validate_uncounted(status, "status.uncountedTerminatedPods")
    yield from _validate_conditions(true, _true_conditions(old.status), "status.conditions")
    yield from _validate_times(new, old, "Complete" in true)
    if true & {"Complete", "Failed"}:
        yield from _validate_finished(status, "status")
    yield from _validate_indexes(new, "status")


def _true_conditions(status: JobStatus) -> set[str]:
    return {condition.type for condition in status.conditions if condition.status == "True"}


def _validate_counts(status: JobStatus, path: str) -> Errors:
    for name, count in (
        ("active", status.active),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("ready", status.ready),
        ("terminating", status.terminating),
    ):
        yield from not_negative(f"{path}.{name}", count)
    if (status.ready or 0) > max(status.active or 0, 0):
        yield FieldError.invalid(f"{path}.ready", status.ready, "cannot set more ready pods than active")


def _validate_uncounted(status: JobStatus, path: str) -> Errors:
    uncounted = status.uncounted_terminated_pods
    seen: set[str] = set()
    for name, uids in (("succeeded", uncounted.succeeded), ("failed", uncounted.failed)) if uncounted else ():
        for index, uid in enumerate(uids):
            if not uid:
                yield FieldError.invalid(f"{path}.{name}[{index}]", uid, "must not be empty")
            elif uid in seen:
                yield FieldError.duplicate(f"{path}.{name}[{index}]", uid)
            seen.add(uid)


def _validate_conditions(true: set[str], before: set[str], path: str) -> Errors:
    shown = sorted(true)
    for one, other in _EXCLUSIVE:
        if one in true and other in true:
            yield FieldError.invalid(path, shown, f"cannot set {one}=True and {other}=true conditions")
    for final, announcement in _ANNOUNCED:
        if final in true and announcement not in true:
            detail = f"cannot set {final}=True condition without the {announcement}=true condition"
            yield FieldError.invalid(path, shown, detail)
    for condition in _FINAL:
        if condition in before and condition not in true:
            yield FieldError.invalid(path, shown, f"cannot disable the terminal {condition}=True condition")


def _validate_times(new: Job, old: Job, complete: bool) -> Errors:
    status, before, path = new.status, old.status, "status.completionTime"
    if status.completion_time is not None and not complete:
        detail = "cannot set completionTime when there is no Complete=True condition"
        yield FieldError.invalid(path, status.completion_time, detail)
    if status.completion_time is None and complete:
        yield FieldError.required(path, "completionTime is required for Complete jobs")
    if status.start_time and status.completion_time and parse_time(status.completion_time) < parse_time(status.start_time):
        yield FieldError.invalid(path, status.completion_time, "must be equal to or after `startTime`")
    if before.completion_time is not None and status.completion_time != before.completion_time:
        yield FieldError.invalid(path, status.completion_time, "field is immutable")
    if before.start_time is not None and status.start_time != before.start_time and not new.spec.suspend:
        if status.start_time is None:
            yield FieldError.required("status.startTime", "startTime cannot be removed for unsuspended job")
        else:
            detail = "startTime cannot be updated for unsuspended job"
            yield FieldError.invalid("status.startTime", status.start_time, detail)


def _validate_finished(status: JobStatus, path: str) -> Errors:
    """Nothing of a finished Job is left to run or to count."""
    for name, count in (("active", status.active), ("terminating", status.terminating)):
        if (count or 0) > 0:
            yield FieldError.invalid(f"{path}.{name}", count, f"{name}>0 is invalid for finished job")
    if status.start_time is None:
        yield FieldError.required(f"{path}.startTime", "startTime is required for finished job")
    uncounted = status.uncounted_terminated_pods
    if uncounted is not None and (uncounted.succeeded or uncounted.failed):
        yield FieldError.invalid(f"{path}.uncountedTerminatedPods", uncounted, "must be empty for finished job")


def _validate_indexes(job: Job, path: str) -> Errors:
    status, spec = job.status, job.spec
    if status.completed_indexes and spec.completion_mode != "Indexed":
        detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield FieldError.invalid(f"{path}.completedIndexes", status.completed_indexes, detail)
    if status.failed_indexes and spec.backoff_limit_per_index is None:
        detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield FieldError.invalid(f"{path}.failedIndexes", status.failed_indexes, detail)
    parsed = []
    for name, text in (("completedIndexes", status.completed_indexes), ("failedIndexes", status.failed_indexes)):
        try:
            parsed.append(parse_indexes(text, spec.completions or 0))
        except IndexesError as error:
            yield FieldError.invalid(f"{path}.{name}", text, f"error parsing {name}: {error}")
    if len(parsed) == 2 and (common := overlap(*parsed)) is not None:
        detail = f"failedIndexes and completedIndexes overlap at index: {common}"
        yield FieldError.invalid(f"{path}.failedIndexes", status.failed_indexes, detail)
