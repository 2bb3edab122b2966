"""What a template is made of once it is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class TemplateError(Exception):
    """The template is malformed, or does not fit the data."""


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Field:
    """`.a.b` of the dot, `$x.a.b` of a variable, or of what an operand in parentheses gives."""

    of: Variable | Pipeline | None
    names: tuple[str, ...]


@dataclass(frozen=True)
class Variable:
    """`$` or `$name`."""

    name: str


@dataclass(frozen=True)
class Function:
    name: str


Operand = Literal | Field | Variable | Function


@dataclass(frozen=True)
class Command:
    """A function and its arguments, or a single operand."""

    words: tuple[Any, ...]


@dataclass(frozen=True)
class Pipeline:
    """Commands, each of which gets the value before it as its last argument; the value may be kept in variables."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = False


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Show:
    """`{{pipeline}}`"""

    pipeline: Pipeline


@dataclass(frozen=True)
class Choice:
    """`{{if}}` and `{{with}}`, the latter of which moves the dot."""

    pipeline: Pipeline
    body: tuple[Any, ...]
    otherwise: tuple[Any, ...]
    moves_dot: bool


@dataclass(frozen=True)
class Loop:
    """`{{range}}`"""

    pipeline: Pipeline
    body: tuple[Any, ...]
    otherwise: tuple[Any, ...]


@dataclass(frozen=True)
class Jump:
    """`{{break}}` and `{{continue}}`"""

    leaves: bool


@dataclass(frozen=True)
class Call:
    """`{{template "name" pipeline}}`"""

    name: str
    pipeline: Pipeline | None


Body = tuple[Any, ...]
