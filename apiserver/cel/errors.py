"""What can go wrong with an expression: one tree, told apart by whom it blames.

CompileError blames who wrote the expression, EvaluationError the data it met, BudgetError its cost. An engine's message is one
sentence, fit to stand after the name of the field that holds the expression.
"""


class CelError(Exception):
    """The base of all; `str()` is the message."""


class CompileError(CelError):
    """The expression is no expression, or means nothing; `str()` points at the place."""

    def __init__(self, problem: str, expression: str = "", position: int = 0) -> None:
        super().__init__(problem if not expression and not position else pointed(problem, expression, position))
        self.problem = problem


class EvaluationError(CelError):
    """The expression has no value for these values."""


class BudgetError(EvaluationError):
    """The evaluation was given up because it costs too much."""


def pointed(problem: str, expression: str, position: int) -> str:
    """`problem` with its line and column, and the line with an arrow below it."""
    before = expression[:position]
    line = before.count("\n")
    column = position - (before.rfind("\n") + 1)
    text = (expression.split("\n") or [""])[line].replace("\t", " ")
    return f"ERROR: <input>:{line + 1}:{column + 1}: {problem}\n | {text}\n | {'.' * column}^"
