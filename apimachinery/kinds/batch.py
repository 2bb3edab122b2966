"""Work that ends: Jobs and CronJobs (group batch/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Merge, Time, constant, required_list
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.pods import PodTemplateSpec
from apimachinery.kinds.references import ObjectReference


class PodFailurePolicyOnExitCodesRequirement(Base):
    """batch/v1.PodFailurePolicyOnExitCodesRequirement"""

    container_name: str = ""
    operator: str = msgspec.field(default_factory=str)
    values: Annotated[list[Int32], Merge(list_type="set")] = msgspec.field(default_factory=required_list)


class PodFailurePolicyOnPodConditionsPattern(Base):
    """batch/v1.PodFailurePolicyOnPodConditionsPattern"""

    status: str = ""
    type: str = msgspec.field(default_factory=str)


class PodFailurePolicyRule(Base):
    """batch/v1.PodFailurePolicyRule"""

    action: str = msgspec.field(default_factory=str)
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = None
    on_pod_conditions: Annotated[list[PodFailurePolicyOnPodConditionsPattern], Merge(list_type="atomic")] = []


class PodFailurePolicy(Base):
    """batch/v1.PodFailurePolicy"""

    rules: Annotated[list[PodFailurePolicyRule], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class SuccessPolicyRule(Base):
    """batch/v1.SuccessPolicyRule"""

    succeeded_count: Int32 | None = None
    succeeded_indexes: str = ""


class SuccessPolicy(Base):
    """batch/v1.SuccessPolicy"""

    rules: Annotated[list[SuccessPolicyRule], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class JobSpec(Base):
    """batch/v1.JobSpec"""

    active_deadline_seconds: Int64 | None = None
    backoff_limit: Int32 | None = None
    backoff_limit_per_index: Int32 | None = None
    completion_mode: str = ""
    completions: Int32 | None = None
    managed_by: str = ""
    manual_selector: bool | None = None
    max_failed_indexes: Int32 | None = None
    parallelism: Int32 | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    pod_replacement_policy: str = ""
    selector: LabelSelector | None = None
    success_policy: SuccessPolicy | None = None
    suspend: bool | None = None
    template: PodTemplateSpec = msgspec.field(default_factory=PodTemplateSpec)
    ttl_seconds_after_finished: Int32 | None = None


class JobCondition(Base):
    """batch/v1.JobCondition"""

    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class UncountedTerminatedPods(Base):
    """batch/v1.UncountedTerminatedPods"""

    failed: Annotated[list[str], Merge(list_type="set")] = []
    succeeded: Annotated[list[str], Merge(list_type="set")] = []


class JobStatus(Base):
    """batch/v1.JobStatus"""

    active: Int32 | None = None
    completed_indexes: str = ""
    completion_time: Time | None = None
    conditions: Annotated[list[JobCondition], Merge(patch="merge", merge_key="type", list_type="atomic")] = []
    failed: Int32 | None = None
    failed_indexes: str = ""
    ready: Int32 | None = None
    start_time: Time | None = None
    succeeded: Int32 | None = None
    terminating: Int32 | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None


class Job(Object):
    """batch/v1.Job"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("batch/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Job"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: JobSpec = msgspec.field(default_factory=JobSpec)
    status: JobStatus = msgspec.field(default_factory=JobStatus)


class JobTemplateSpec(Base):
    """batch/v1.JobTemplateSpec"""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: JobSpec = msgspec.field(default_factory=JobSpec)


class CronJobSpec(Base):
    """batch/v1.CronJobSpec"""

    concurrency_policy: str = ""
    failed_jobs_history_limit: Int32 | None = None
    job_template: JobTemplateSpec = msgspec.field(default_factory=JobTemplateSpec)
    schedule: str = msgspec.field(default_factory=str)
    starting_deadline_seconds: Int64 | None = None
    successful_jobs_history_limit: Int32 | None = None
    suspend: bool | None = None
    time_zone: str = ""


class CronJobStatus(Base):
    """batch/v1.CronJobStatus"""

    active: Annotated[list[ObjectReference], Merge(list_type="atomic")] = []
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(Object):
    """batch/v1.CronJob"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("batch/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("CronJob"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: CronJobSpec = msgspec.field(default_factory=CronJobSpec)
    status: CronJobStatus = msgspec.field(default_factory=CronJobStatus)
