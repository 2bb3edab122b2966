"""Kubernetes' JSONPath templates: `{.items[*].metadata.name}`, `{range .items[*]}...{end}`, filters, unions, slices, recursion.

A template is text with expressions in braces; it is parsed once and evaluated over plain data. A missing key is an error
unless `allow_missing`. Values of one expression are joined by a space.
Source: the Kubernetes page "JSONPath Support".
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


class JsonPathError(ValueError):
    """The template is malformed, or leads nowhere."""


@dataclass(frozen=True)
class Field:
    name: str


@dataclass(frozen=True)
class Wildcard:
    pass


@dataclass(frozen=True)
class Recursive:
    pass


@dataclass(frozen=True)
class Slice:
    """`[start:stop:step]`; an index is the slice of one element that must exist."""

    start: int | None
    stop: int | None
    step: int | None
    single: bool = False


@dataclass(frozen=True)
class Names:
    """`['a','b.c']`"""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Indexes:
    """`[0,2]`"""

    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Path:
    """Steps from the current value (or from the root for `$`)."""

    steps: tuple["Step", ...]
    from_root: bool = False


@dataclass(frozen=True)
class Filter:
    """`[?(@.type=="Ready")]`; without an operator: the path exists."""

    left: "Operand"
    operator: str = ""
    right: "Operand | None" = None


@dataclass(frozen=True)
class Literal:
    value: Any


Operand = Path | Literal
Step = Field | Wildcard | Recursive | Slice | Names | Indexes | Filter


@dataclass(frozen=True)
class Text:
    """Text as it stands, or quoted within braces."""

    text: str


@dataclass(frozen=True)
class Range:
    path: Path
    body: tuple["Node", ...] = field(default=())


Node = Text | Path | Range

_IDENTIFIER_END = set(".[]{}()=!<>, \t\n\"'")


def parse(template: str) -> tuple[Node, ...]:
    """The nodes of a template; raises JsonPathError."""
    stack: list[tuple[Path | None, list[Node]]] = [(None, [])]
    for inside, text in _pieces(template):
        nodes = stack[-1][1]
        if not inside:
            nodes.append(Text(text))
            continue
        expression = text.strip()
        if expression.startswith("range") and expression[5:6].isspace():
            stack.append((_path(expression[5:].strip()), []))
        elif expression == "end":
            opened, body = stack.pop()
            if opened is None:
                raise JsonPathError("not in range, nothing to end")
            stack[-1][1].append(Range(opened, tuple(body)))
        elif expression[:1] in ("'", '"'):
            nodes.append(Text(_unquote(expression)))
        else:
            nodes.append(_path(expression))
    if len(stack) != 1:
        raise JsonPathError("range is not closed: {end} is missing")
    return tuple(stack[0][1])


def relaxed(expression: str) -> str:
    """The template that `metadata.name`, `.metadata.name` or `{.metadata.name}` stands for; raises JsonPathError."""
    text = expression.strip()
    found = re.match(r"^\{\s*\.?(.*?)\s*\}$", text, re.DOTALL)
    inner = found.group(1) if found else text.removeprefix(".")
    if not found and ("{" in _without_quotes(text) or "}" in _without_quotes(text)):
        raise JsonPathError(
            f"unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}': {expression}"
        )
    dot = "" if inner.startswith(("[", "$", "@")) else "."
    return "{" + dot + inner + "}"


def find(template: str | Sequence[Node], data: Any, *, allow_missing: bool = True) -> list[Any]:
    """The values that a template's paths lead to, in order (texts and ranges are passed over for their paths)."""
    nodes = parse(template) if isinstance(template, str) else template
    values: list[Any] = []
    for node in nodes:
        if isinstance(node, Path):
            values += _walk(node, data, data, allow_missing)
        elif isinstance(node, Range):
            for item in _walk(node.path, data, data, allow_missing):
                values += find(node.body, item, allow_missing=allow_missing)
    return values


def render(template: str | Sequence[Node], data: Any, *, allow_missing: bool = True) -> str:
    """The text of a template over `data`; raises JsonPathError."""
    nodes = parse(template) if isinstance(template, str) else template
    return "".join(_render(nodes, data, data, allow_missing))


def value_text(value: Any) -> str:
    """A value as it stands in the output: strings bare, everything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _render(nodes: Sequence[Node], current: Any, root: Any, allow_missing: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Text):
            yield node.text
        elif isinstance(node, Path):
            yield " ".join(value_text(value) for value in _walk(node, current, root, allow_missing))
        else:
            for item in _walk(node.path, current, root, allow_missing):
                yield from _render(node.body, item, root, allow_missing)


def _pieces(template: str) -> Iterator[tuple[bool, str]]:
    """The template cut at its braces: (is an expression, text)."""
    position = 0
    while position < len(template):
        opening = template.find("{", position)
        if opening < 0:
            yield False, template[position:]
            return
        if opening > position:
            yield False, template[position:opening]
        closing = _closing(template, opening + 1)
        yield True, template[opening + 1 : closing]
        position = closing + 1


def _closing(template: str, position: int) -> int:
    quote = ""
    while position < len(template):
        character = template[position]
        if character == "\\":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "}":
            return position
        position += 1
    raise JsonPathError("unclosed action")


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "0": "\0"}


def _unquote(text: str) -> str:
    if len(text) < 2 or text[-1] != text[0]:
        raise JsonPathError(f"unterminated quoted string {text}")
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group(1)), text[1:-1], flags=re.DOTALL)


def _without_quotes(text: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", text)


def _path(expression: str) -> Path:
    reader = _Reader(expression)
    path = reader.path()
    reader.expect_end()
    return path


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def path(self) -> Path:
        from_root = self._peek() == "$"
        if self._peek() in ("$", "@"):
            self._position += 1
        steps: list[Step] = []
        while (character := self._peek()) and (character in ".[" or not steps):
            if self._text.startswith("..", self._position):
                self._position += 2
                steps.append(Recursive())
                if self._peek() and self._peek() not in ".[":
                    steps.append(self._name())
            elif character == ".":
                self._position += 1
                if self._peek() and self._peek() not in "[) \t":
                    steps.append(self._name())
            elif character == "[":
                steps.append(self._bracket())
            elif character in _IDENTIFIER_END:
                break
            else:
                steps.append(self._name())
        return Path(tuple(steps), from_root)

    def expect_end(self) -> None:
        self._spaces()
        if self._position < len(self._text):
            raise JsonPathError(f"unexpected {self._text[self._position :]!r} in {self._text!r}")

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _spaces(self) -> None:
        while self._peek().isspace():
            self._position += 1

    def _name(self) -> Step:
        if self._peek() == "*":
            self._position += 1
            return Wildcard()
        name = ""
        while (character := self._peek()) and character not in _IDENTIFIER_END:
            if character == "\\":
                self._position += 1
                character = self._peek()
            name += character
            self._position += 1
        if not name:
            raise JsonPathError(f"unexpected {self._peek() or 'end'!r} in {self._text!r}")
        return Field(name)

    def _bracket(self) -> Step:
        end = self._bracket_end()
        inner = self._text[self._position + 1 : end].strip()
        self._position = end + 1
        if inner == "*":
            return Wildcard()
        if inner.startswith("?("):
            return _filter(inner)
        if inner[:1] in ("'", '"'):
            return Names(tuple(_unquote(part.strip()) for part in _split_outside_quotes(inner)))
        slices = tuple(_slice(part.strip(), self._text) for part in inner.split(","))
        return slices[0] if len(slices) == 1 else Indexes(slices)

    def _bracket_end(self) -> int:
        depth, quote, position = 0, "", self._position
        while position < len(self._text):
            character = self._text[position]
            if character == "\\":
                position += 1
            elif quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character
            elif character in "[]":
                depth += 1 if character == "[" else -1
                if depth == 0:
                    return position
            position += 1
        raise JsonPathError(f"unterminated array in {self._text!r}")

    def operand(self) -> Operand:
        self._spaces()
        rest = self._text[self._position :]
        if rest[:1] in ("'", '"'):
            found = re.match(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", rest)
            if found is None:
                raise JsonPathError(f"unterminated quoted string {rest}")
            self._position += found.end()
            return Literal(_unquote(found.group()))
        word = re.match(r"[^\s=!<>()]+", rest)
        if word and (
            re.fullmatch(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", word.group()) or word.group() in ("true", "false", "null")
        ):
            self._position += word.end()
            return Literal(json.loads(word.group().lstrip("+")))
        return self.path()

    def operator(self) -> str:
        self._spaces()
        for symbol in ("==", "!=", "<=", ">=", "<", ">"):
            if self._text.startswith(symbol, self._position):
                self._position += len(symbol)
                return symbol
        return ""


def _filter(inner: str) -> Filter:
    if not inner.endswith(")"):
        raise JsonPathError(f"unterminated filter [{inner}]")
    reader = _Reader(inner[2:-1])
    left, operator = reader.operand(), reader.operator()
    right = reader.operand() if operator else None
    reader.expect_end()
    return Filter(left, operator, right)


def _split_outside_quotes(text: str) -> list[str]:
    return re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", text)


def _slice(text: str, expression: str) -> Slice:
    parts = text.split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
    except ValueError as error:
        raise JsonPathError(f"invalid array index {text!r} in {expression!r}") from error
    if len(numbers) == 1 and numbers[0] is not None:
        return Slice(numbers[0], None, None, single=True)
    if len(numbers) not in (2, 3):
        raise JsonPathError(f"invalid array index {text!r} in {expression!r}")
    step = numbers[2] if len(numbers) == 3 else None
    if step is not None and step <= 0:
        raise JsonPathError("step must be > 0")
    return Slice(numbers[0], numbers[1], step)


def _walk(path: Path, current: Any, root: Any, allow_missing: bool) -> list[Any]:
    values = [root if path.from_root else current]
    for step in path.steps:
        values = [found for value in values for found in _step(step, value, root, allow_missing)]
    return values


def _step(step: Step, value: Any, root: Any, allow_missing: bool) -> Iterable[Any]:
    match step:
        case Field(name):
            return _field(value, name, allow_missing)
        case Names(names):
            return [found for name in names for found in _field(value, name, allow_missing)]
        case Wildcard():
            return _children(value)
        case Recursive():
            return _descendants(value)
        case Slice():
            return _take(step, value, allow_missing)
        case Indexes(slices):
            return [found for each in slices for found in _take(each, value, allow_missing)]
        case Filter():
            return [item for item in _children(value) if _matches(step, item, root)]


def _field(value: Any, name: str, allow_missing: bool) -> list[Any]:
    if isinstance(value, dict) and name in value:
        return [value[name]]
    if allow_missing or isinstance(value, list):
        return []
    raise JsonPathError(f"{name} is not found")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for child in _children(value):
        yield from _descendants(child)


def _take(each: Slice, value: Any, allow_missing: bool) -> list[Any]:
    if not isinstance(value, list):
        if value is None or allow_missing:
            return []
        raise JsonPathError(f"{type(value).__name__} is not array or slice")
    if not each.single:
        return value[each.start : each.stop : each.step]
    index = each.start or 0
    if -len(value) <= index < len(value):
        return [value[index]]
    if allow_missing:
        return []
    raise JsonPathError(f"array index out of bounds: index {index}, length {len(value)}")


def _matches(condition: Filter, item: Any, root: Any) -> bool:
    left = _operand(condition.left, item, root)
    if not condition.operator or condition.right is None:
        return bool(left)
    right = _operand(condition.right, item, root)
    return bool(left and right) and _compare(left[0], condition.operator, right[0])


def _operand(operand: Operand, item: Any, root: Any) -> list[Any]:
    return [operand.value] if isinstance(operand, Literal) else _walk(operand, item, root, True)


def _compare(left: Any, operator: str, right: Any) -> bool:
    if operator in ("==", "!="):
        same = left == right and isinstance(left, bool) == isinstance(right, bool)
        return same == (operator == "==")
    if not _ordered(left, right):
        return False
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])


def _ordered(left: Any, right: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
    return numbers or (isinstance(left, str) and isinstance(right, str))
