"""CronJobs: Jobs at set times.

The names of its Jobs are its own with eleven characters behind it, so it is shorter than others'. Time zones are those that the
machine knows.
Source: the Kubernetes page "CronJob" and the API reference of CronJobSpec.
"""

import zoneinfo
from collections.abc import Iterator, Sequence

from apimachinery import cron, names
from apimachinery.errors import FieldError
from apimachinery.kinds import CronJob, JobTemplateSpec
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, not_negative, one_of
from apiserver.strategy.jobs import default_job_template, validate_job
from apiserver.strategy.meta import validate_template_meta
from apiserver.strategy.pod_warnings import pod_spec_warnings

NAME_MAX = 52
SUCCESSFUL_HISTORY = 3
FAILED_HISTORY = 1
_TEMPLATE = "spec.jobTemplate"


class CronJobStrategy(Strategy[CronJob]):
    has_status = True
    has_generation = True

    def name_problems(self, name: str) -> Sequence[str]:
        problems = list(names.dns_1123_subdomain(name))
        return [*problems, f"must be no more than {NAME_MAX} characters"] if len(name) > NAME_MAX else problems

    def default(self, obj: CronJob) -> None:
        spec = obj.spec
        spec.concurrency_policy = spec.concurrency_policy or "Allow"
        spec.suspend = bool(spec.suspend)
        if spec.successful_jobs_history_limit is None:
            spec.successful_jobs_history_limit = SUCCESSFUL_HISTORY
        if spec.failed_jobs_history_limit is None:
            spec.failed_jobs_history_limit = FAILED_HISTORY
        default_job_template(spec.job_template.spec)

    def check(self, obj: CronJob) -> Iterator[FieldError]:
        spec = obj.spec
        yield from _validate_schedule(spec.schedule, "spec.schedule")
        yield from _validate_zone(spec.time_zone, "spec.timeZone")
        yield from not_negative("spec.startingDeadlineSeconds", spec.starting_deadline_seconds)
        yield from one_of("spec.concurrencyPolicy", spec.concurrency_policy, ("Allow", "Forbid", "Replace"))
        yield from not_negative("spec.successfulJobsHistoryLimit", spec.successful_jobs_history_limit)
        yield from not_negative("spec.failedJobsHistoryLimit", spec.failed_jobs_history_limit)
        yield from _validate_template(spec.job_template, _TEMPLATE)

    def warnings(self, obj: CronJob) -> list[str]:
        return list(pod_spec_warnings(obj.spec.job_template.spec.template.spec, f"{_TEMPLATE}.spec.template.spec"))


def _validate_schedule(schedule: str, path: str) -> Errors:
    if not schedule:
        yield FieldError.required(path)
    elif "TZ" in schedule:
        yield FieldError.invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    else:
        try:
            cron.parse(schedule)
        except cron.CronError as error:
            yield FieldError.invalid(path, schedule, str(error))


def _validate_zone(zone: str, path: str) -> Errors:
    if zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield FieldError.invalid(path, zone, detail)
    elif zone:
        try:
            zoneinfo.ZoneInfo(zone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            yield FieldError.invalid(path, zone, f"unknown time zone {zone}")


def _validate_template(template: JobTemplateSpec, path: str) -> Errors:
    yield from validate_template_meta(template.metadata, f"{path}.metadata")
    yield from validate_job(template.spec, f"{path}.spec")
    if template.spec.selector is not None:
        yield FieldError.invalid(f"{path}.spec.selector", template.spec.selector, "`selector` will be auto-generated")
    if template.spec.manual_selector:
        yield FieldError.not_supported(f"{path}.spec.manualSelector", True, ("nil", "false"))
