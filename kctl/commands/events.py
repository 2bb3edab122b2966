"""`kctl events`: what has happened, oldest first; of everything, of one object, or as it comes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kctl import targets, watching
from kctl.errors import KctlError, StatusError
from kctl.options import command, option, switch
from kctl.printers import document_printer, output_of
from kctl.rest import StreamTimeoutError
from kctl.session import Session
from kctl.targets import Target

TYPES = ("Normal", "Warning")


@command("events")
@option("--for", "about", default="", help="Only about this object: TYPE/NAME.")
@option("--types", multiple=True, help="Only these types: Normal, Warning.")
@switch("-w", "--watch", help="After listing, show events as they come.")
@switch("-A", "--all-namespaces", help="In every namespace.")
@switch("--no-headers", help="Leave headers out.")
@option("-o", "--output", default="", help="json, yaml, name or jsonpath=T.")
@option("--chunk-size", type=int, default=500, hidden=True, help="Accepted for kubectl's sake.")
def events(
    session: Session,
    about: str,
    types: tuple[str, ...],
    watch: bool,
    all_namespaces: bool,
    no_headers: bool,
    output: str,
    chunk_size: int,
) -> None:
    """Show events."""
    wanted = wanted_types(types)
    namespace = "" if all_namespaces else session.namespace
    collection = Target(session.discovery.for_kind("v1", "Event"), "", namespace)
    query = watching.selectors(field_selector=_about(session, about))
    shower = _Shower(session, output, with_namespace=all_namespaces, headers=not no_headers)
    items, revision = targets.list_all(session.client, collection, query)
    found = in_order(each for each in items if not wanted or each.get("type") in wanted)
    if not found and not watch:
        session.note("No events found." if all_namespaces else f"No events found in {namespace} namespace.")
        return
    if not watch:
        shower.show_all(found)
        return
    shower.show_each(found)
    _follow(session, collection, query, revision, wanted, shower)


def wanted_types(texts: Sequence[str]) -> frozenset[str]:
    """The types that `--types` names, in any case; raises KctlError."""
    names = {name.lower(): name for name in TYPES}
    given = [part.strip() for text in texts for part in text.split(",")]
    if any(part.lower() not in names for part in given):
        raise KctlError("valid --types are Normal or Warning")
    return frozenset(names[part.lower()] for part in given)


def in_order(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Oldest first, by when each was seen last."""
    from apimachinery.printing.core import event_times
    from apimachinery.times import parse_time

    def moment(event: Mapping[str, Any]) -> float:
        last = event_times(event)[1]
        return parse_time(last).timestamp() if last else 0.0

    return sorted(items, key=moment)


def _about(session: Session, text: str) -> str:
    """The field selector for one object; raises KctlError."""
    if not text:
        return ""
    kind, slash, name = text.partition("/")
    if not (slash and kind and name) or "/" in name:
        raise KctlError("--for must be in resource/name form")
    resource = session.discovery.find(kind)
    return f"involvedObject.kind={resource.kind},involvedObject.name={name}"


def _follow(
    session: Session, collection: Target, query: dict[str, str], revision: str, wanted: frozenset[str], shower: "_Shower"
) -> None:
    deadline = watching.Deadline(session.clock, session.connection.request_timeout_s or None)
    try:
        while True:
            try:
                for change in watching.watch(session.client, collection, query, revision, deadline.remaining_s):
                    revision = change.object["metadata"]["resourceVersion"]
                    shown = change.type in (watching.ADDED, watching.MODIFIED)
                    if shown and (not wanted or change.object.get("type") in wanted):
                        shower.show_each([change.object])
            except StatusError as error:
                if error.code != 410:
                    raise
                revision = targets.list_all(session.client, collection, query)[1]  # what fell in between is lost
    except StreamTimeoutError:
        return


class _Shower:
    """Prints events, as rows of one table or as documents."""

    def __init__(self, session: Session, output: str, *, with_namespace: bool, headers: bool) -> None:
        chosen = output_of(output)
        self._session, self._with_namespace, self._headers_due = session, with_namespace, headers
        self._printer = None if chosen.is_table else document_printer(chosen)
        self._writer: Any = None

    def show_all(self, items: list[dict[str, Any]]) -> None:
        if self._printer is None:
            self.show_each(items)
            return
        listed = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        self._session.out.write(self._printer(listed))

    def show_each(self, items: Sequence[dict[str, Any]]) -> None:
        from kctl.printers.table import Writer

        if self._printer is not None:
            for item in items:
                self._session.out.write(self._printer(item))
        elif items:
            self._writer = self._writer or Writer(self._session.out)
            self._writer.write([*([self._headers()] if self._headers_due else []), *map(self._row, items)])
            self._headers_due = False
        self._session.out.flush()

    def _headers(self) -> list[str]:
        return [*(["NAMESPACE"] if self._with_namespace else []), "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]

    def _row(self, event: Mapping[str, Any]) -> list[str]:
        from kctl.describe.common import event_age
        from kctl.printers.table import one_line

        about = event.get("involvedObject") or {}
        return [
            *([event["metadata"].get("namespace", "")] if self._with_namespace else []),
            event_age(event, self._session.clock.now()),
            one_line(event.get("type", "")),
            one_line(event.get("reason", "")),
            one_line(f"{about.get('kind', '')}/{about.get('name', '')}"),
            "\n".join(map(one_line, str(event.get("message", "")).strip().split("\n"))),
        ]
