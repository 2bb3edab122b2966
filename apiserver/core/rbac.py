"""What a role's rules allow, and whether one set of rules goes no further than another. Pure.

Rules only ever allow: nobody is refused by one, only by the lack of one.

Source: the Kubernetes page "Using RBAC Authorization".
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from apimachinery.kinds import PolicyRule
from apiserver.core.access import Question

ALL = "*"
COMPARISONS_MAX = 500_000
SHOWN_MAX = 20


def allows(rule: PolicyRule, question: Question) -> bool:
    """Whether a rule allows what is asked."""
    if not (ALL in rule.verbs or question.verb in rule.verbs):
        return False
    if question.path:
        return any(path_covers(each, question.path) for each in rule.non_resource_urls)
    if not (ALL in rule.api_groups or question.group in rule.api_groups):
        return False
    if rule.resource_names and question.name not in rule.resource_names:
        return False
    return _names_resource(rule.resources, question.resource, question.subresource)


def path_covers(pattern: str, path: str) -> bool:
    """Whether `*`, `/path` or `/prefix*` covers a path (or a narrower pattern)."""
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern[:-1]))


def excess(wanted: Sequence[PolicyRule], held: Sequence[PolicyRule]) -> list[PolicyRule]:
    """The parts of the wanted rules that no held rule covers, each as a rule of one verb on one thing.

    A few kilobytes of rule have billions of parts; what is too much to compare counts as lacking as it stands.
    """
    prepared = [_Held.of(rule) for rule in held]
    each_part = sum(1 + len(rule.non_resource_urls) for rule in held)
    lacking, left = list[PolicyRule](), COMPARISONS_MAX
    for rule in wanted:
        left -= _count(rule) * each_part
        if left < 0:
            lacking.append(rule)
        else:
            lacking += [part for part in _parts(rule) if not any(_covers(each, part) for each in prepared)]
    return lacking


def text(rule: PolicyRule) -> str:
    """A rule as a sentence shows it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`."""
    fields = (
        ("APIGroups", rule.api_groups),
        ("Resources", rule.resources),
        ("ResourceNames", rule.resource_names),
        ("NonResourceURLs", rule.non_resource_urls),
        ("Verbs", rule.verbs),
    )
    shown = (f"{name}:[{_quoted(values)}]" for name, values in fields if values)
    return "{" + ", ".join(shown) + "}"


def _quoted(values: Sequence[str]) -> str:
    listed = [f'"{each}"' for each in values[:SHOWN_MAX]]
    return ", ".join([*listed, "..."] if len(values) > SHOWN_MAX else listed)


def _names_resource(resources: Collection[str], resource: str, subresource: str) -> bool:
    if ALL in resources:
        return True
    if not subresource:
        return resource in resources
    return f"{resource}/{subresource}" in resources or f"*/{subresource}" in resources


class _Held(NamedTuple):
    """A held rule, made ready for many comparisons."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    urls: Sequence[str]

    @classmethod
    def of(cls, rule: PolicyRule) -> "_Held":
        return cls(
            frozenset(rule.verbs),
            frozenset(rule.api_groups),
            frozenset(rule.resources),
            frozenset(rule.resource_names),
            rule.non_resource_urls,
        )


def _count(rule: PolicyRule) -> int:
    """How many parts a rule has."""
    things = len(rule.api_groups) * len(rule.resources) * max(1, len(rule.resource_names))
    return len(rule.verbs) * (len(rule.non_resource_urls) + things)


def _parts(rule: PolicyRule) -> Iterator[PolicyRule]:
    for verb in rule.verbs:
        for url in rule.non_resource_urls:
            yield PolicyRule(verbs=[verb], non_resource_urls=[url])
        for group in rule.api_groups:
            for resource in rule.resources:
                for name in rule.resource_names or [""]:
                    names = [name] if name else []
                    yield PolicyRule(verbs=[verb], api_groups=[group], resources=[resource], resource_names=names)


def _covers(held: _Held, part: PolicyRule) -> bool:
    """Whether a rule covers one part; what stands for everything is only covered by what does so too."""
    if not (ALL in held.verbs or part.verbs[0] in held.verbs):
        return False
    if part.non_resource_urls:
        return any(path_covers(each, part.non_resource_urls[0]) for each in held.urls)
    if not (ALL in held.groups or part.api_groups[0] in held.groups):
        return False
    if held.names and held.names.isdisjoint(part.resource_names):
        return False
    resource, _, subresource = part.resources[0].partition("/")
    return _names_resource(held.resources, resource, subresource)
