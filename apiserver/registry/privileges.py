"""What a user may write only with more than the right to write: nobody grants what they lack, and a node keeps to its own.

- Granting: who creates or changes a role holds all of its rules already, or may `escalate` it; who binds one, likewise, or may
  `bind` it. A role's labels count as its rules do: by them others take over its rules.
- Certificates: see `core.certificate_requests`.
- Parameters of admission policies: see `parameter_access`.
- NodeRestriction: see `core.node_restriction`.

Asked of valid objects, once for every state that would be stored; nobody of system:masters is asked for a right.

Source: the Kubernetes pages "Using RBAC Authorization", section "Privilege escalation prevention and bootstrapping", and
"Admission Control in Kubernetes".
"""

from typing import Protocol

import msgspec

from apimachinery import errors
from apimachinery.kinds import CertificateSigningRequest, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding
from apimachinery.kinds.object import Object
from apimachinery.resources import CLUSTER_ROLES, ROLES
from apiserver.core import certificate_requests, node_access, node_restriction, rbac
from apiserver.core.access import Decision, Question
from apiserver.core.default_roles import MASTERS
from apiserver.core.request import Request, User
from apiserver.registry.parameter_access import ParameterAccess

SHOWN_MAX = 20
POLICY_GROUP = "admissionregistration.k8s.io"
EVERYTHING = (
    PolicyRule(verbs=["*"], api_groups=["*"], resources=["*"]),
    PolicyRule(verbs=["*"], non_resource_urls=["*"]),
)


class Holdings(Protocol):
    """Knows what users may do, and what roles allow."""

    def decide(self, question: Question) -> Decision: ...

    def held(self, user: User, namespace: str) -> list[PolicyRule]:
        """All rules that a user holds in a namespace ("": everywhere)."""
        ...

    def rules_of_role(self, kind: str, namespace: str, name: str) -> list[PolicyRule] | None:
        """The rules of a Role or ClusterRole, None when there is no such role."""
        ...


class Privileges:
    """Asked by the write verbs."""

    def __init__(self, holdings: Holdings, parameters: ParameterAccess) -> None:
        self._holdings = holdings
        self._parameters = parameters

    def admit(self, request: Request, new: Object, old: Object | None) -> None:
        """Raises ApiError (403) for what this user may not make of `old`, or create."""
        user = request.user
        if isinstance(new, CertificateSigningRequest) and old is None:
            _refuse(request, new, certificate_requests.forbidden_subject(new))
        if MASTERS in user.groups:
            return
        if node := node_access.node_of(user):
            _refuse(request, new, _restricted(node, new, old, request.subresource))
        match new:
            case Role() | ClusterRole():
                self._admit_role(request, new, old)
            case RoleBinding() | ClusterRoleBinding():
                self._admit_binding(request, new, old)
            case CertificateSigningRequest() if isinstance(old, CertificateSigningRequest):
                self._admit_decision(request, new, old)
            case _ if request.resource.group == POLICY_GROUP:
                _refuse(request, new, self._parameters.lacking(user, new, old))

    def admit_delete(self, request: Request, obj: Object) -> None:
        """Raises ApiError (403) for what this user may not delete."""
        if node := node_access.node_of(request.user):
            _refuse(request, obj, node_restriction.removal(node, obj))

    def _admit_role(self, request: Request, new: Role | ClusterRole, old: Object | None) -> None:
        aggregation = new.aggregation_rule if isinstance(new, ClusterRole) else None
        before = old.aggregation_rule if isinstance(old, ClusterRole) else None
        if old is not None and _for_collection_only(new, old):
            return
        if self._may(request, "escalate", new.metadata.name):
            return
        if (aggregation or before) is not None and rbac.excess(EVERYTHING, self._holdings.held(request.user, "")):
            _refuse(request, new, "must have cluster-admin privileges to use the aggregationRule")
        self._require_held(request, new, new.rules)

    def _admit_binding(self, request: Request, new: RoleBinding | ClusterRoleBinding, old: Object | None) -> None:
        reference, namespace = new.role_ref, new.metadata.namespace
        if old is not None and _for_collection_only(new, old):
            return
        if self._may(request, "bind", reference.name, reference.kind):
            return
        rules = self._holdings.rules_of_role(reference.kind, namespace, reference.name)
        if rules is None:
            row = CLUSTER_ROLES if reference.kind == "ClusterRole" else ROLES
            raise errors.not_found(row.plural, reference.name, group=row.group)
        self._require_held(request, new, rules)

    def _admit_decision(self, request: Request, new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
        verb, signer = certificate_requests.needed_verb(new, old, request.subresource), old.spec.signer_name
        asked = certificate_requests.questions(request.user, verb, signer) if verb else ()
        if verb and not any(self._holdings.decide(question).allowed for question in asked):
            _refuse(request, new, f'user not permitted to {verb} requests with signerName "{signer}"')

    def _may(self, request: Request, verb: str, name: str, kind: str = "") -> bool:
        row = request.resource if not kind else CLUSTER_ROLES if kind == "ClusterRole" else ROLES
        return self._holdings.decide(
            Question(
                user=request.user,
                verb=verb,
                group=row.group,
                version=row.version,
                resource=row.plural,
                namespace=request.namespace,
                name=name,
            )
        ).allowed

    def _require_held(self, request: Request, new: Object, rules: list[PolicyRule]) -> None:
        user = request.user
        lacking = rbac.excess(rules, self._holdings.held(user, new.metadata.namespace))
        if not lacking:
            return
        shown = "\n".join(rbac.text(rule) for rule in lacking[:SHOWN_MAX])
        more = f"\nand {len(lacking) - SHOWN_MAX} more" if len(lacking) > SHOWN_MAX else ""
        groups = ", ".join([f'"{group}"' for group in user.groups])
        who = f'user "{user.name}" (groups=[{groups}])'
        _refuse(request, new, f"{who} is attempting to grant RBAC permissions not currently held:\n{shown}{more}")


def _refuse(request: Request, obj: Object, why: str) -> None:
    if why:
        raise errors.forbidden(request.resource.plural, obj.metadata.name, why, group=request.resource.group)


def _for_collection_only(new: Object, old: Object) -> bool:
    """Whether a change is about no more than what garbage collection goes by."""
    before = old.metadata
    meta = msgspec.structs.replace(
        new.metadata,
        owner_references=before.owner_references,
        finalizers=before.finalizers,
        managed_fields=before.managed_fields,
        resource_version=before.resource_version,
    )
    return msgspec.structs.replace(new, metadata=meta) == old


def _restricted(node: str, new: Object, old: Object | None, subresource: str) -> str:
    if old is None:
        return node_restriction.creation(node, new)
    return node_restriction.change(node, new, old, subresource)
