"""What a table is: columns, and a pure function from an object (plain data) and the present moment to its cells.

A cell is a string, a number, a boolean or nothing, as in the API's own Table; priority 0 columns are always shown, others only
when asked for (`-o wide`).
Source: the Kubernetes page "Table" of the API reference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from apimachinery.times import age_s, human_duration

Plain: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Column:
    """One column: its name, its JSON type, its format (`name` marks the object's name), when it shows and what it means."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


@dataclass(frozen=True)
class TableShape:
    """The columns of a kind, and how its objects fill them."""

    columns: tuple[Column, ...]
    cells: Callable[[Plain, datetime], list[Cell]]


NAME = Column("Name", format="name", description="The name, unique among the objects of its kind in its namespace.")
AGE = Column("Age", description="How long ago the object was created.")


def wide(name: str, description: str = "", type: str = "string") -> Column:
    """A column that shows only when asked for."""
    return Column(name, type=type, priority=1, description=description)


def name_of(obj: Plain) -> str:
    return str((obj.get("metadata") or {}).get("name", ""))


def since(moment: str | None, now: datetime) -> str:
    """The time that has passed since an RFC 3339 time; `<unknown>` when there is none."""
    seconds = age_s(moment, now)
    return "<unknown>" if seconds is None else human_duration(seconds)


def age(obj: Plain, now: datetime) -> str:
    return since((obj.get("metadata") or {}).get("creationTimestamp"), now)


def shortened(items: Sequence[str], limit: int = 3, empty: str = "<none>") -> str:
    """The first items, and how many more there are."""
    if not items:
        return empty
    listed = ",".join(items[:limit])
    return f"{listed} + {len(items) - limit} more..." if len(items) > limit else listed


def selector_text(selector: Plain | None) -> str:
    """A LabelSelector in one line: `app=web,tier in (a,b)`; `<none>` when it asks for nothing."""
    if not selector:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        values = ",".join(sorted(expression.get("values") or ()))
        key, operator = expression.get("key", ""), expression.get("operator", "")
        texts = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key, "DoesNotExist": f"!{key}"}
        parts.append(texts.get(operator, f"{key} {operator} ({values})"))
    return ",".join(parts) or "<none>"


def labels_text(labels: Plain | None, empty: str = "<none>") -> str:
    """`a=b,c=d`, sorted."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or empty


def images_of(pod_spec: Plain) -> tuple[str, str]:
    """Names and images of a pod's containers, each in one cell."""
    containers = pod_spec.get("containers") or ()
    return ",".join(each.get("name", "") for each in containers), ",".join(each.get("image", "") for each in containers)


def condition(obj: Plain, kind: str) -> Plain | None:
    """The status condition of that type, if there is one."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), None)
