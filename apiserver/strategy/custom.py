"""Objects of custom resources: the rules that their definition states.

Source: the Kubernetes page on CustomResourceDefinitions, sections "Validation" and "Subresources".
"""

from __future__ import annotations

from typing import Any

from apimachinery import codec
from apimachinery.errors import FieldError
from apimachinery.kinds.custom import Custom
from apiserver.core.custom import CustomResource, value_at
from apiserver.strategy import meta
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors
from apiserver.structural import ABSENT, check_rules, fill_defaults, validate

INT32_MAX = (1 << 31) - 1


class CustomStrategy(Strategy[Custom]):
    """The rules of one version of a custom resource."""

    has_generation = True
    allow_unconditional_update = False

    def __init__(self, row: CustomResource) -> None:
        super().__init__(row)
        self.row = row
        self.serves_status = "status" in row.subresources

    def default(self, obj: Custom) -> None:
        fill_defaults(self.row.node, obj.content)

    def prepare_create(self, obj: Custom) -> None:
        super().prepare_create(obj)
        if self.serves_status:
            obj.content.pop("status", None)

    def prepare_update(self, new: Custom, old: Custom, subresource: str) -> None:
        if subresource == "status":
            _keep_metadata(new, old)
        super().prepare_update(new, old, subresource)
        if self.serves_status and subresource != "status":
            _set_status(new, old.content.get("status", ABSENT))

    def keep_all_but_status(self, new: Custom, old: Custom) -> None:
        status = new.content.get("status", ABSENT)
        new.content = dict(old.content)
        _set_status(new, status)

    def specification(self, obj: Custom) -> Any:
        """Everything beside the metadata; not the status where that is a subresource."""
        if not self.serves_status:
            return obj.content
        return {name: value for name, value in obj.content.items() if name != "status"}

    def check(self, obj: Custom) -> Errors:
        yield from self._check_named(obj)
        yield from self._check_content(obj, None)

    def validate_update(self, new: Custom, old: Custom, subresource: str) -> list[FieldError]:
        """What has not changed is not judged again."""
        found = [*meta.validate_meta_update(new.metadata, old.metadata)]
        if new.metadata != old.metadata:
            found += self.check_meta(new)
        return [*found, *self._check_content(new, old)]

    def _check_content(self, new: Custom, old: Custom | None) -> list[FieldError]:
        """The schema first; rules are asked of what keeps to it."""
        before = ABSENT if old is None else old.content
        found = validate(self.row.node, new.content, "", before) or list(self._check_scale(new))
        if self.row.rules is None or found:
            return found
        return check_rules(self.row.rules, _ruled(new), "", ABSENT if old is None else _ruled(old))

    def _check_named(self, obj: Custom) -> Errors:
        described = self.row.node.properties.get("metadata")
        if described is not None and described.properties:
            given = {name: getattr(obj.metadata, attribute) for name, attribute in _NAMES.items()}
            yield from validate(described, {name: value for name, value in given.items() if value}, "metadata")

    def _check_scale(self, obj: Custom) -> Errors:
        scale = self.row.scale
        if scale is None:
            return
        for path in (scale.replicas, scale.status_replicas):
            value = value_at(obj, path)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= INT32_MAX):
                yield FieldError.invalid("." + ".".join(path), value, "should be a non-negative integer")


_NAMES = {"name": "name", "generateName": "generate_name"}


def _ruled(obj: Custom) -> dict[str, Any]:
    """What rules see of an object: of its metadata the names alone."""
    meta = {"name": obj.metadata.name, "generateName": obj.metadata.generate_name}
    named = {name: value for name, value in meta.items() if value}
    return {**obj.content, "apiVersion": obj.api_version, "kind": obj.kind, "metadata": named}


def _keep_metadata(new: Custom, old: Custom) -> None:
    """A status update of a custom resource changes its status alone."""
    kept = codec.deep_copy(old.metadata)
    kept.managed_fields, kept.resource_version = new.metadata.managed_fields, new.metadata.resource_version
    new.metadata = kept


def _set_status(obj: Custom, status: Any) -> None:
    if status is ABSENT:
        obj.content.pop("status", None)
    else:
        obj.content["status"] = status
