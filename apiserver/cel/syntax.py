"""The tree that an expression is read into, and its words.

Source: the language definition of the Common Expression Language, "Syntax".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from apiserver.cel.errors import CompileError
from apiserver.cel.literals import LITERALS, decode_bytes, decode_string

EXPRESSION_CHARACTERS_MAX = 100_000
KEYWORDS = frozenset(("true", "false", "null", "in"))
RESERVED = frozenset(("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"))
RESERVED |= frozenset(("namespace", "return", "var", "void", "while"))


@dataclass(frozen=True, slots=True)
class Node:
    position: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: object


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`operand.field`, `operand.?field` when optional."""

    operand: Node
    field: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    operand: Node
    key: Node
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, or with `target` a method."""

    function: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logical(Node):
    """A whole chain of `&&`, or of `||`."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Element:
    """One of a list's values, or a map's or message's entry; an optional one is left out when it has no value."""

    value: Node
    key: Node | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Message(Node):
    """`Name{field: value}`."""

    name: str
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is the symbol itself, or one of: literal, name, quoted (a name in backticks), end."""

    kind: str
    value: object
    position: int


_WORDS = re.compile(
    r"(?P<blank>(?:[ \t\r\n\f]|//[^\n]*)+)" + LITERALS + r"|(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)"
    r"|`(?P<quoted>[a-zA-Z0-9_.\-/ ]+)`"
    r"|(?P<symbol>&&|\|\||[<>=!]=|[\[\]{}().,?:+\-*/%!<>])"
)


def tokens(expression: str) -> Iterator[Token]:
    """The words of an expression, ending in one of kind `end`; raises CompileError."""
    if len(expression) > EXPRESSION_CHARACTERS_MAX:
        raise CompileError(
            f"expression code point size exceeds limit: size: {len(expression)}, limit {EXPRESSION_CHARACTERS_MAX}"
        )
    position = 0
    while position < len(expression):
        found = _WORDS.match(expression, position)
        if found is None:
            shown = expression[position]
            raise CompileError(f"Syntax error: token recognition error at: '{shown}'", expression, position)
        kind = found.lastgroup or ""
        if kind != "blank":
            yield _token(kind, found[kind], expression, position)
        position = found.end()
    yield Token("end", None, len(expression))


def _token(kind: str, text: str, expression: str, position: int) -> Token:
    if kind == "symbol":
        return Token(text, text, position)
    if kind == "name":
        match text:
            case "true" | "false":
                return Token("literal", text == "true", position)
            case "null":
                return Token("literal", None, position)
            case "in":
                return Token("in", text, position)
        return Token("name", text, position)
    if kind == "quoted":
        return Token("quoted", text, position)
    try:
        if kind == "bytes":
            return Token("literal", decode_bytes(text), position)
        if kind == "string":
            return Token("literal", decode_string(text), position)
        return Token(kind, text, position)
    except ValueError as error:
        raise CompileError(f"Syntax error: {error}", expression, position) from error
