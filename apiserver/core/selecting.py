"""Selector parameters into the predicate and the shortcut by which the cache finds what they select."""

from collections.abc import Mapping

import msgspec

from apimachinery import errors, fields, labels
from apimachinery.fields import FieldSelector, FieldSelectorError
from apimachinery.labels import Selector, SelectorError
from apimachinery.resources import Resource

SHORTCUTS = ("spec.nodeName", "metadata.name", "involvedObject.uid", "involvedObject.name")
"""Fields with many values, best first: watchers of one value of these are found by it."""


class Matches(msgspec.Struct, frozen=True):
    """Both selectors as one predicate; equal selectors make equal predicates, so their watchers share the work."""

    labels: Selector
    fields: FieldSelector

    def __call__(self, object_labels: Mapping[str, str], object_fields: Mapping[str, str]) -> bool:
        return self.labels.matches(object_labels) and self.fields.matches(object_fields)


def parse_selectors(resource: Resource, label_selector: str, field_selector: str) -> Matches | None:
    """The predicate of a request, None when it selects everything; raises ApiError (400)."""
    if not label_selector and not field_selector:
        return None
    try:
        by_labels = labels.parse(label_selector)
        by_fields = fields.parse(field_selector, resource)
    except (SelectorError, FieldSelectorError) as error:
        raise errors.bad_request(str(error)) from error
    return None if by_labels.empty and by_fields.empty else Matches(by_labels, by_fields)


def shortcut(matches: Matches | None) -> tuple[str, str] | None:
    """A field and the one value that the predicate demands of it."""
    if matches is None:
        return None
    for path in SHORTCUTS:
        if (value := matches.fields.exact(path)) is not None:
            return path, value
    return None


def label_shortcut(matches: Matches | None) -> tuple[str, str] | None:
    """A label and the one value that the predicate demands of it."""
    return None if matches is None else matches.labels.exact()


def parse_revision(text: str) -> int | None:
    """A resourceVersion parameter: None for the newest, else the number; raises ApiError (400)."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise errors.bad_request(f'resourceVersion: Invalid value: "{text}": must be a whole number')
    return int(text)
