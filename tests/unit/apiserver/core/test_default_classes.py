"""Which class is the default."""

import pytest

from apimachinery.codec import convert
from apimachinery.kinds import StorageClass
from apiserver.core.default_classes import DEFAULT_ANNOTATIONS, default_class

NEW, OLD = DEFAULT_ANNOTATIONS


def storage_class(name: str, made: str, annotation: str = NEW, value: str = "true") -> StorageClass:
    meta = {"name": name, "creationTimestamp": f"2026-01-01T00:00:{made}Z", "annotations": {annotation: value}}
    return convert(StorageClass, {"metadata": meta})


CASES = (
    ("none", [], None),
    ("none is marked", [storage_class("a", "01", value="false"), storage_class("b", "02", "other")], None),
    ("the newest of several", [storage_class("a", "01"), storage_class("c", "03", OLD), storage_class("b", "02")], "c"),
    ("the first by name of one moment", [storage_class("b", "01"), storage_class("a", "01")], "a"),
)


@pytest.mark.parametrize(("name", "classes", "want"), CASES, ids=[each[0] for each in CASES])
def test_default_class(name: str, classes: list[StorageClass], want: str | None) -> None:
    found = default_class(classes)
    assert (found.metadata.name if found is not None else None) == want
