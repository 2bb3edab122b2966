"""ReplicationControllers, which select by labels alone, and PodTemplates.

Source: the Kubernetes page "ReplicationController"; the API reference of PodTemplate.
"""

from collections.abc import Iterator
from typing import Any

from apimachinery.errors import FieldError
from apimachinery.kinds import PodTemplate, ReplicationController
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import not_negative
from apiserver.strategy.pod_defaults import default_pod_spec
from apiserver.strategy.pod_spec import validate_template
from apiserver.strategy.pod_warnings import pod_spec_warnings
from apiserver.strategy.templates import mismatch, validate_counts, validate_kept_running


class ReplicationControllerStrategy(Strategy[ReplicationController]):
    has_status = True
    has_generation = True

    def default(self, obj: ReplicationController) -> None:
        """What is not selected by anything is selected, and labelled, by the labels of the template."""
        spec = obj.spec
        if spec.replicas is None:
            spec.replicas = 1
        if spec.template is not None:
            labels = spec.template.metadata.labels
            spec.selector = spec.selector or dict(labels)
            obj.metadata.labels = obj.metadata.labels or dict(labels)
            default_pod_spec(spec.template.spec)

    def check(self, obj: ReplicationController) -> Iterator[FieldError]:
        spec = obj.spec
        yield from not_negative("spec.minReadySeconds", spec.min_ready_seconds)
        yield from not_negative("spec.replicas", spec.replicas)
        if not spec.selector:
            yield FieldError.required("spec.selector")
        if spec.template is None:
            yield FieldError.required("spec.template")
            return
        if spec.selector and not spec.selector.items() <= spec.template.metadata.labels.items():
            yield mismatch(spec.template, "spec.template")
        yield from validate_template(spec.template, "spec.template")
        yield from validate_kept_running(spec.template, "spec.template.spec", "ReplicationController")

    def check_status_update(self, new: ReplicationController, old: ReplicationController) -> Iterator[FieldError]:
        status = new.status
        counts = {
            "replicas": status.replicas,
            "fullyLabeledReplicas": status.fully_labeled_replicas,
            "readyReplicas": status.ready_replicas,
            "availableReplicas": status.available_replicas,
        }
        yield from validate_counts(counts, status.observed_generation)

    def warnings(self, obj: ReplicationController) -> list[str]:
        return list(pod_spec_warnings(obj.spec.template.spec, "spec.template.spec")) if obj.spec.template else []


class PodTemplateStrategy(Strategy[PodTemplate]):
    has_generation = True

    def default(self, obj: PodTemplate) -> None:
        default_pod_spec(obj.template.spec)

    def check(self, obj: PodTemplate) -> Iterator[FieldError]:
        return validate_template(obj.template, "template")

    def specification(self, obj: PodTemplate) -> Any:
        return obj.template

    def warnings(self, obj: PodTemplate) -> list[str]:
        return list(pod_spec_warnings(obj.template.spec, "template.spec"))
