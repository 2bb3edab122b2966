"""Impersonation: what headers ask for, what has to be allowed, and who somebody is then."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from apimachinery.errors import ApiError
from apiserver.core import impersonation
from apiserver.core.request import User

ADMIN = User("admin", ("system:masters", "system:authenticated"))
AUTHENTICATION = "authentication.k8s.io"


class Case(NamedTuple):
    id: str
    headers: list[tuple[str, str]]
    asks: list[tuple[str, ...]] = []
    becomes: User | None = None


CASES = (
    Case("nobody", [("Accept", "*/*"), ("Host", "h")]),
    Case(
        "a user",
        [("Impersonate-User", "jane")],
        [("", "users", "", "", "jane")],
        User("jane", ("system:authenticated",)),
    ),
    Case(
        "groups",
        [("impersonate-user", "jane"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b, c")],
        [("", "users", "", "", "jane"), ("", "groups", "", "", "a"), ("", "groups", "", "", "b, c")],
        User("jane", ("a", "b, c", "system:authenticated")),
    ),
    Case(
        "a service account",
        [("Impersonate-User", "system:serviceaccount:n:robot")],
        [("", "serviceaccounts", "", "n", "robot")],
        User("system:serviceaccount:n:robot", ("system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated")),
    ),
    Case(
        "a service account in groups of its own",
        [("Impersonate-User", "system:serviceaccount:n:robot"), ("Impersonate-Group", "g")],
        [("", "serviceaccounts", "", "n", "robot"), ("", "groups", "", "", "g")],
        User("system:serviceaccount:n:robot", ("g", "system:authenticated")),
    ),
    Case(
        "half a service account is a user",
        [("Impersonate-User", "system:serviceaccount:n")],
        [("", "users", "", "", "system:serviceaccount:n")],
        User("system:serviceaccount:n", ("system:authenticated",)),
    ),
    Case(
        "nobody in particular",
        [("Impersonate-User", "system:anonymous")],
        [("", "users", "", "", "system:anonymous")],
        User("system:anonymous", ("system:unauthenticated",)),
    ),
    Case(
        "uid and extras",
        [("Impersonate-User", "j"), ("Impersonate-Uid", "7"), ("Impersonate-Extra-Acme.com%2fProject", "x")],
        [
            ("", "users", "", "", "j"),
            (AUTHENTICATION, "uids", "", "", "7"),
            (AUTHENTICATION, "userextras", "acme.com/project", "", "x"),
        ],
        User("j", ("system:authenticated",), uid="7", extra=(("acme.com/project", ("x",)),)),
    ),
)


def raw(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_impersonation(case: Case) -> None:
    wanted = impersonation.asked_user(raw(case.headers))
    if case.becomes is None:
        assert wanted is None
        return
    assert wanted is not None
    asked: list[tuple[Any, ...]] = []
    for each in impersonation.questions(ADMIN, wanted):
        assert (each.user, each.verb) == (ADMIN, "impersonate")
        asked.append((each.group, each.resource, each.subresource, each.namespace, each.name))
    assert asked == case.asks
    assert impersonation.settled(wanted) == case.becomes


@pytest.mark.parametrize("header", ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-a", "Impersonate-Nothing"])
def test_what_makes_no_sense(header: str) -> None:
    with pytest.raises(ApiError) as caught:
        impersonation.asked_user(raw([(header, "x")]))
    assert caught.value.code == 400
