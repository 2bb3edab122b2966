"""Requests as somebody else, over REST: who they count as, and that the authorizer is asked."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.access import Decision, Question

SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class OnlyJane:
    """Everybody may do everything but be anybody else than Jane, in the groups whose names begin with `team-`."""

    def authorize(self, request: Any) -> None:
        pass

    def authorize_path(self, user: Any, path: str, verb: str = "get") -> None:
        pass

    def decide(self, question: Question) -> Decision:
        allowed = question.verb != "impersonate" or question.name == "jane" or question.name.startswith("team-")
        return Decision(allowed=allowed)


async def test_a_request_counts_as_the_other_users(rest: Any) -> None:
    answer = await rest("POST", SELF, {}, Impersonate_User="jane", Impersonate_Group="team-a")
    assert answer.status == 201
    info = answer.body["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("jane", ["team-a", "system:authenticated"])
    info = (await rest("POST", SELF, {})).body["status"]["userInfo"]
    assert info["username"] == "kubernetes-admin"
    made = await rest(
        "POST",
        "/api/v1/namespaces/default/configmaps",
        {"metadata": {"name": "a"}},
        Impersonate_User="jane",
        Impersonate_Group="system:masters",
    )
    assert made.status == 201


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        ({"Impersonate_User": "root"}, 'users "root"'),
        ({"Impersonate_User": "jane", "Impersonate_Group": "system:masters"}, 'groups "system:masters"'),
        ({"Impersonate_User": "jane", "Impersonate_Uid": "7"}, 'uids.authentication.k8s.io "7"'),
        ({"Impersonate_User": "jane", "Impersonate_Extra_a": "b"}, 'userextras/a.authentication.k8s.io "b"'),
        ({"Impersonate_User": "system:serviceaccount:kube-system:robot"}, 'serviceaccounts "robot"'),
    ],
)
async def test_it_has_to_be_allowed(rest: Any, server: Any, headers: dict[str, str], subject: str) -> None:
    server.assembly.api.authorizer = OnlyJane()
    for path in ("/api/v1/nodes", "/version", "/api"):
        answer = await rest("GET", path, **headers)
        assert answer.status == 403, path
        assert answer.body["message"].startswith(f'{subject} is forbidden: User "kubernetes-admin" cannot impersonate resource')
    assert (await rest("GET", "/api/v1/nodes", Impersonate_User="jane", Impersonate_Group="team-a")).status == 200


async def test_a_group_needs_a_user(rest: Any) -> None:
    answer = await rest("GET", "/api/v1/nodes", Impersonate_Group="team-a")
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
