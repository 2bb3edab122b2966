"""Functions and methods: their signatures, and which one a call means.

A function of the language is a set of overloads under one name. Compiling looks which of them fit the types that are known and
refuses a call that none fits; evaluating takes the one for the values that came, remembered by their types. A signature is
written as the language would say it, `split: string.(string, int) -> list<string>`, in `@method` and `@function`.

What an overload does for longer than a step it pays for: `linear` ones per character and element of their arguments, others
through the meter that they ask for as their first argument (`metered`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apiserver.cel import types
from apiserver.cel.budget import Meter
from apiserver.cel.types import Type, accepts
from apiserver.cel.values import kind_of, no_overload

Body = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature; a method's receiver is its first parameter."""

    name: str
    parameters: tuple[Type, ...]
    result: Type
    body: Body
    method: bool
    linear: bool = False
    metered: bool = False

    def call(self, meter: Meter, arguments: Sequence[Any]) -> Any:
        if self.linear:
            meter.touch(sum(len(each) for each in arguments if isinstance(each, str | list | bytes | dict)))
        return self.body(meter, *arguments) if self.metered else self.body(*arguments)


@dataclass(slots=True)
class Function:
    """All overloads of a name, with what was found for the types of values before."""

    overloads: list[Overload] = field(default_factory=list)
    chosen: dict[tuple[str, ...], Overload] = field(default_factory=dict)

    def fitting(self, given: Sequence[Type]) -> list[Overload]:
        """The overloads that a call with arguments of these types may mean."""
        return [
            each for each in self.overloads if len(each.parameters) == len(given) and all(map(accepts, each.parameters, given))
        ]

    def call(self, meter: Meter, arguments: Sequence[Any]) -> Any:
        """Raises EvaluationError, also when no overload takes these values."""
        kinds = tuple(map(kind_of, arguments))
        chosen = self.chosen.get(kinds)
        if chosen is None:
            chosen = self.chosen[kinds] = self._choose(kinds)
        return chosen.call(meter, arguments)

    def _choose(self, kinds: tuple[str, ...]) -> Overload:
        for each in self.overloads:
            if len(each.parameters) == len(kinds) and all(
                parameter.name in ("dyn", kind) for parameter, kind in zip(each.parameters, kinds, strict=True)
            ):
                return each
        raise no_overload()


@dataclass(slots=True)
class Library:
    """Functions by name; methods and functions have names of their own each."""

    functions: dict[str, Function] = field(default_factory=dict)
    methods: dict[str, Function] = field(default_factory=dict)

    def add(self, overload: Overload) -> None:
        table = self.methods if overload.method else self.functions
        table.setdefault(overload.name, Function()).overloads.append(overload)

    def function(
        self, name: str, *parameters: str, result: str, linear: bool = False, metered: bool = False
    ) -> Callable[[Body], Body]:
        """Declares the decorated as an overload of the function `name`."""
        return self._declared(name, parameters, result, method=False, linear=linear, metered=metered)

    def method(
        self, name: str, receiver: str, *parameters: str, result: str, linear: bool = False, metered: bool = False
    ) -> Callable[[Body], Body]:
        """Declares the decorated as an overload of the method `name` of `receiver`."""
        return self._declared(name, (receiver, *parameters), result, method=True, linear=linear, metered=metered)

    def _declared(
        self, name: str, parameters: Sequence[str], result: str, *, method: bool, linear: bool, metered: bool
    ) -> Callable[[Body], Body]:
        def declare(body: Body) -> Body:
            signature = tuple(map(types.named, parameters))
            self.add(Overload(name, signature, types.named(result), body, method, linear, metered))
            return body

        return declare


def call_message(name: str, given: Sequence[Type], *, method: bool) -> str:
    """What is wrong with a call that no overload fits."""
    shown = [str(each) for each in given]
    applied = f"{shown[0]}.({', '.join(shown[1:])})" if method else f"({', '.join(shown)})"
    return f"found no matching overload for '{name}' applied to '{applied}'"
