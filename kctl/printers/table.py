"""Objects as aligned columns.

A `TableView` is what is to be shown: columns and rows, made here from objects (`view`) or given by a server that answers with
a Table (`view_of_table`). `Writer` aligns them as kubectl does: three spaces between columns, none at the end of a line, at
least six characters a column; it keeps its widths, so that lines that come later under a watch stay under their headers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TextIO

from apimachinery import printing

MINIMUM_WIDTH, PADDING = 6, 3


@dataclass(frozen=True)
class TableOptions:
    """What to show beside the columns of the kind; `event_types` puts the type of a watch event in front."""

    wide: bool = False
    headers: bool = True
    with_namespace: bool = False
    with_kind: bool = False
    show_labels: bool = False
    label_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """Cells in the columns' order and the metadata of the object they are about."""

    cells: Sequence[Any]
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class TableView:
    """Columns and rows; `label` is the kind's name before a slash (`deployment.apps`)."""

    columns: Sequence[printing.Column]
    rows: Sequence[Row]
    label: str = ""


def view(shape: printing.TableShape, group: str, kind: str, objects: Sequence[Mapping[str, Any]], now: datetime) -> TableView:
    """The table of objects of one kind, whose columns are `shape`'s."""
    label = f"{kind.lower()}.{group}" if group else kind.lower()
    return TableView(shape.columns, [Row(shape.cells(obj, now), obj.get("metadata") or {}) for obj in objects], label)


def view_of_table(table: Mapping[str, Any], label: str = "") -> TableView:
    """The table a server has sent (meta.k8s.io/v1 Table)."""
    columns = [
        printing.Column(each["name"], each.get("type", "string"), each.get("format", ""), int(each.get("priority") or 0))
        for each in table.get("columnDefinitions") or ()
    ]
    rows = [Row(each.get("cells") or (), (each.get("object") or {}).get("metadata") or {}) for each in table.get("rows") or ()]
    return TableView(columns, rows, label)


def lines(shown: TableView, options: TableOptions) -> tuple[list[str], list[list[str]]]:
    """Headers and rows as text, with the columns that the options add."""
    chosen = [index for index, column in enumerate(shown.columns) if options.wide or not column.priority]
    headers = [shown.columns[index].name.upper() for index in chosen]
    headers += [label.rpartition("/")[2].upper() for label in options.label_columns]
    if options.show_labels:
        headers.append("LABELS")
    if options.with_namespace:
        headers.insert(0, "NAMESPACE")
    return headers, [_cells(shown, row, chosen, options) for row in shown.rows]


@dataclass
class Writer:
    """Writes aligned lines; `sink` gets whole lines."""

    sink: TextIO
    widths: list[int] = field(default_factory=list)

    def write(self, rows: Sequence[Sequence[str]]) -> None:
        """Write these rows aligned with each other, and with what was written before."""
        count = max(map(len, rows), default=0)
        self.widths += [MINIMUM_WIDTH] * (count - len(self.widths))
        for row in rows:
            for index, cell in enumerate(row[:-1]):
                self.widths[index] = max(self.widths[index], len(cell) + PADDING)
        for row in rows:
            padded = [cell.ljust(self.widths[index]) for index, cell in enumerate(row[:-1])]
            self.sink.write("".join([*padded, *row[-1:]]) + "\n")


def _cells(shown: TableView, row: Row, chosen: Sequence[int], options: TableOptions) -> list[str]:
    labels = row.metadata.get("labels") or {}
    cells = [one_line(row.cells[index]) if index < len(row.cells) else "" for index in chosen]
    if options.with_kind and shown.label:
        place = next((at for at, index in enumerate(chosen) if shown.columns[index].format == "name"), 0)
        cells[place] = f"{shown.label}/{cells[place]}"
    cells += [labels.get(label, "") for label in options.label_columns]
    if options.show_labels:
        cells.append(",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>")
    if options.with_namespace:
        cells.insert(0, row.metadata.get("namespace", ""))
    return cells


def one_line(value: Any) -> str:
    """A cell's text: its first line, marked when there are more; nothing that would steer the terminal."""
    if value is None:
        return "<none>"
    if isinstance(value, bool):
        return str(value).lower()
    first, newline, _ = str(value).partition("\n")
    text = f"{first}..." if newline else first
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
