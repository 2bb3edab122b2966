"""The functions that expressions may call: the language's own and those that Kubernetes adds, one module for each family."""

from apiserver.cel.calls import Library
from apiserver.cel.library import (
    authorization,
    conversions,
    formats,
    lists,
    networks,
    optionals,
    quantities,
    regexes,
    semvers,
    sets,
    strings,
    times,
    urls,
)

_FAMILIES = (
    conversions,
    strings,
    regexes,
    lists,
    sets,
    times,
    optionals,
    quantities,
    urls,
    networks,
    semvers,
    formats,
    authorization,
)


def standard() -> Library:
    """All families in one."""
    library = Library()
    for family in _FAMILIES:
        family.declare(library)
    return library
