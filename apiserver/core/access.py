"""Questions to the authorizer that are no request: what reviews ask on behalf of somebody."""

import msgspec

from apimachinery.kinds import NonResourceRule, ResourceRule
from apiserver.core.request import User


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """May `user` do this? Of a resource, or with `path` of a path that names none; what is served or not does not matter.

    group, version and resource are "*" or any text; namespace "" means all of them, or none for cluster-scoped resources; name
    "" means all names.
    """

    user: User
    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Decision(msgspec.Struct, frozen=True):
    """The answer. `denied`: refused for good, not merely not allowed; `error`: what could not be found out on the way."""

    allowed: bool
    denied: bool = False
    reason: str = ""
    error: str = ""


class Rules(msgspec.Struct, frozen=True):
    """What somebody may do in a namespace; `incomplete` when there may be more."""

    resource_rules: tuple[ResourceRule, ...] = ()
    non_resource_rules: tuple[NonResourceRule, ...] = ()
    incomplete: bool = False
    error: str = ""
