"""What `kctl auth reconcile` changes: roles get the rules, and bindings the subjects, that a manifest has and they lack; pure.

A rule is held against all rules that are there, verb by verb and resource by resource, as the authorizer would read them.
Source: the Kubernetes page "Using RBAC Authorization", section "kubectl auth reconcile".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]
ROLES, BINDINGS = ("Role", "ClusterRole"), ("RoleBinding", "ClusterRoleBinding")


def reconciled(wanted: Mapping[str, Any], current: Mapping[str, Any], *, remove_extra: bool) -> dict[str, Any]:
    """`current` with what `wanted` asks for; `remove_extra`: and without what it does not ask for."""
    metadata = {**current["metadata"]}
    for part in ("labels", "annotations"):
        merged = {**(metadata.get(part) or {}), **((wanted.get("metadata") or {}).get(part) or {})}
        if merged:
            metadata[part] = merged
    result = {**current, "metadata": metadata}
    if wanted["kind"] in BINDINGS:
        result["subjects"] = _subjects(wanted.get("subjects") or (), current.get("subjects") or (), remove_extra)
        return result
    if wanted.get("aggregationRule"):
        result["aggregationRule"] = wanted["aggregationRule"]
        return result
    asked, present = wanted.get("rules") or [], current.get("rules") or []
    missing = [rule for rule in asked if not covered(rule, present)]
    kept = [rule for rule in present if covered(rule, asked)] if remove_extra else list(present)
    result["rules"] = [*kept, *missing]
    return result


def covered(rule: Rule, by: Sequence[Rule]) -> bool:
    """Whether `by` allows all that `rule` allows."""
    return all(any(_allows(each, atom) for each in by) for atom in _atoms(rule))


def _atoms(rule: Rule) -> Iterator[tuple[str, ...]]:
    """Every single permission of a rule: a verb on a path, or on a resource of a group and (or of no) name."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield verb, path
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    yield verb, group, resource, name


def _allows(rule: Rule, atom: tuple[str, ...]) -> bool:
    verbs = rule.get("verbs") or ()
    if atom[0] not in verbs and "*" not in verbs:
        return False
    if len(atom) == 2:
        paths = rule.get("nonResourceURLs") or ()
        return any(path in ("*", atom[1]) or (path.endswith("*") and atom[1].startswith(path[:-1])) for path in paths)
    _, group, resource, name = atom
    groups, resources, names = (rule.get(key) or () for key in ("apiGroups", "resources", "resourceNames"))
    any_name = not names or name in names
    below = f"*/{resource.partition('/')[2]}" if "/" in resource else "*"
    return any_name and (group in groups or "*" in groups) and bool({resource, "*", below} & set(resources))


def _subjects(wanted: Sequence[Any], current: Sequence[Any], remove_extra: bool) -> list[Any]:
    kept = [each for each in current if not remove_extra or _subject(each) in map(_subject, wanted)]
    present = [_subject(each) for each in kept]
    return [*kept, *(each for each in wanted if _subject(each) not in present)]


def _subject(subject: Mapping[str, Any]) -> tuple[str, ...]:
    return subject.get("kind", ""), subject.get("namespace", ""), subject.get("name", "")
