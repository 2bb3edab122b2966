"""Users as the API shows them, and the users that ServiceAccounts are."""

from apimachinery import service_accounts as names
from apimachinery.kinds import UserInfo
from apiserver.core.request import AUTHENTICATED, User


def user_info(user: User) -> UserInfo:
    """A user as reviews, webhooks and expressions see it."""
    extra = {name: list(values) for name, values in user.extra}
    return UserInfo(username=user.name, uid=user.uid, groups=list(user.groups), extra=extra)


def service_account_user(namespace: str, name: str, uid: str = "", extra: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> User:
    """The user that a ServiceAccount is, in the groups that all of them are in."""
    return User(names.username(namespace, name), (*names.groups(namespace), AUTHENTICATED), uid, extra)
