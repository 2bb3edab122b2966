"""From a template's text to nodes: text and actions first, then the words of each action, by descent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kctl.gotemplate.functions import FUNCTIONS
from kctl.gotemplate.nodes import (
    Body,
    Call,
    Choice,
    Command,
    Field,
    Function,
    Jump,
    Literal,
    Loop,
    Pipeline,
    Show,
    TemplateError,
    Text,
    Variable,
)

DEPTH_MAX = 100
_ACTION = re.compile(r"\{\{(-\s)?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^\"`])*?)\s*(\s-)?\}\}", re.DOTALL)
_WORD = re.compile(
    r"""(?P<space>\s+)|(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\])')|(?P<number>[-+]?\d[\w.+-]*)"""
    r"""|(?P<declare>:=)|(?P<mark>[=|(),])|(?P<field>(?:\.[^\W\d]\w*)+|\.)|(?P<variable>\$\w*)|(?P<name>[^\W\d]\w*)"""
)
_NAMES: dict[str, Any] = {"true": True, "false": False, "nil": None}


@dataclass(frozen=True)
class _Word:
    kind: str
    text: str
    spaced: bool


def parse_text(text: str) -> tuple[Body, dict[str, Body]]:
    """The body, and the templates that it defines by name; raises TemplateError."""
    parser = _Parser(list(_split(text)))
    body, end = parser.body(())
    if end:
        raise TemplateError(f"unexpected {{{{{end}}}}}")
    return body, parser.defined


def _split(text: str) -> Iterator[str | list[_Word]]:
    """Texts and the words of actions, in turn; comments are left out, and spaces that an action trims."""
    position, trims = 0, False
    while True:
        found = _ACTION.search(text, position)
        piece = text[position : found.start() if found else len(text)]
        if trims:
            piece = piece.lstrip()
        if found is None:
            if "{{" in piece:
                raise TemplateError("unclosed action")
            yield piece
            return
        yield piece.rstrip() if found[1] else piece
        if not found[2].startswith("/*"):
            yield list(_words(found[2]))
        position, trims = found.end(), bool(found[3])


def _words(action: str) -> Iterator[_Word]:
    position, spaced = 0, True
    while position < len(action):
        found = _WORD.match(action, position)
        if found is None:
            raise TemplateError(f"unexpected {action[position]!r} in {{{{{action}}}}}")
        position = found.end()
        kind = str(found.lastgroup)
        if kind == "space":
            spaced = True
            continue
        yield _Word(kind, found[0], spaced)
        spaced = False


class _Parser:
    def __init__(self, pieces: list[str | list[_Word]]) -> None:
        self._pieces = pieces
        self._place = 0
        self._words: list[_Word] = []
        self._depth = 0
        self.defined: dict[str, Body] = {}

    def body(self, ends: tuple[str, ...]) -> tuple[Body, str]:
        """Nodes up to an action of `ends`, and which it was; "" at the end of the text."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise TemplateError("the template is nested too deeply")
        nodes: list[Any] = []
        while self._place < len(self._pieces):
            piece = self._pieces[self._place]
            self._place += 1
            if isinstance(piece, str):
                nodes += [Text(piece)] if piece else []
                continue
            if not piece:
                raise TemplateError("missing value for command")
            self._words = piece
            keyword = piece[0].text if piece[0].kind == "name" else ""
            if keyword in ("end", "else"):
                if keyword not in ends:
                    raise TemplateError(f"unexpected {{{{{keyword}}}}}")
                self._words = piece[1:]
                self._depth -= 1
                return tuple(nodes), keyword
            nodes += self._action(keyword)
        if ends:
            raise TemplateError("unexpected EOF")
        return tuple(nodes), ""

    def _action(self, keyword: str) -> list[Any]:
        if keyword in ("if", "with", "range"):
            self._words = self._words[1:]
            return [self._block(keyword)]
        if keyword in ("break", "continue"):
            return [Jump(keyword == "break")]
        if keyword == "define":
            name = self._name()
            self.defined[name], _ = self.body(("end",))
            return []
        if keyword == "block":
            name = self._name()
            call = Call(name, self._pipeline())
            self.defined[name], _ = self.body(("end",))
            return [call]
        if keyword == "template":
            name = self._name()
            return [Call(name, self._pipeline() if self._words else None)]
        return [Show(self._pipeline())]

    def _name(self) -> str:
        if len(self._words) < 2 or self._words[1].kind != "string":
            raise TemplateError(f"{self._words[0].text} needs a name in quotes")
        name, self._words = str(_literal(self._words[1]).value), self._words[2:]
        return name

    def _block(self, keyword: str) -> Choice | Loop:
        pipeline = self._pipeline(ranges=keyword == "range")
        body, end = self.body(("end", "else"))
        otherwise: Body = ()
        if end == "else":
            if self._words and self._words[0].text in ("if", "with"):
                chained = self._words[0].text
                self._words = self._words[1:]
                otherwise = (self._block(chained),)
            else:
                otherwise, _ = self.body(("end",))
        if keyword == "range":
            return Loop(pipeline, body, otherwise)
        return Choice(pipeline, body, otherwise, keyword == "with")

    def _pipeline(self, *, ranges: bool = False) -> Pipeline:
        """The rest of an action; raises TemplateError when something is left over."""
        names: list[str] = []
        declares = False
        marks = [word.text for word in self._words[:4]]
        for count in (1, 3) if ranges else (1,):
            if len(marks) > count and marks[count] in (":=", "=") and self._words[0].kind == "variable":
                names = [word.text for word in self._words[:count:2]]
                declares = marks[count] == ":="
                self._words = self._words[count + 1 :]
                break
        commands = self._commands()
        if self._words:
            raise TemplateError(f"unexpected {self._words[0].text!r}")
        return Pipeline(commands, tuple(names), declares)

    def _commands(self) -> tuple[Command, ...]:
        commands: list[Command] = []
        while True:
            words: list[Any] = []
            while self._words and self._words[0].text not in ("|", ")"):
                words.append(self._operand())
            if not words:
                raise TemplateError("missing value for command")
            commands.append(Command(tuple(words)))
            if not self._words or self._words[0].text != "|":
                return tuple(commands)
            self._words = self._words[1:]

    def _operand(self) -> Any:
        word, self._words = self._words[0], self._words[1:]
        found: Any
        match word.kind:
            case "string" | "char" | "number":
                return _literal(word)
            case "field":
                return Field(None, _names(word.text))
            case "variable":
                found = Variable(word.text)
            case "name":
                return _named(word.text)
            case "mark" if word.text == "(":
                found = self._parenthesized()
            case _:
                raise TemplateError(f"unexpected {word.text!r}")
        if self._words and self._words[0].kind == "field" and not self._words[0].spaced:
            names, self._words = _names(self._words[0].text), self._words[1:]
            return Field(found, names)
        return found

    def _parenthesized(self) -> Pipeline:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise TemplateError("the template is nested too deeply")
        commands = self._commands()
        self._depth -= 1
        if not self._words:
            raise TemplateError("unclosed left paren")
        self._words = self._words[1:]
        return Pipeline(commands)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(".") if name)


def _named(name: str) -> Literal | Function:
    if name in _NAMES:
        return Literal(_NAMES[name])
    if name not in FUNCTIONS and name not in ("and", "or"):
        raise TemplateError(f'function "{name}" not defined')
    return Function(name)


def _literal(word: _Word) -> Literal:
    text = word.text
    try:
        if text[0] == "`":
            return Literal(text[1:-1])
        if word.kind == "char":
            return Literal(ord(json.loads(f'"{text[1:-1]}"')))
        if word.kind == "string":
            return Literal(json.loads(re.sub(r"\\([av0x'])", _escape, text)))
        return Literal(
            float(text) if re.fullmatch(r"[-+]?\d*\.?\d*([eE][-+]?\d+)?", text) and not _whole(text) else int(text, 0)
        )
    except ValueError as error:
        raise TemplateError(f"bad literal: {text}") from error


def _whole(text: str) -> bool:
    return text.lstrip("+-").isdigit()


def _escape(found: re.Match[str]) -> str:
    return {"a": "\\u0007", "v": "\\u000b", "'": "'", "0": "\\u0000"}.get(found[1], found[0])
