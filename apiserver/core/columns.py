"""The tables of custom resources: additionalPrinterColumns, each filled by a JSONPath.

Source: the Kubernetes page on CustomResourceDefinitions, section "Additional printer columns".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from apimachinery import jsonpath
from apimachinery.kinds import CustomResourceColumnDefinition
from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of, since


def table_shape(columns: Sequence[CustomResourceColumnDefinition]) -> TableShape:
    """The table of a version; the name and, where nothing is said, the age are always there."""
    if not columns:
        return TableShape((NAME, AGE), lambda obj, now: [name_of(obj), age(obj, now)])
    paths = [jsonpath.parse(f"{{{column.json_path}}}") for column in columns]

    def cells(obj: Plain, now: datetime) -> list[Cell]:
        found = [_cell(column, jsonpath.find(path, obj), now) for column, path in zip(columns, paths, strict=True)]
        return [name_of(obj), *found]

    return TableShape((NAME, *map(_column, columns)), cells)


def _column(column: CustomResourceColumnDefinition) -> Column:
    described = column.description or f"Custom resource definition column (in JSONPath format): {column.json_path}"
    return Column(column.name, column.type, column.format, column.priority or 0, described)


def _cell(column: CustomResourceColumnDefinition, found: Sequence[Any], now: datetime) -> Cell:
    """One value as its column's type shows it; a value of another type is left out. Empty cells are null in the API."""
    if not found:
        return None
    value = found[0]
    match column.type:
        case "date":
            return _age(value, now)
        case "integer":
            return _whole(value)
        case "number":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case _:
            return _text(found)


def _age(value: Any, now: datetime) -> Cell:
    try:
        return since(value, now) if isinstance(value, str) else "<unknown>"
    except ValueError:
        return "<invalid>"


def _whole(value: Any) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value)


def _text(found: Sequence[Any]) -> str:
    if len(found) > 1:
        return msgspec.json.encode(list(found)).decode()
    value = found[0]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
