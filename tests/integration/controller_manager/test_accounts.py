"""Controllers around ServiceAccounts over an imitated API, in virtual time: default accounts, the CA, tokens in Secrets."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from apimachinery import service_accounts as names
from apimachinery.kinds import ConfigMap, Namespace, ObjectMeta, Secret, ServiceAccount
from controller_manager.root_ca.controller import RootCaController
from controller_manager.serviceaccount.controller import ServiceAccountController
from controller_manager.token_secrets.controller import TokenSecretController
from tests.support.controllers import Stage

pytestmark = pytest.mark.looptime

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"


def signed(claims: Any) -> str:
    return ".".join(f"{name}={value}" for name, value in sorted(claims.items()))


def stage() -> Stage:
    return Stage(
        lambda context: [
            ServiceAccountController(context),
            RootCaController(context, certificate=CERTIFICATE),
            TokenSecretController(context, certificate=CERTIFICATE, sign=signed),
        ]
    )


def account(name: str = "web", uid: str = "u1") -> ServiceAccount:
    return ServiceAccount(metadata=ObjectMeta(name=name, namespace="default", uid=uid))


def secret(account: str = "web", *, uid: str = "", kind: str = names.SECRET_TYPE, **data: str) -> Secret:
    annotations = {names.ACCOUNT_NAME: account} | ({names.ACCOUNT_UID: uid} if uid else {})
    meta = ObjectMeta(name="token", namespace="default", uid="s1", annotations=annotations)
    return Secret(metadata=meta, type=kind, data={key: base64.b64encode(text.encode()).decode() for key, text in data.items()})


def held(scene: Stage) -> dict[str, str] | None:
    found = scene.api.find(Secret, "token", "default")
    return None if found is None else {key: base64.b64decode(value).decode() for key, value in found.data.items()}


async def test_each_namespace_has_its_account_and_the_ca_for_good() -> None:
    scene = stage()
    scene.api.seed(Namespace(metadata=ObjectMeta(name="new")))
    await scene.start()
    await scene.until(lambda: scene.api.find(ServiceAccount, "default", "new") is not None)

    def published() -> bool:
        found = scene.api.find(ConfigMap, "kube-root-ca.crt", "new")
        return found is not None and found.data == {"ca.crt": CERTIFICATE}

    await scene.until(published)
    changed = scene.api.find(ConfigMap, "kube-root-ca.crt", "new")
    assert changed is not None
    changed.data = {"ca.crt": "somebody else's", "more": "x"}
    scene.api.put(changed)
    await scene.until(published)
    scene.api.remove(ConfigMap, "kube-root-ca.crt", "new")
    scene.api.remove(ServiceAccount, "default", "new")
    await scene.until(published)
    await scene.until(lambda: scene.api.find(ServiceAccount, "default", "new") is not None)
    await scene.stop()


async def test_a_secret_is_filled_once_and_goes_with_its_account() -> None:
    scene = stage()
    scene.api.seed(account(), secret())
    await scene.start()
    await scene.until(lambda: len(held(scene) or {}) == 3)
    token = signed(names.legacy_claims("default", "web", "u1", "token"))
    assert held(scene) == {"namespace": "default", "ca.crt": CERTIFICATE, "token": token}
    found = scene.api.find(Secret, "token", "default")
    assert found is not None
    assert found.metadata.annotations[names.ACCOUNT_UID] == "u1"
    version = found.metadata.resource_version
    await scene.settle()
    again = scene.api.find(Secret, "token", "default")
    assert again is not None
    assert again.metadata.resource_version == version  # nothing more to do

    again.data = {"mine": "eA==", "token": "eA=="}
    scene.api.put(again)
    await scene.until(lambda: (held(scene) or {}).get("ca.crt") == CERTIFICATE)
    assert (held(scene) or {})["token"] == "x"  # what is there stays, and so do other keys
    assert (held(scene) or {})["mine"] == "x"
    scene.api.remove(ServiceAccount, "web", "default")
    await scene.until(lambda: held(scene) is None)
    await scene.stop()


@pytest.mark.parametrize(
    ("made", "stays"),
    [
        (secret("nobody"), False),
        (secret(uid="another"), False),
        (secret("nobody", kind="Opaque"), True),
        (secret(uid="u1"), True),
    ],
    ids=["of nobody", "of a former account of that name", "of another type", "of this account"],
)
async def test_which_secrets_are_deleted(made: Secret, stays: bool) -> None:
    scene = stage()
    scene.api.seed(account(), made)
    await scene.start()
    await scene.settle()
    assert (held(scene) is not None) == stays
    await scene.stop()


async def test_a_secret_that_is_seen_before_its_account_stays() -> None:
    scene = stage()
    await scene.start()
    scene.api.drop = lambda resource, event: resource.plural == "serviceaccounts"
    scene.api.seed(account(), secret())
    await scene.until(lambda: len(held(scene) or {}) == 3)
    await scene.stop()
