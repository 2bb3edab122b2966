"""Which requests policies and webhooks are about: rules on operation and resource, selectors on the objects.

What depends on the operation and the resource alone is decided by `matched_row`, whose answers can be kept; names and selectors
look at the objects of each request.

Source: the Kubernetes page "Dynamic Admission Control", section "Matching requests"; "Validating Admission Policy", "Matching".
"""

from collections.abc import Mapping, Sequence

import msgspec

from apimachinery import labels
from apimachinery.kinds import (
    MatchResources,
    MutatingWebhook,
    NamedRuleWithOperations,
    RuleWithOperations,
    ValidatingWebhook,
)
from apimachinery.kinds.meta import LabelSelector
from apimachinery.resources import Resource

EXEMPT_GROUP = "admissionregistration.k8s.io"
"""Nothing decides about policies and webhooks: a wrong one could not be taken back."""
Labels = Mapping[str, str] | None


class Rule(msgspec.Struct, frozen=True):
    """One rule; `names` empty means all."""

    operations: tuple[str, ...]
    groups: tuple[str, ...]
    versions: tuple[str, ...]
    resources: tuple[str, ...]
    scope: str = "*"
    names: tuple[str, ...] = ()

    def covers(self, operation: str, row: Resource, subresource: str) -> bool:
        """Whether it names such requests, whatever the object's name."""
        return (
            _has(self.operations, operation)
            and _has(self.groups, row.group)
            and _has(self.versions, row.version)
            and self.scope in ("", "*", "Namespaced" if row.namespaced else "Cluster")
            and any(_names_resource(pattern, row.plural, subresource) for pattern in self.resources)
        )


class Matcher(msgspec.Struct, frozen=True):
    """What requests something is about. None for a selector selects everything."""

    rules: tuple[Rule, ...] = ()
    excluded: tuple[Rule, ...] = ()
    equivalent: bool = True
    namespace_selector: labels.Selector | None = None
    object_selector: labels.Selector | None = None


EVERYTHING = Matcher((Rule(("*",), ("*",), ("*",), ("*", "*/*")),))


def compile_matcher(resources: MatchResources | None) -> Matcher:
    """The matcher of a policy's constraints or a binding's; without rules (or at all) it is about every resource."""
    if resources is None:
        return EVERYTHING
    return Matcher(
        tuple(map(_rule, resources.resource_rules)) or EVERYTHING.rules,
        tuple(map(_rule, resources.exclude_resource_rules)),
        resources.match_policy != "Exact",
        _selector(resources.namespace_selector),
        _selector(resources.object_selector),
    )


def webhook_matcher(webhook: ValidatingWebhook | MutatingWebhook) -> Matcher:
    """The matcher of a webhook; without rules it is about nothing."""
    return Matcher(
        tuple(map(_rule, webhook.rules)),
        (),
        webhook.match_policy != "Exact",
        _selector(webhook.namespace_selector),
        _selector(webhook.object_selector),
    )


def concerns(matcher: Matcher, operation: str, row: Resource, subresource: str, same: Sequence[Resource]) -> bool:
    """Whether it may be about such requests, for some name and some objects."""
    if row.group == EXEMPT_GROUP:
        return False
    candidates = (row, *(same if matcher.equivalent else ()))
    return any(rule.covers(operation, each, subresource) for rule in matcher.rules for each in candidates)


def matched_row(
    matcher: Matcher, operation: str, row: Resource, subresource: str, same: Sequence[Resource], name: str = ""
) -> Resource | None:
    """The row in whose form such a request is looked at, None when the matcher is not about it.

    That of the request where a rule names it; else, when equivalent ones are taken, the first of `same`, the rows that show
    the same stored objects. What is excluded in any of these forms is not looked at.
    """
    if row.group == EXEMPT_GROUP:
        return None
    candidates = (row, *(same if matcher.equivalent else ()))
    if any(_covers(rule, operation, each, subresource, name) for rule in matcher.excluded for each in candidates):
        return None
    for each in candidates:
        if any(_covers(rule, operation, each, subresource, name) for rule in matcher.rules):
            return each
    return None


def selects(matcher: Matcher, *, namespace: Labels, objects: Sequence[Labels]) -> bool:
    """Whether both selectors hold.

    namespace: the labels of the object's namespace, None for an object in none; objects: the labels of the object and of its
    state before, each None where there is none.
    """
    if matcher.namespace_selector is not None and namespace is not None and not matcher.namespace_selector.matches(namespace):
        return False
    selector = matcher.object_selector
    return selector is None or any(each is not None and selector.matches(each) for each in objects)


def _rule(rule: NamedRuleWithOperations | RuleWithOperations) -> Rule:
    return Rule(
        tuple(rule.operations),
        tuple(rule.api_groups),
        tuple(rule.api_versions),
        tuple(rule.resources),
        rule.scope,
        tuple(rule.resource_names) if isinstance(rule, NamedRuleWithOperations) else (),
    )


def _selector(selector: LabelSelector | None) -> labels.Selector | None:
    if selector is None or not (selector.match_labels or selector.match_expressions):
        return None
    return labels.from_struct(selector)


def _covers(rule: Rule, operation: str, row: Resource, subresource: str, name: str) -> bool:
    return rule.covers(operation, row, subresource) and (not rule.names or name in rule.names)


def _has(patterns: Sequence[str], value: str) -> bool:
    return "*" in patterns or value in patterns


def _names_resource(pattern: str, plural: str, subresource: str) -> bool:
    name, _, below = pattern.partition("/")
    return name in ("*", plural) and below in ("*", subresource)
