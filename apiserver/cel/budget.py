"""What evaluating may cost, so that no expression keeps the server from its other work.

The unit is about one step of the evaluator, or ten characters or elements that a function touches. Steps are not counted one by
one: compiling knows what a straight piece of expression costs, so evaluation pays once at its start and again for each turn
of a loop. What depends on the size of a value is paid before it is made, which bounds memory too.

A million units for one expression is Kubernetes' number too; here they take half a second at worst, and nothing else is served
meanwhile. So all expressions evaluated for one object get two and a half of them, where Kubernetes grants ten.
"""

from apiserver.cel.errors import BudgetError

CALL_LIMIT = 1_000_000
TOTAL_LIMIT = 2_500_000
ELEMENTS_PER_UNIT = 10


class Budget:
    """What all expressions evaluated for one object may cost together."""

    __slots__ = ("left",)

    def __init__(self, total: int = TOTAL_LIMIT) -> None:
        self.left = total

    def meter(self) -> "Meter":
        """The meter of the next evaluation; it may spend what is left, at most CALL_LIMIT."""
        return Meter(min(CALL_LIMIT, self.left))

    def take(self, spent: int) -> None:
        """Count what an evaluation has spent."""
        self.left = max(0, self.left - spent)


class Meter:
    """Counts one evaluation down."""

    __slots__ = ("left", "limit")

    def __init__(self, limit: int = CALL_LIMIT) -> None:
        self.limit = limit
        self.left = limit

    @property
    def spent(self) -> int:
        return self.limit - self.left

    def spend(self, units: int) -> None:
        """Raises BudgetError when nothing is left."""
        self.left -= units
        if self.left < 0:
            raise BudgetError("operation cancelled: actual cost limit exceeded")

    def touch(self, elements: int) -> None:
        """Pay for so many characters or elements."""
        self.spend(elements // ELEMENTS_PER_UNIT)
