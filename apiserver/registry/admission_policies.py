"""Validating admission policies in the way of requests: what a policy in force refuses is not written.

    a valid object → policies that are about such requests, by a look into a dict → selectors, bindings, parameters
    → each policy judges (`core.admission_policies`) → refused, or warnings for the caller, or a line in the log for auditors

What goes wrong in a policy, or in finding its parameters, refuses the request or does not matter, as its failurePolicy says.
When policies are asked is the business of `webhooks`.

Source: the Kubernetes page "Validating Admission Policy".
"""

import logging
from collections.abc import Mapping
from typing import Any

from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.kinds.meta import Status, StatusCause, StatusDetails
from apimachinery.resources import (
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    Resource,
    ResourceTable,
)
from apiserver.core.admission_policies import (
    AUDIT,
    DENY,
    WARN,
    Binding,
    Finding,
    Judgement,
    Policy,
    compile_binding,
    compile_policy,
    judge,
)
from apiserver.core.admission_requests import Situation
from apiserver.core.request import Request
from apiserver.ports import Authorizer
from apiserver.registry.current import Reader
from apiserver.registry.policy_index import Family, MisconfiguredError, PolicyIndex, Stored

log = logging.getLogger(__name__)

REASON_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
FAMILY = Family(VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS, compile_policy, compile_binding)


class ValidatingPolicies(PolicyIndex[Policy]):
    """Asked about every write of a valid object that they are `concerned` with."""

    def __init__(
        self, reader: Reader, stored: Mapping[Resource, Stored], *, table: ResourceTable, authorizer: Authorizer
    ) -> None:
        super().__init__(FAMILY, reader, stored, table=table, authorizer=authorizer)

    async def check(self, request: Request, operation: str, options: bytes, new: Any, old: Any) -> tuple[str, ...]:
        """Warnings about a request from `old` to `new`, each None where there is none; raises ApiError when it is refused.

        options: those of the request as JSON, empty for none.
        """
        situation = await self.situation(request, operation, options, new, old)
        warnings: list[str] = []
        for policy, binding, shown in self.about(situation):
            warnings += self._apply(policy, binding, situation, shown)
        return tuple(dict.fromkeys(warnings))

    def _apply(self, policy: Policy, binding: Binding, situation: Situation, shown: Resource) -> list[str]:
        """Judge, and act upon what is found; answers warnings."""
        warnings: list[str] = []
        try:
            parameters = self.parameters(policy, binding, situation)
        except MisconfiguredError as error:
            if policy.fails_open:
                return warnings
            raise refusal(
                situation,
                "ValidatingAdmissionPolicy",
                policy.name,
                binding.name,
                Finding(f"failed to configure binding: {error}"),
            ) from error
        for each in parameters:
            judgement = judge(policy, situation.values(shown, each, with_params=policy.param_kind is not None))
            for finding in judgement.findings:
                if WARN in binding.actions:
                    about = f"ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}'"
                    warnings.append(f"Validation failed for {about}: {finding.message}")
            if AUDIT in binding.actions or judgement.annotations:
                _audit(situation, policy, binding, judgement)
            if judgement.findings and DENY in binding.actions:
                raise refusal(situation, "ValidatingAdmissionPolicy", policy.name, binding.name, judgement.findings[0])
        return warnings


def refusal(situation: Situation, kind: str, policy: str, binding: str, finding: Finding) -> ApiError:
    """What a request is answered with that a policy has refused."""
    detail = f"{kind} '{policy}' with binding '{binding}' denied request: {finding.message}"
    row, name = situation.row, situation.name
    status = errors.forbidden(row.plural, name, detail, group=row.group).status
    reason = finding.reason or "Invalid"
    details = StatusDetails(name=name, group=row.group, kind=row.plural, causes=[StatusCause(message=detail)])
    return ApiError(
        Status(status="Failure", message=status.message, reason=reason, code=REASON_CODES.get(reason, 422), details=details)
    )


def _audit(situation: Situation, policy: Policy, binding: Binding, judgement: Judgement) -> None:
    findings = [each.message for each in judgement.findings] if AUDIT in binding.actions else []
    if not findings and not judgement.annotations:
        return
    log.info(
        "admission policy audit",
        extra={
            "policy": policy.name,
            "binding": binding.name,
            "user": situation.request.user.name,
            "operation": situation.operation,
            "resource": situation.row.qualified,
            "namespace": situation.request.namespace,
            "object": situation.name,
            "findings": findings,
            "annotations": dict(judgement.annotations),
        },
    )
