"""Which rules an aggregating ClusterRole has. Pure.

Source: the Kubernetes page "Using RBAC Authorization", section "Aggregated ClusterRoles".
"""

from collections.abc import Iterable

from apimachinery import labels
from apimachinery.kinds import ClusterRole, PolicyRule


def aggregated(role: ClusterRole, others: Iterable[ClusterRole]) -> list[PolicyRule]:
    """The rules of all roles that a role selects, each once, in the order of the roles' names."""
    wanted = role.aggregation_rule.cluster_role_selectors if role.aggregation_rule is not None else []
    selectors = [labels.from_struct(each) for each in wanted]
    rules: list[PolicyRule] = []
    for other in sorted(others, key=lambda each: each.metadata.name):
        if other.metadata.name == role.metadata.name or not any(each.matches(other.metadata.labels) for each in selectors):
            continue
        rules += [rule for rule in other.rules if rule not in rules]
    return rules
