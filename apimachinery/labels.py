"""Label selectors: equality and set based, from text and from a LabelSelector, and the labels' own rules.

Source: the Kubernetes page "Labels and Selectors".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from apimachinery.kinds.meta import LabelSelector


class Operator(StrEnum):
    """How a requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER_THAN = "Gt"
    LESS_THAN = "Lt"


class SelectorError(ValueError):
    """The text is no selector."""


@dataclass(frozen=True)
class Requirement:
    """One condition on one label; `Gt` and `Lt` compare integers and are for nodes only."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.GREATER_THAN | Operator.LESS_THAN:
                return _compare(self.operator, value, self.values)

    def __str__(self) -> str:
        listed = ",".join(sorted(self.values))
        match self.operator:
            case Operator.IN if len(self.values) == 1:
                return f"{self.key}={listed}"
            case Operator.NOT_IN if len(self.values) == 1:
                return f"{self.key}!={listed}"
            case Operator.IN:
                return f"{self.key} in ({listed})"
            case Operator.NOT_IN:
                return f"{self.key} notin ({listed})"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.GREATER_THAN:
                return f"{self.key}>{listed}"
            case Operator.LESS_THAN:
                return f"{self.key}<{listed}"


@dataclass(frozen=True)
class Selector:
    """Requirements that must all hold; none means everything matches."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing:
            return False
        for requirement in self.requirements:  # noqa: SIM110 - twice as fast as all(), and lists ask it of every object
            if not requirement.matches(labels):
                return False
        return True

    def exact(self) -> tuple[str, str] | None:
        """A label and the one value that it must have, if there is such a requirement."""
        for each in self.requirements:
            if each.operator is Operator.IN and len(each.values) == 1:
                return each.key, next(iter(each.values))
        return None

    @property
    def empty(self) -> bool:
        """Whether everything matches."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return "<none>" if self.nothing else ",".join(map(str, self.requirements))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)

_TOKEN = re.compile(r"\s*(?:(?P<symbol>==|=|!=|!|\(|\)|,|<|>)|(?P<word>[^\s=!(),<>]+))")


def parse(text: str) -> Selector:
    """The selector of `a=b,c!=d,e in (f,g),h notin (i),j,!k`; raises SelectorError."""
    tokens = _tokens(text)
    requirements = []
    while tokens:
        requirements.append(_requirement(tokens, text))
        if tokens and (tokens.pop(0) != "," or not tokens):
            raise SelectorError(f"unable to parse requirement in selector {text!r}: expected a comma between requirements")
    return Selector(tuple(requirements))


def from_map(labels: Mapping[str, str]) -> Selector:
    """The selector that asks for each of these labels; of an empty map, everything."""
    return Selector(tuple(Requirement(key, Operator.IN, frozenset((value,))) for key, value in sorted(labels.items())))


def from_struct(selector: LabelSelector | None) -> Selector:
    """The selector of a spec: None selects nothing, an empty one everything; raises SelectorError for an unknown operator."""
    if selector is None:
        return NOTHING
    requirements = list(from_map(selector.match_labels).requirements)
    for expression in selector.match_expressions:
        if expression.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise SelectorError(f"{expression.operator!r} is not a valid label selector operator")
        requirements.append(Requirement(expression.key, Operator(expression.operator), frozenset(expression.values)))
    return Selector(tuple(requirements))


_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


def is_qualified_name(key: str) -> bool:
    """Whether `key` may be the key of a label: an optional DNS prefix, a slash, and a name of at most 63 characters."""
    prefix, slash, name = key.rpartition("/")
    return bool(_NAME.fullmatch(name)) and (not slash or (len(prefix) <= 253 and bool(_SUBDOMAIN.fullmatch(prefix))))


def is_label_value(value: str) -> bool:
    """Whether `value` may be a label's value: empty, or at most 63 characters between two alphanumerics."""
    return not value or bool(_NAME.fullmatch(value))


def _compare(operator: Operator, value: str | None, values: frozenset[str]) -> bool:
    if not value or len(values) != 1 or not all(map(_INTEGER.fullmatch, (value, *values))):
        return False
    have, want = int(value), int(next(iter(values)))
    return have > want if operator == Operator.GREATER_THAN else have < want


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        found = _TOKEN.match(stripped, position)
        if found is None:
            raise SelectorError(f"unable to parse selector {text!r} at position {position}")
        tokens.append(found.group("symbol") or found.group("word"))
        position = found.end()
    return tokens


def _requirement(tokens: list[str], text: str) -> Requirement:
    token = tokens.pop(0)
    if token == "!":
        return Requirement(_key(tokens.pop(0) if tokens else "", text), Operator.DOES_NOT_EXIST)
    key = _key(token, text)
    if not tokens or tokens[0] == ",":
        return Requirement(key, Operator.EXISTS)
    operator = tokens.pop(0)
    if operator in ("=", "==", "!="):
        value = "" if not tokens or tokens[0] == "," else tokens.pop(0)
        return Requirement(key, Operator.NOT_IN if operator == "!=" else Operator.IN, frozenset((_value(value, text),)))
    if operator in ("in", "notin"):
        return Requirement(key, Operator.IN if operator == "in" else Operator.NOT_IN, _values(tokens, text))
    if operator in ("<", ">") and tokens:
        compare = Operator.GREATER_THAN if operator == ">" else Operator.LESS_THAN
        if not _INTEGER.fullmatch(tokens[0]):
            raise SelectorError(f"unable to parse requirement in selector {text!r}: {operator} compares integers")
        return Requirement(key, compare, frozenset((tokens.pop(0),)))
    raise SelectorError(f"unable to parse requirement in selector {text!r}: found {operator!r}, expected an operator")


def _values(tokens: list[str], text: str) -> frozenset[str]:
    if not tokens or tokens.pop(0) != "(":
        raise SelectorError(f"unable to parse requirement in selector {text!r}: expected an opening parenthesis")
    values, expect_value = [], True
    while tokens and tokens[0] != ")":
        token = tokens.pop(0)
        if token == ",":
            if expect_value:
                values.append("")
            expect_value = True
        else:
            values.append(_value(token, text))
            expect_value = False
    if not tokens:
        raise SelectorError(f"unable to parse requirement in selector {text!r}: expected a closing parenthesis")
    tokens.pop(0)
    if expect_value:
        values.append("")
    return frozenset(values)


def _key(token: str, text: str) -> str:
    if not is_qualified_name(token):
        raise SelectorError(f"unable to parse requirement in selector {text!r}: {token!r} is not a valid label key")
    return token


def _value(token: str, text: str) -> str:
    if not is_label_value(token):
        raise SelectorError(f"unable to parse requirement in selector {text!r}: {token!r} is not a valid label value")
    return token
