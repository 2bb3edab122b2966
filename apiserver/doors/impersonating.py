"""Who a request of the REST door counts as: its sender, or whom the sender may impersonate."""

from collections.abc import Sequence

from apimachinery import errors
from apiserver.core import impersonation
from apiserver.core.request import User
from apiserver.ports import Authorizer


def effective_user(authorizer: Authorizer, user: User, headers: Sequence[tuple[bytes, bytes]]) -> User:
    """`user` unless the headers ask for another one; raises ApiError 400, and 403 when that is not allowed."""
    wanted = impersonation.asked_user(headers)
    if wanted is None:
        return user
    for question in impersonation.questions(user, wanted):
        if not authorizer.decide(question).allowed:
            resource = f"{question.resource}/{question.subresource}" if question.subresource else question.resource
            scope = f'in the namespace "{question.namespace}"' if question.namespace else "at the cluster scope"
            raise errors.forbidden(
                resource,
                question.name,
                f'User "{user.name}" cannot impersonate resource "{resource}" in API group "{question.group}" {scope}',
                question.group,
            )
    return impersonation.settled(wanted)
