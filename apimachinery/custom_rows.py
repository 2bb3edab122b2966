"""Rows for the custom resources of a definition, as clients know them: what can be asked for, without the schema.

Source: the Kubernetes page "Versions in CustomResourceDefinitions" for the order of versions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apimachinery.kinds import CustomResourceDefinition, CustomResourceDefinitionVersion
from apimachinery.kinds.custom import Custom
from apimachinery.resources import Conversion, Resource

_VERSION = re.compile(r"v(?P<major>[1-9]\d*)(?:(?P<stage>alpha|beta)(?P<minor>[1-9]\d*))?")


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Orders versions as discovery lists them: v2, v1, v1beta1, v1alpha1, others by name."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return 3, 0, 0, version
    stage = {None: 0, "beta": 1, "alpha": 2}[found["stage"]]
    return stage, -int(found["major"]), -int(found["minor"] or 0), version


def served_versions(definition: CustomResourceDefinition) -> list[CustomResourceDefinitionVersion]:
    """The versions that are served, the preferred one first."""
    return sorted((each for each in definition.spec.versions if each.served), key=lambda each: version_rank(each.name))


def is_established(definition: CustomResourceDefinition) -> bool:
    """Whether the objects that it defines are served."""
    return any(each.type == "Established" and each.status == "True" for each in definition.status.conditions)


def rows_of(definition: CustomResourceDefinition) -> Sequence[Resource]:
    """A row for each version that is served, the preferred one first; the others show what that one shows.

    The class of a row takes any content; clients that are given it find the row by it.
    """
    if not is_established(definition):
        return ()
    rows: list[Resource] = []
    for version in served_versions(definition):
        conversion = Conversion(rows[0], lambda obj: obj, lambda obj: obj) if rows else None
        rows.append(_row(definition, version, conversion))
    return rows


def _row(
    definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion, conversion: Conversion | None
) -> Resource:
    spec, names = definition.spec, definition.status.accepted_names or definition.spec.names
    cls: type[Custom] = type(names.kind, (Custom,), {})
    subresources = version.subresources
    given = {"status": subresources and subresources.status, "scale": subresources and subresources.scale}
    row = Resource(
        spec.group,
        version.name,
        names.plural,
        names.kind,
        cls,
        namespaced=spec.scope == "Namespaced",
        singular=names.singular,
        short_names=tuple(names.short_names),
        categories=tuple(names.categories),
        subresources=tuple(name for name, value in given.items() if value is not None),
        conversion=conversion,
        list_kind=names.list_kind,
    )
    cls.row = row
    return row
