"""Kinds of resources by their names: what every node counts, huge pages, and what a cluster adds of its own.

Source: the Kubernetes page "Extended Resources".
"""

HUGE_PAGES = "hugepages-"


def is_huge_page(name: str) -> bool:
    return name.startswith(HUGE_PAGES)


def is_extended(name: str) -> bool:
    """Whether a resource is one that a cluster adds: it carries the domain of whoever counts it."""
    prefix, slash, _ = name.rpartition("/")
    return bool(slash) and not is_native(prefix) and not name.startswith("requests.")


def is_native(prefix: str) -> bool:
    """Whether a domain is Kubernetes' own."""
    return prefix == "kubernetes.io" or prefix.endswith(".kubernetes.io")
