"""Lines with tab-separated cells, aligned as an editor with elastic tab stops would align them.

A column is a run of consecutive lines that have a cell there with another one behind it; it is as wide as its widest cell and
two spaces. A line without tabs ends every column. So each part of a description is aligned on its own.
"""

from collections.abc import Iterable, Sequence

PADDING = 2


class Page:
    """A description being written: lines with an indentation level (two spaces each)."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str = "", level: int = 0) -> None:
        self.lines.append("  " * level + text)

    def field(self, name: str, value: object, level: int = 0) -> None:
        """`Name:  value`"""
        self.line(f"{name}:\t{value}", level)

    def optional(self, name: str, value: object, level: int = 0) -> None:
        """A field that is left out when it is empty."""
        if value not in (None, "", [], {}):
            self.field(name, value, level)

    def fields(self, name: str, values: Sequence[str], level: int = 0) -> None:
        """A field with a line for each value; `<none>` when there are none."""
        listed = list(values) or ["<none>"]
        self.field(name, listed[0], level)
        for value in listed[1:]:
            self.line(f"\t{value}", level)

    def section(self, name: str, empty: bool, level: int = 0) -> bool:
        """A heading; `<none>` beside it when nothing follows. Returns whether something does."""
        self.line(f"{name}:\t<none>" if empty else f"{name}:", level)
        return not empty

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]], level: int = 1) -> None:
        """Headers, underlines, rows."""
        self.line("\t".join(headers), level)
        self.line("\t".join("-" * len(header) for header in headers), level)
        for row in rows:
            self.line("\t".join(str(cell) for cell in row), level)

    def extend(self, other: "Page", level: int = 0) -> None:
        for line in other.lines:
            self.line(line, level)

    def text(self) -> str:
        return align(self.lines)


def align(lines: Sequence[str], padding: int = PADDING) -> str:
    """The lines with every tab replaced by the spaces that align its column."""
    table = [line.split("\t") for line in lines]
    widths: list[list[int]] = [[] for _ in table]
    _measure(table, widths, 0, len(table), 0, padding)
    result = []
    for cells, line_widths in zip(table, widths, strict=True):
        padded = [cell.ljust(width) for cell, width in zip(cells, line_widths, strict=False)]
        result.append("".join([*padded, cells[-1]]).rstrip(" ") if cells[-1] == "" else "".join([*padded, cells[-1]]))
    return "\n".join(result) + ("\n" if result else "")


def _measure(table: list[list[str]], widths: list[list[int]], start: int, stop: int, column: int, padding: int) -> None:
    position = start
    while position < stop:
        if column >= len(table[position]) - 1:
            position += 1
            continue
        end = position
        while end < stop and column < len(table[end]) - 1:
            end += 1
        width = max(len(table[index][column]) for index in range(position, end)) + padding
        for index in range(position, end):
            widths[index].append(width)
        _measure(table, widths, position, end, column + 1, padding)
        position = end
