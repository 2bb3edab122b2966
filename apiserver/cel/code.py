"""Compiled code: a function of a frame, the type of its value, and what one run costs.

A frame is a list: the meter, then the variables, then what loops and bindings hold. Compiling gives each name its place there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apiserver.cel.types import Type

Frame = list[Any]
Run = Callable[[Frame], Any]
METER = 0


@dataclass(frozen=True, slots=True)
class Code:
    """`cost` is that of one run without the turns of its loops, which pay for themselves."""

    run: Run
    type: Type
    cost: int = 1


class Missing:
    """Stands in a frame for a declared variable that got no value."""


MISSING = Missing()
