"""What a role's rules allow, and whether one set of rules goes no further than another. Pure.

Rules only ever allow: nobody is refused by one, only by the lack of one.

Source: the Kubernetes page "Using RBAC Authorization".
"""

from collections.abc import Iterator, Sequence

from apimachinery.kinds import PolicyRule
from apiserver.core.access import Question

ALL = "*"


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
    """The parts of the wanted rules that no held rule covers, each as a rule of one verb on one thing."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(each, part) for each in held)]


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
    return ", ".join(f'"{each}"' for each in values)


def _names_resource(resources: Sequence[str], resource: str, subresource: str) -> bool:
    if ALL in resources:
        return True
    if not subresource:
        return resource in resources
    return f"{resource}/{subresource}" in resources or f"*/{subresource}" in resources


def _parts(rule: PolicyRule) -> Iterator[PolicyRule]:
    for verb in rule.verbs:
        for url in rule.non_resource_urls:
            yield PolicyRule(verbs=[verb], non_resource_urls=[url])
        for group in rule.api_groups:
            for resource in rule.resources:
                for name in rule.resource_names or [""]:
                    names = [name] if name else []
                    yield PolicyRule(verbs=[verb], api_groups=[group], resources=[resource], resource_names=names)


def _covers(held: PolicyRule, part: PolicyRule) -> bool:
    """Whether a rule covers one part; what stands for everything is only covered by what does so too."""
    if not (ALL in held.verbs or part.verbs[0] in held.verbs):
        return False
    if part.non_resource_urls:
        return any(path_covers(each, part.non_resource_urls[0]) for each in held.non_resource_urls)
    if not (ALL in held.api_groups or part.api_groups[0] in held.api_groups):
        return False
    if held.resource_names and not set(part.resource_names) & set(held.resource_names):
        return False
    resource, _, subresource = part.resources[0].partition("/")
    return _names_resource(held.resources, resource, subresource)
