"""Jobs: pods that run to their end. A Job's pods are found by a label with its uid, unless it asks for a selector of its own.

Source: the Kubernetes pages "Jobs" and "Automatic Cleanup for Finished Jobs"; the API reference of JobSpec.
"""

from collections.abc import Iterator, Mapping

from apimachinery import codec, names
from apimachinery.errors import FieldError
from apimachinery.kinds import Affinity, Job, JobSpec, LabelSelector, PodSpec, PodTemplateSpec
from apimachinery.labels import from_struct
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import INT32_MAX, Errors, not_negative, unchanged
from apiserver.strategy.job_policies import validate_failure_policy, validate_success_policy
from apiserver.strategy.job_status import validate_job_status
from apiserver.strategy.pod_defaults import default_pod_spec
from apiserver.strategy.pod_spec import validate_template
from apiserver.strategy.pod_warnings import pod_spec_warnings
from apiserver.strategy.selectors import validate_label_selector
from apiserver.strategy.templates import mismatch

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
LEGACY_CONTROLLER_UID = "controller-uid"
LEGACY_JOB_NAME = "job-name"

INDEXED_PARALLELISM_MAX = 100_000
FAILED_INDEXES_MAX = 100_000
COMPLETIONS_SOFT_MAX = 100_000
PARALLELISM_MAX_OF_MANY = 10_000
FAILED_INDEXES_MAX_OF_MANY = 10_000
MANAGER_MAX = 63
BACKOFF_LIMIT = 6


class JobStrategy(Strategy[Job]):
    has_status = True
    has_generation = True

    def default(self, obj: Job) -> None:
        spec = obj.spec
        default_job_template(spec)
        if spec.completions is None and spec.parallelism is None:
            spec.completions = 1
        if spec.parallelism is None:
            spec.parallelism = 1
        if spec.backoff_limit is None:
            spec.backoff_limit = BACKOFF_LIMIT if spec.backoff_limit_per_index is None else INT32_MAX
        obj.metadata.labels = obj.metadata.labels or dict(spec.template.metadata.labels)
        spec.completion_mode = spec.completion_mode or "NonIndexed"
        spec.suspend = bool(spec.suspend)
        spec.manual_selector = bool(spec.manual_selector)
        if not spec.pod_replacement_policy:
            spec.pod_replacement_policy = "TerminatingOrFailed" if spec.pod_failure_policy is None else "Failed"

    def prepare_create(self, obj: Job) -> None:
        super().prepare_create(obj)
        if not obj.spec.manual_selector:
            _generate_selector(obj)
            self.default(obj)  # a template without labels of its own has some now

    def validate(self, obj: Job) -> list[FieldError]:
        found = super().validate(obj)
        if not obj.spec.manual_selector:
            found += _validate_generated_selector(obj)
        if obj.spec.completion_mode == "Indexed" and (obj.spec.completions or 0) > 0:
            last = f"{obj.metadata.name}-{(obj.spec.completions or 0) - 1}"
            if names.dns_1123_label(last):
                detail = f"will not able to create pod with invalid DNS label: {last}"
                found.append(FieldError.invalid("metadata.name", obj.metadata.name, detail))
        return found

    def check(self, obj: Job) -> Iterator[FieldError]:
        spec = obj.spec
        yield from validate_job(spec, "spec")
        if spec.selector is None:
            yield FieldError.required("spec.selector")
            return
        yield from validate_label_selector(spec.selector, "spec.selector")
        if not _selects(spec.selector, spec.template.metadata.labels):
            yield mismatch(spec.template, "spec.template")

    def check_update(self, new: Job, old: Job, subresource: str) -> Iterator[FieldError]:
        yield from _validate_completions(new.spec, old.spec, "spec.completions")
        yield from unchanged("spec.selector", new.spec.selector, old.spec.selector)
        yield from unchanged("spec.template", new.spec.template, _movable(old, new.spec.template))
        for path, attribute in (
            ("spec.completionMode", "completion_mode"),
            ("spec.podFailurePolicy", "pod_failure_policy"),
            ("spec.backoffLimitPerIndex", "backoff_limit_per_index"),
            ("spec.managedBy", "managed_by"),
            ("spec.successPolicy", "success_policy"),
        ):
            yield from unchanged(path, getattr(new.spec, attribute), getattr(old.spec, attribute))

    def check_status_update(self, new: Job, old: Job) -> Iterator[FieldError]:
        return validate_job_status(new, old)

    def warnings(self, obj: Job) -> list[str]:
        return list(pod_spec_warnings(obj.spec.template.spec, "spec.template.spec"))


def default_job_template(spec: JobSpec) -> None:
    """What Jobs and the Jobs of CronJobs have in common."""
    default_pod_spec(spec.template.spec)
    for rule in spec.pod_failure_policy.rules if spec.pod_failure_policy is not None else ():
        for pattern in rule.on_pod_conditions:
            pattern.status = pattern.status or "True"


def validate_job(spec: JobSpec, path: str) -> Errors:
    """Rules for what is to be done, but for the selector."""
    for name, count in (
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ):
        yield from not_negative(f"{path}.{name}", count)
    if spec.managed_by:
        for problem in names.domain_prefixed_path(spec.managed_by):
            yield FieldError.invalid(f"{path}.managedBy", spec.managed_by, problem)
        if len(spec.managed_by) > MANAGER_MAX:
            yield FieldError.too_long(f"{path}.managedBy", MANAGER_MAX)
    yield from _validate_mode(spec, path)
    if spec.pod_failure_policy is not None:
        yield from validate_failure_policy(spec, f"{path}.podFailurePolicy")
    if spec.success_policy is not None:
        yield from validate_success_policy(spec, f"{path}.successPolicy")
    yield from _validate_replacement(spec, f"{path}.podReplacementPolicy")
    yield from validate_template(spec.template, f"{path}.template")
    yield from _validate_restarts(spec, f"{path}.template.spec.restartPolicy")


def _validate_mode(spec: JobSpec, path: str) -> Errors:
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        yield FieldError.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    match spec.completion_mode:
        case "Indexed":
            yield from _validate_indexed(spec, path)
        case "" | "NonIndexed":
            for name, value in (
                ("backoffLimitPerIndex", spec.backoff_limit_per_index),
                ("maxFailedIndexes", spec.max_failed_indexes),
            ):
                if value is not None:
                    yield FieldError.invalid(f"{path}.{name}", value, "requires indexed completion mode")
        case _:
            yield FieldError.not_supported(f"{path}.completionMode", spec.completion_mode, ("Indexed", "NonIndexed"))


def _validate_indexed(spec: JobSpec, path: str) -> Errors:
    completions, parallelism, failed = spec.completions, spec.parallelism or 0, spec.max_failed_indexes
    if completions is None:
        yield FieldError.required(f"{path}.completions", "when completion mode is Indexed")
    if parallelism > INDEXED_PARALLELISM_MAX:
        detail = f"must be less than or equal to {INDEXED_PARALLELISM_MAX} when completion mode is Indexed"
        yield FieldError.invalid(f"{path}.parallelism", parallelism, detail)
    if completions is not None and failed is not None and failed > completions:
        yield FieldError.invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
    if failed is not None and failed > FAILED_INDEXES_MAX:
        yield FieldError.invalid(f"{path}.maxFailedIndexes", failed, f"must be less than or equal to {FAILED_INDEXES_MAX}")
    if (completions or 0) <= COMPLETIONS_SOFT_MAX or spec.backoff_limit_per_index is None:
        return
    many = f"when completions are above {COMPLETIONS_SOFT_MAX} and used with backoff limit per index"
    if failed is None:
        detail = f"must be specified when completions is above {COMPLETIONS_SOFT_MAX}"
        yield FieldError.required(f"{path}.maxFailedIndexes", detail)
    elif failed > FAILED_INDEXES_MAX_OF_MANY:
        detail = f"must be less than or equal to {FAILED_INDEXES_MAX_OF_MANY} {many}"
        yield FieldError.invalid(f"{path}.maxFailedIndexes", failed, detail)
    if parallelism > PARALLELISM_MAX_OF_MANY:
        detail = f"must be less than or equal to {PARALLELISM_MAX_OF_MANY} {many}"
        yield FieldError.invalid(f"{path}.parallelism", parallelism, detail)


def _validate_replacement(spec: JobSpec, path: str) -> Errors:
    """With a failure policy, a pod must have ended before it is judged, and so before it is replaced."""
    supported = ("Failed", "TerminatingOrFailed") if spec.pod_failure_policy is None else ("Failed",)
    if spec.pod_replacement_policy and spec.pod_replacement_policy not in supported:
        yield FieldError.not_supported(path, spec.pod_replacement_policy, supported)


def _validate_restarts(spec: JobSpec, path: str) -> Errors:
    policy = spec.template.spec.restart_policy
    if policy in ("", "Always"):
        yield FieldError.required(path, 'valid values: "OnFailure", "Never"')
    elif spec.pod_failure_policy is not None and policy == "OnFailure":
        yield FieldError.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _generate_selector(job: Job) -> None:
    labels = job.spec.template.metadata.labels
    for key, value in _own_labels(job).items():
        labels.setdefault(key, value)
    selector = job.spec.selector or LabelSelector()
    selector.match_labels.setdefault(CONTROLLER_UID, job.metadata.uid)
    job.spec.selector = selector


def _own_labels(job: Job) -> dict[str, str]:
    """By what the pods of a Job are known, in both spellings."""
    name, uid = job.metadata.name, job.metadata.uid
    return {LEGACY_JOB_NAME: name, JOB_NAME: name, LEGACY_CONTROLLER_UID: uid, CONTROLLER_UID: uid}


def _validate_generated_selector(job: Job) -> Errors:
    """Labels and selector that were given must be what they would have become."""
    if not job.metadata.uid:
        yield FieldError.required("metadata.uid")
    own = _own_labels(job)
    for key, value in own.items():
        actual = job.spec.template.metadata.labels.get(key)
        if actual != value:
            yield FieldError.invalid(f"spec.template.metadata.labels[{key}]", actual, f"must be '{value}'")
    if job.spec.selector is not None and not _selects(job.spec.selector, own):
        yield FieldError.invalid("spec.selector", job.spec.selector, "`selector` not auto-generated")


def _selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether a selector matches; one that is wrong itself is left to its own rules."""
    if any(validate_label_selector(selector, "")):
        return True
    return from_struct(selector).matches(labels)


def _validate_completions(new: JobSpec, old: JobSpec, path: str) -> Errors:
    if new.completion_mode != "Indexed":
        yield from unchanged(path, new.completions, old.completions)
    elif new.completions != old.completions and new.completions != new.parallelism:
        yield FieldError.invalid(path, new.completions, "can only be modified in tandem with spec.parallelism")


def _movable(old: Job, new: PodTemplateSpec) -> PodTemplateSpec:
    """The stored template, with what the new one may say instead: where pods go and what they get, until they have begun."""
    if not old.spec.suspend or old.status.start_time is not None:
        return old.spec.template
    template: PodTemplateSpec = codec.deep_copy(old.spec.template)
    template.metadata.labels, template.metadata.annotations = new.metadata.labels, new.metadata.annotations
    spec, wanted = template.spec, new.spec
    spec.node_selector, spec.tolerations = wanted.node_selector, wanted.tolerations
    spec.scheduling_gates = wanted.scheduling_gates
    spec.affinity = _with_node_affinity(spec, wanted)
    for kept, given in ((spec.containers, wanted.containers), (spec.init_containers, wanted.init_containers)):
        for mine, theirs in zip(kept, given, strict=False):
            mine.resources = theirs.resources
    return template


def _with_node_affinity(old: PodSpec, new: PodSpec) -> Affinity | None:
    affinity = old.affinity or Affinity()
    affinity.node_affinity = new.affinity.node_affinity if new.affinity is not None else None
    return None if affinity == Affinity() and new.affinity is None else affinity
