"""Conditions in CEL under which a webhook is called: all must hold.

One that does not hold keeps the webhook from being called, whatever became of the others. Where none fails to hold but one
cannot be evaluated, it is not known whether the webhook should be called; what that means is the caller's to say.

Source: the Kubernetes page "Dynamic Admission Control", section "Matching requests: matchConditions".
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from apimachinery.kinds import MatchCondition
from apiserver import cel
from apiserver.cel.library.authorization import AuthorizerValue, Subject, Verdict
from apiserver.core.access import Decision, Question
from apiserver.core.request import User
from apiserver.core.users import service_account_user

VARIABLES = ("object", "oldObject", "request", "authorizer")


class Finding(msgspec.Struct, frozen=True):
    """Whether all conditions hold; `error`: why that is not known."""

    met: bool
    error: str = ""


def compile_condition(condition: MatchCondition) -> cel.Program:
    """Raises CelError."""
    return cel.compile(condition.expression, VARIABLES)


class Conditions:
    """The conditions of one webhook, by name."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def find(self, values: Mapping[str, object]) -> Finding:
        """Evaluate them on the values of VARIABLES, within one budget."""
        budget = cel.Budget()
        faults = []
        for name, expression in self._pairs:
            try:
                if not cel.compile(expression, VARIABLES).evaluate(values, budget):
                    return Finding(met=False)
            except cel.CelError as error:
                faults.append(f'matchCondition "{name}": {error}')
        return Finding(met=not faults, error="; ".join(faults))


def authorizer_value(user: User, decide: Callable[[Question], Decision], about: Subject) -> AuthorizerValue:
    """The value of `authorizer`: what `user`, or a service account that the expression names, may do in place of `about`."""

    def ask(subject: Subject) -> Verdict:
        decision = decide(
            Question(
                user=user if subject.service_account is None else service_account_user(*subject.service_account),
                verb=subject.verb,
                path=subject.path,
                group=subject.group,
                version="*",
                resource=subject.resource,
                subresource=subject.subresource,
                namespace=subject.namespace,
                name=subject.name,
            )
        )
        return Verdict(decision.allowed, decision.reason, decision.error)

    return AuthorizerValue(ask, request=about)
