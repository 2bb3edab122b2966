"""What workloads have in common: a selector, the template of the pods that it selects, and the counts of their status."""

from collections.abc import Mapping

from apimachinery import labels
from apimachinery.errors import FieldError
from apimachinery.kinds import LabelSelector, PodTemplateSpec
from apimachinery.kinds.base import IntOrString
from apiserver.strategy.checks import Errors, count_or_percentage, not_negative, percentage
from apiserver.strategy.pod_spec import validate_template
from apiserver.strategy.selectors import is_empty, validate_label_selector


def validate_selected_template(selector: LabelSelector, template: PodTemplateSpec, path: str, owner: str) -> Errors:
    """A selector, and the template of pods that it must select and that must be kept running; `owner` is the kind."""
    yield from validate_selector(selector, template, path, owner)
    yield from validate_template(template, f"{path}.template")
    yield from validate_kept_running(template, f"{path}.template.spec", owner)


def validate_selector(selector: LabelSelector, template: PodTemplateSpec, path: str, owner: str) -> Errors:
    errors = list(validate_label_selector(selector, f"{path}.selector"))
    yield from errors
    if is_empty(selector):
        yield FieldError.required(f"{path}.selector", f"empty selector is invalid for {owner.lower()}")
    elif not errors and not labels.from_struct(selector).matches(template.metadata.labels):
        yield mismatch(template, f"{path}.template")


def mismatch(template: PodTemplateSpec, path: str) -> FieldError:
    detail = "`selector` does not match template `labels`"
    return FieldError.invalid(f"{path}.metadata.labels", template.metadata.labels, detail)


def validate_kept_running(template: PodTemplateSpec, path: str, owner: str) -> Errors:
    """Pods that are replaced when they end must not be made to end."""
    if template.spec.restart_policy not in ("", "Always"):
        yield FieldError.not_supported(f"{path}.restartPolicy", template.spec.restart_policy, ("Always",))
    if template.spec.active_deadline_seconds is not None:
        detail = f"activeDeadlineSeconds in {owner} is not Supported"
        yield FieldError.forbidden(f"{path}.activeDeadlineSeconds", detail)


def validate_share(path: str, value: IntOrString | None) -> Errors:
    """How many pods may be missing or added while they are replaced: a number, or a part of all."""
    yield from count_or_percentage(path, value)
    if (percentage(value) or 0) > 100:
        yield FieldError.invalid(path, value, "must not be greater than 100%")


def is_zero(value: IntOrString | None) -> bool:
    """Whether such a share is nothing."""
    return value in (0, None) or percentage(value) == 0


def validate_counts(counts: Mapping[str, int | None], observed_generation: int | None) -> Errors:
    """Counts of a status: none negative, and no part larger than all."""
    for name, count in counts.items():
        yield from not_negative(f"status.{name}", count)
    yield from not_negative("status.observedGeneration", observed_generation)
    total = counts["replicas"] or 0
    for name, count in counts.items():
        if name not in ("replicas", "unavailableReplicas") and count is not None and count > max(total, 0):
            yield FieldError.invalid(f"status.{name}", count, "cannot be greater than status.replicas")
    if (counts["availableReplicas"] or 0) > (counts["readyReplicas"] or 0):
        yield FieldError.invalid(
            "status.availableReplicas", counts["availableReplicas"], "cannot be greater than readyReplicas"
        )


def validate_collisions(new: int | None, old: int | None) -> Errors:
    """Collisions of names are counted and never forgotten."""
    yield from not_negative("status.collisionCount", new)
    if (new or 0) < (old or 0):
        yield FieldError.invalid("status.collisionCount", new or 0, "cannot be decremented")
