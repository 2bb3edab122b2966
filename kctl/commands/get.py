"""`kctl get`: objects as tables, documents or columns; once, or for as long as they change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from kctl import raw as raw_request
from kctl import targets, watching
from kctl.errors import KctlError, StatusError
from kctl.options import command, option, switch
from kctl.printers import Output, document_printer, output_of, read_argument_file
from kctl.rest import StreamTimeoutError
from kctl.session import Session
from kctl.targets import Target


@dataclass(frozen=True)
class GetOptions:
    """What was asked for."""

    arguments: tuple[str, ...]
    filenames: tuple[str, ...]
    recursive: bool
    output: Output
    watch: bool
    watch_only: bool
    output_watch_events: bool
    all_namespaces: bool
    selector: str
    field_selector: str
    sort_by: str
    show_labels: bool
    label_columns: tuple[str, ...]
    show_kind: bool
    headers: bool
    ignore_not_found: bool
    show_managed_fields: bool


@command("get")
@click.argument("arguments", nargs=-1, metavar="TYPE[,TYPE...] [NAME...] | TYPE/NAME...")
@option("-o", "--output", default="", help="wide, json, yaml, name, jsonpath=T, jsonpath-file=F, custom-columns=C.")
@option("-f", "--filename", multiple=True, help="Show the objects that a manifest names.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@switch("-w", "--watch", help="After listing, show changes as they come.")
@switch("--watch-only", help="Show changes only.")
@switch("--output-watch-events", help="Show each change's type.")
@switch("-A", "--all-namespaces", help="Look in every namespace.")
@option("-l", "--selector", default="", help="Choose by labels (a=b,c!=d,e in (f,g)).")
@option("--field-selector", default="", help="Choose by fields (metadata.name=web).")
@option("--sort-by", default="", help="Order by a JSONPath (.metadata.creationTimestamp).")
@switch("--show-labels", help="Show labels in a last column.")
@option("-L", "--label-columns", multiple=True, help="Show these labels as columns.")
@switch("--show-kind", help="Put the kind before each name.")
@switch("--no-headers", help="Leave headers out.")
@switch("--ignore-not-found", help="Say nothing about what does not exist.")
@switch("--show-managed-fields", help="Keep managedFields in JSON and YAML.")
@option("--template", default="", help="A Go template (with -o go-template), or the file it is in (-o go-template-file).")
@option("--raw", default="", help="Ask for this path, and print the answer as it comes.")
@option("--chunk-size", type=int, default=500, hidden=True, help="Accepted for kubectl's sake.")
def get(
    session: Session,
    output: str,
    no_headers: bool,
    filename: tuple[str, ...],
    template: str,
    raw: str,
    chunk_size: int,
    **given: Any,
) -> None:
    """List objects."""
    if raw:
        if filename or given["arguments"]:
            raise KctlError("arguments may not be passed when --raw is specified")
        raw_request.send(session, "GET", raw)
        return
    if template:
        output = f"{output or 'go-template'}={template}"
    labels = tuple(label for each in given.pop("label_columns") for label in each.split(","))
    options = GetOptions(output=output_of(output), headers=not no_headers, filenames=filename, label_columns=labels, **given)
    found = _targets(session, options)
    if options.watch or options.watch_only:
        _Watcher(session, options, found).run()
    else:
        _print_once(session, options, found)


def _targets(session: Session, options: GetOptions) -> list[Target]:
    if options.filenames:
        if options.arguments:
            raise KctlError("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well")
        documents = targets.read_documents(session, options.filenames, recursive=options.recursive)
        return [targets.of_document(session, document) for document in documents]
    if not options.arguments:
        raise KctlError(
            'you must specify the type of resource to get; "kctl api-resources" lists what the server has\n'
            "See 'kctl get -h' for help and examples"
        )
    namespace = "" if options.all_namespaces else session.namespace
    found = targets.parse(session.discovery, options.arguments, namespace)
    if options.all_namespaces and any(each.name and each.resource.namespaced for each in found):
        raise KctlError("a resource cannot be retrieved by name across all namespaces")
    if (options.selector or options.field_selector) and any(each.name for each in found):
        kind = "selector" if options.selector else "field selector"
        raise KctlError(f"name cannot be provided when a {kind} is specified")
    return found


def _print_once(session: Session, options: GetOptions, found: Sequence[Target]) -> None:
    groups, errors = [], []
    query = watching.selectors(options.selector, options.field_selector)
    for target in found:
        try:
            groups.append((target, targets.fetch(session.client, target, query)))
        except StatusError as error:
            if not (error.not_found and options.ignore_not_found and target.name):
                errors.append(error)
    try:
        _print(session, options, groups, sole=len(found) == 1 and bool(found[0].name), failed=bool(errors))
    finally:
        targets.gather(errors)


def _print(
    session: Session, options: GetOptions, groups: list[tuple[Target, list[dict[str, Any]]]], *, sole: bool, failed: bool
) -> None:
    items = _sorted([item for _, listed in groups for item in listed], options.sort_by)
    if options.output.is_columns:
        _print_columns(session, options, items)
    elif options.output.is_table:
        if not items and not failed:
            _say_nothing_found(session, options)
        mixed = len({each.resource.qualified for each, _ in groups}) > 1
        _print_tables(session, options, items, with_kind=mixed or options.show_kind)
    elif not (sole and not items):
        printer = document_printer(options.output, managed_fields=options.show_managed_fields)
        if options.output.format == "name" or not (sole or failed) or len(items) != 1:
            session.out.write(
                printer({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
            )
        else:
            session.out.write(printer(items[0]))


def _say_nothing_found(session: Session, options: GetOptions) -> None:
    if options.ignore_not_found:
        return
    everywhere = options.all_namespaces or all(
        not each.resource.namespaced for each in targets.parse(session.discovery, options.arguments, session.namespace)
    )
    session.note("No resources found" if everywhere else f"No resources found in {session.namespace} namespace.")


def _print_columns(session: Session, options: GetOptions, items: Sequence[Mapping[str, Any]]) -> None:
    from kctl.printers import columns
    from kctl.printers.table import Writer

    if options.output.format == "custom-columns-file":
        chosen = columns.parse_file(read_argument_file(options.output.argument))
    else:
        chosen = columns.parse(options.output.argument)
    headers = [[column.header for column in chosen]] if options.headers else []
    Writer(session.out).write(headers + columns.rows(chosen, items))


def _print_tables(session: Session, options: GetOptions, items: Sequence[Mapping[str, Any]], *, with_kind: bool) -> None:
    from kctl.printers.table import Writer, lines, view

    now = session.clock.now()
    for number, (kind, members) in enumerate(_by_kind(items)):
        if number:
            session.say("")
        shape = session.tables.shape(str(members[0].get("apiVersion", "")), kind[1])
        headers, rows = lines(view(shape, *kind, members, now), _table_options(options, with_kind, kind, members))
        Writer(session.out).write([headers, *rows] if options.headers else rows)


def _by_kind(items: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[str, str], list[Mapping[str, Any]]]]:
    """Runs of the same group and kind, in order."""
    runs: list[tuple[tuple[str, str], list[Mapping[str, Any]]]] = []
    for item in items:
        kind = (str(item.get("apiVersion", "")).rpartition("/")[0], str(item.get("kind", "")))
        if not runs or runs[-1][0] != kind:
            runs.append((kind, []))
        runs[-1][1].append(item)
    return runs


def _table_options(options: GetOptions, with_kind: bool, kind: tuple[str, str], members: Sequence[Mapping[str, Any]]) -> Any:
    from kctl.printers.table import TableOptions

    namespaced = any((item.get("metadata") or {}).get("namespace") for item in members)
    return TableOptions(
        wide=options.output.format == "wide",
        headers=options.headers,
        with_namespace=options.all_namespaces and namespaced,
        with_kind=with_kind,
        show_labels=options.show_labels,
        label_columns=options.label_columns,
    )


def _sorted(items: list[dict[str, Any]], sort_by: str) -> list[dict[str, Any]]:
    if not sort_by:
        return items
    from apimachinery import jsonpath

    try:
        template = jsonpath.parse(jsonpath.relaxed(sort_by))
    except jsonpath.JsonPathError as error:
        raise KctlError(str(error)) from error

    def key(item: dict[str, Any]) -> tuple[int, Any]:
        values = jsonpath.find(template, item)
        if not values or values[0] is None:
            return (0, 0)
        value = values[0]
        if isinstance(value, int | float):
            return (1, value)
        return (2, jsonpath.value_text(value))

    keyed = [(key(item), item) for item in items]
    if items and all(rank == 0 for (rank, _), _ in keyed):
        raise KctlError(f'couldn\'t find any field with path "{sort_by}" in the list of objects')
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]


class _Watcher:
    """Prints a collection and then its changes, a line (or a document) for each."""

    def __init__(self, session: Session, options: GetOptions, found: Sequence[Target]) -> None:
        if len(found) != 1:
            raise KctlError("you may only specify a single resource type")
        self._session, self._options, self._target = session, options, found[0]
        self._collection = watching.collection_of(self._target)
        self._query = watching.selectors(options.selector, options.field_selector, self._target.name)
        self._writer: Any = None
        self._headers_due = options.headers

    def run(self) -> None:
        """List, then watch until interrupted, or for as long as --request-timeout says."""
        if self._target.name:
            try:
                self._session.client.get(self._target.path)
            except StatusError as error:
                if not (error.not_found and self._options.ignore_not_found):
                    raise
        items, revision = targets.list_all(self._session.client, self._collection, self._query)
        if not self._options.watch_only:
            for item in _sorted(items, self._options.sort_by):
                self._show(watching.ADDED, [item]) if self._options.output_watch_events else None
            if not self._options.output_watch_events:
                self._show(watching.ADDED, items)
        deadline = watching.Deadline(self._session.clock, self._session.connection.request_timeout_s or None)
        try:
            while True:
                for change in watching.watch(
                    self._session.client, self._collection, self._query, revision, deadline.remaining_s
                ):
                    revision = change.object["metadata"]["resourceVersion"]
                    if change.type != watching.BOOKMARK:
                        self._show(change.type, [change.object])
        except StreamTimeoutError:
            return

    def _show(self, event: str, items: Sequence[dict[str, Any]]) -> None:
        if not items:
            return
        if self._options.output.is_table or self._options.output.is_columns:
            self._show_rows(event, items)
        else:
            printer = document_printer(self._options.output, managed_fields=self._options.show_managed_fields)
            separator = "---\n" if self._options.output.format == "yaml" else ""
            for item in items:
                whole = self._options.output_watch_events and self._options.output.format != "name"
                shown = {"type": event, "object": item} if whole else item
                self._session.out.write(printer(shown) + separator)
        self._session.out.flush()

    def _show_rows(self, event: str, items: Sequence[dict[str, Any]]) -> None:
        from kctl.printers import columns
        from kctl.printers.table import Writer, lines, view

        if self._options.output.is_columns:
            chosen = columns.parse(self._options.output.argument)
            headers, rows = [column.header for column in chosen], columns.rows(chosen, items)
        else:
            resource = self._target.resource
            options = _table_options(self._options, self._options.show_kind, ("", ""), items)
            shape = self._session.tables.shape(resource.api_version, resource.kind)
            shown = view(shape, resource.group, resource.kind, items, self._session.clock.now())
            headers, rows = lines(shown, options)
        if self._options.output_watch_events:
            headers, rows = ["EVENT", *headers], [[event, *row] for row in rows]
        self._writer = self._writer or Writer(self._session.out)
        self._writer.write([headers, *rows] if self._headers_due else rows)
        self._headers_due = False
