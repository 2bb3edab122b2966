"""The authorizer: who may do what, by the roles that are stored, for nodes by what their pods need.

    system:masters → everything
    a node         → what `core.node_access` leaves of the rules of the ClusterRole system:node
    anybody else   → what the (Cluster)Roles that are bound to them or to their groups allow; otherwise refused

Model. Rules are taken as the watch caches have them, so a decision awaits nothing. What is derived from a cache (the rules of
each subject, by namespace, and the last decisions) is kept for as long as the cache's `changes` stays the same; so a change of
a role costs the reading of those in one namespace, and a request that was asked before a look into a dictionary. A new role
or binding counts as soon as the cache has it; one that was taken away, too. A binding to a role that does not exist allows
nothing.

Source: the Kubernetes pages "Using RBAC Authorization" and "Using Node Authorization".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from apimachinery import codec, errors, fields, service_accounts
from apimachinery.fields import FieldSelectorError
from apimachinery.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    NonResourceRule,
    Pod,
    PolicyRule,
    ResourceRule,
    Role,
    RoleBinding,
    Subject,
)
from apimachinery.kinds.object import Object
from apimachinery.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    NAMESPACES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)
from apiserver.core import node_access, rbac
from apiserver.core.access import Decision, Question, Rules
from apiserver.core.request import MASTERS, Request, User, Verb
from apiserver.registry.current import Current, Reader

DECISIONS_KEPT_MAX = 8_192
NODE_ROLE = "system:node"
_ABOUT_MANY = frozenset((Verb.LIST, Verb.WATCH, Verb.DELETE_COLLECTION))
_NO_OPINION = Decision(allowed=False)

Holder: TypeAlias = tuple[str, str]
"""(kind User or Group, name): what a subject comes to."""


class Grant(msgspec.Struct, frozen=True):
    """Rules that somebody holds, and by what."""

    rules: Sequence[PolicyRule]
    source: str


Grants: TypeAlias = Mapping[Holder, Sequence[Grant]]


class RoleAuthorizer:
    """Implements `ports.Authorizer` on what a Reader sees."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._cluster: tuple[tuple[int, ...], Grants] = ((), {})
        self._local: dict[str, Grants] = {}
        self._local_state: tuple[int, ...] = ()
        self._decisions: dict[Question, Decision] = {}
        self._decisions_state: tuple[int, ...] = ()

    def authorize(self, request: Request) -> None:
        """See `ports.Authorizer.authorize`."""
        if not request.user.name:
            raise errors.unauthorized()
        if MASTERS in request.user.groups:
            return
        question = _question(request)
        decision = self.decide(question)
        if not decision.allowed:
            raise refused(question, decision)

    def authorize_path(self, user: User, path: str, verb: str = "get") -> None:
        """See `ports.Authorizer.authorize_path`."""
        if not user.name:
            raise errors.unauthorized()
        if MASTERS in user.groups:
            return
        question = Question(user=user, verb=verb, path=path)
        decision = self.decide(question)
        if not decision.allowed:
            raise refused(question, decision)

    def decide(self, question: Question) -> Decision:
        """See `ports.Authorizer.decide`."""
        if MASTERS in question.user.groups:
            return Decision(allowed=True)
        node = node_access.node_of(question.user)
        if node and node_access.depends_on_pods(question):
            return self._of_pods(node, question)  # pods come and go: never kept
        state = self._state()
        if state != self._decisions_state or len(self._decisions) >= DECISIONS_KEPT_MAX:
            self._decisions.clear()
            self._decisions_state = state
        decision = self._decisions.get(question)
        if decision is None:
            decision = self._node(node, question) if node else self._by_roles(question)
            self._decisions[question] = decision
        return decision

    def rules(self, user: User, namespace: str) -> Rules:
        """See `ports.Authorizer.rules`."""
        held = self.held(user, namespace)
        named = [rule for rule in held if not rule.non_resource_urls]
        paths = [rule for rule in held if rule.non_resource_urls]
        return Rules(
            tuple(
                ResourceRule(
                    verbs=rule.verbs, api_groups=rule.api_groups, resources=rule.resources, resource_names=rule.resource_names
                )
                for rule in named
            ),
            tuple(NonResourceRule(verbs=rule.verbs, non_resource_urls=rule.non_resource_urls) for rule in paths),
            incomplete=bool(node_access.node_of(user)),
            error="node authorizer does not support user rule resolution" if node_access.node_of(user) else "",
        )

    def held(self, user: User, namespace: str) -> list[PolicyRule]:
        """All rules that a user holds in a namespace ("": everywhere)."""
        grants: list[Grant] = []
        if MASTERS in user.groups:
            everything = ["*"]
            return [
                PolicyRule(verbs=everything, api_groups=everything, resources=everything),
                PolicyRule(verbs=everything, non_resource_urls=everything),
            ]
        if node_access.node_of(user):
            grants += self._node_grants()
        grants += self._grants(user, namespace)
        return [rule for grant in grants for rule in grant.rules]

    def rules_of_role(self, kind: str, namespace: str, name: str) -> list[PolicyRule] | None:
        """The rules of a Role or a ClusterRole, None when there is no such role."""
        row = CLUSTER_ROLES if kind == "ClusterRole" else ROLES
        found = self._reader.glimpse(row, namespace if row.namespaced else "", name)
        role = _decoded(row, found) if found is not None else None
        return list(role.rules) if isinstance(role, Role | ClusterRole) else None

    def _by_roles(self, question: Question) -> Decision:
        for grant in self._grants(question.user, question.namespace):
            if any(rbac.allows(rule, question) for rule in grant.rules):
                return Decision(allowed=True, reason=f"RBAC: allowed by {grant.source}")
        return _NO_OPINION

    def _node(self, node: str, question: Question) -> Decision:
        allowed = any(rbac.allows(rule, question) for grant in self._node_grants() for rule in grant.rules)
        if allowed and (reason := node_access.refusal(node, question)):
            return Decision(allowed=False, reason=reason)
        return Decision(allowed=True) if allowed else self._by_roles(question)

    def _of_pods(self, node: str, question: Question) -> Decision:
        allowed = any(rbac.allows(rule, question) for grant in self._node_grants() for rule in grant.rules)
        if not allowed:
            return self._by_roles(question)
        if reason := node_access.needs_of_pods(question):
            return Decision(allowed=False, reason=reason)
        for pod in self._pods_on(node, question.namespace):
            if node_access.refers(pod, question.resource, question.name):
                return Decision(allowed=True)
        return Decision(allowed=False, reason=f"no relationship found between node '{node}' and this object")

    def _pods_on(self, node: str, namespace: str) -> Iterator[Pod]:
        needle = b'"nodeName":' + msgspec.json.encode(node)
        for each in self._reader.view(PODS, namespace):
            if needle not in each.data:
                continue
            pod = _decoded(PODS, each)
            if isinstance(pod, Pod) and pod.spec.node_name == node:
                yield pod

    def _node_grants(self) -> list[Grant]:
        return [Grant(self.rules_of_role("ClusterRole", "", NODE_ROLE) or (), "the node authorizer")]

    def _grants(self, user: User, namespace: str) -> Iterator[Grant]:
        holders = (("User", user.name), *(("Group", group) for group in user.groups))
        everywhere = self._everywhere()
        for holder in holders:
            yield from everywhere.get(holder, ())
        if namespace:
            here = self._within(namespace)
            for holder in holders:
                yield from here.get(holder, ())

    def _everywhere(self) -> Grants:
        state = self._changes(CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES)
        if self._cluster[0] != state:
            self._cluster = (state, self._collect(CLUSTER_ROLE_BINDINGS, ""))
        return self._cluster[1]

    def _within(self, namespace: str) -> Grants:
        state = self._changes(ROLE_BINDINGS, ROLES, CLUSTER_ROLES)
        if self._local_state != state:
            self._local.clear()
            self._local_state = state
        found = self._local.get(namespace)
        if found is None:
            found = self._local[namespace] = self._collect(ROLE_BINDINGS, namespace)
        return found

    def _collect(self, row: Resource, namespace: str) -> Grants:
        grants: dict[Holder, list[Grant]] = {}
        for each in self._reader.view(row, namespace):
            binding = _decoded(row, each)
            if not isinstance(binding, RoleBinding | ClusterRoleBinding):
                continue
            reference = binding.role_ref
            rules = self.rules_of_role(reference.kind, namespace, reference.name)
            if not rules:
                continue
            where = f' "{binding.metadata.name}' + (f'/{namespace}"' if namespace else '"')
            for subject in binding.subjects:
                source = f'{binding.kind}{where} of {reference.kind} "{reference.name}" to {subject.kind} "{_shown(subject)}"'
                grants.setdefault(_holder(subject, namespace), []).append(Grant(rules, source))
        return grants

    def _state(self) -> tuple[int, ...]:
        return self._changes(CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES)

    def _changes(self, *rows: Resource) -> tuple[int, ...]:
        return tuple([self._reader.changes(row) for row in rows])


def refused(question: Question, decision: Decision) -> errors.ApiError:
    """403, in the words that Kubernetes' users know."""
    user, verb = question.user.name, question.verb
    because = f": {decision.reason}" if decision.reason else ""
    if question.path:
        return errors.api_error(
            403, errors.Reason.FORBIDDEN, f'forbidden: User "{user}" cannot {verb} path "{question.path}"{because}'
        )
    what = f"{question.resource}/{question.subresource}" if question.subresource else question.resource
    where = f'in the namespace "{question.namespace}"' if question.namespace else "at the cluster scope"
    detail = f'User "{user}" cannot {verb} resource "{what}" in API group "{question.group}" {where}{because}'
    return errors.forbidden(question.resource, question.name, detail, group=question.group)


def _question(request: Request) -> Question:
    row, namespace, name = request.resource, request.namespace, request.name
    if row is NAMESPACES and name:
        namespace = name  # a Role in a namespace can allow what concerns the namespace itself
    if not name and request.verb in _ABOUT_MANY and request.options.field_selector:
        name = _selected_name(request)
    return Question(
        user=request.user,
        verb=request.needed_verb,
        group=row.group,
        version=row.version,
        resource=row.plural,
        subresource=request.subresource,
        namespace=namespace,
        name=name,
    )


def _selected_name(request: Request) -> str:
    """The one name that a field selector asks for; "" when there is none, or the selector is wrong: others will tell."""
    try:
        return fields.parse(request.options.field_selector, request.resource).exact("metadata.name") or ""
    except FieldSelectorError:
        return ""


def _decoded(row: Resource, found: Current) -> Object | None:
    """An object, None when it cannot be read: it allows nothing then."""
    try:
        return codec.decode(row.cls, found.data)
    except errors.ApiError:
        return None


def _holder(subject: Subject, namespace: str) -> Holder:
    if subject.kind == "ServiceAccount":
        return "User", service_accounts.username(subject.namespace or namespace, subject.name)
    return subject.kind, subject.name


def _shown(subject: Subject) -> str:
    return f"{subject.name}/{subject.namespace}" if subject.kind == "ServiceAccount" and subject.namespace else subject.name
