"""Parts that the descriptions of many kinds share: metadata, conditions, events, times, quantities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apimachinery.printing.core import event_times
from apimachinery.printing.shape import since
from apimachinery.times import parse_time
from kctl.applying import LAST_APPLIED
from kctl.describe.text import Page

MAX_ANNOTATION = 140
HIDDEN_ANNOTATIONS = (LAST_APPLIED, "scheduler.coxswain.dev/verdict")

Plain = Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What a description needs beside the object: other objects that were fetched for it, by name of their part.

    events: None when they are not to be shown.
    """

    now: datetime
    events: Sequence[Plain] | None = ()
    related: Mapping[str, Sequence[Plain]] = field(default_factory=dict)

    def of(self, part: str) -> Sequence[Plain]:
        return self.related.get(part, ())


def metadata_of(obj: Plain) -> Plain:
    found: Plain = obj.get("metadata") or {}
    return found


def heading(page: Page, obj: Plain, *, namespaced: bool = True) -> None:
    """Name and namespace."""
    metadata = metadata_of(obj)
    page.field("Name", metadata.get("name", ""))
    if namespaced:
        page.field("Namespace", metadata.get("namespace", ""))


def labels(page: Page, values: Plain | None, level: int = 0, name: str = "Labels") -> None:
    page.fields(name, [f"{key}={value}" for key, value in sorted((values or {}).items())], level)


def annotations(page: Page, values: Plain | None, level: int = 0) -> None:
    """Annotations; a long one, or one of several lines, below its name."""
    shown = {key: str(value) for key, value in sorted((values or {}).items()) if key not in HIDDEN_ANNOTATIONS}
    lines: list[str] = []
    for key, value in shown.items():
        value = value.removesuffix("\n")
        if "\n" in value or len(key) + len(value) + 2 > MAX_ANNOTATION:
            lines.append(f"{key}:")
            lines += [f"  {_shorten(line, MAX_ANNOTATION - 2)}" for line in value.split("\n")]
        else:
            lines.append(f"{key}: {value}")
    page.fields("Annotations", lines, level)


def controlled_by(page: Page, obj: Plain) -> None:
    owner = next((each for each in metadata_of(obj).get("ownerReferences") or () if each.get("controller")), None)
    if owner is not None:
        page.field("Controlled By", f"{owner.get('kind')}/{owner.get('name')}")


def long_time(text: str | None) -> str:
    """An RFC 3339 time as `Mon, 02 Jan 2006 15:04:05 +0000`, in the local zone."""
    if not text:
        return ""
    return parse_time(text).astimezone().strftime("%a, %d %b %Y %H:%M:%S %z")


def conditions(page: Page, listed: Sequence[Plain], columns: Sequence[tuple[str, str]]) -> None:
    """A table of conditions; columns are (header, field)."""
    if not listed:
        return
    page.line("Conditions:")
    page.table([header for header, _ in columns], [[each.get(key, "") for _, key in columns] for each in listed])


def events(page: Page, around: Surroundings) -> None:
    """The Events section, oldest first; left out when events are not to be shown."""
    if around.events is None:
        return
    listed = sorted(around.events, key=lambda event: event_times(event)[1])
    if not page.section("Events", not listed):
        return
    page.table(
        ("Type", "Reason", "Age", "From", "Message"),
        [
            (each.get("type", ""), each.get("reason", ""), event_age(each, around.now), _event_from(each), _one_line(each))
            for each in listed
        ],
    )


def resources(page: Page, name: str, quantities: Plain | None, level: int = 0) -> None:
    """A list of quantities by resource, left out when empty."""
    if quantities:
        page.line(f"{name}:", level)
        for key, value in sorted(quantities.items()):
            page.field(key, value, level + 1)


def truth(value: object) -> str:
    return "True" if value else "False"


def lower_truth(value: object) -> str:
    return "true" if value else "false"


def event_age(event: Plain, now: datetime) -> str:
    """`5m`, or `5m (x3 over 2h)` for an event that was seen several times."""
    first, last, count = event_times(event)
    return f"{since(last, now)} (x{count} over {since(first, now)})" if count > 1 else since(first, now)


def _event_from(event: Plain) -> str:
    source = event.get("source") or {}
    return str(source.get("component") or event.get("reportingComponent") or "")


def _one_line(event: Plain) -> str:
    return str(event.get("message", "")).strip().replace("\n", " ").replace("\t", " ")


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."
