"""Clients that show a bearer token and nothing else: the official Python client as a pod configures it, kubectl 1.20, kctl."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException
from kubernetes.config.incluster_config import InClusterConfigLoader

from apiserver.app import Settings
from apiserver.storage.memory import MemoryStorage
from kctl.cli import run
from tests.support.apiserver import RunningServer
from tests.support.threaded_apiserver import threaded_api_server
from tests.support.tokens import ISSUER, token_keys
from tests.support.typed_client import configured

KUBECTL = Path("/var/cache/coxswain/kubectl-1.20/usr/bin/kubectl")
WEB = "system:serviceaccount:default:web"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    directory = tmp_path_factory.mktemp("tokens")
    with threaded_api_server(directory, storage=MemoryStorage, settings=Settings(tokens=token_keys())) as threaded:
        core = client.CoreV1Api(configured(threaded.server))
        core.create_namespaced_service_account("default", {"metadata": {"name": "web"}})
        binding: dict[str, Any] = {
            "metadata": {"name": "web"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "default"}],
        }
        client.RbacAuthorizationV1Api(core.api_client).create_namespaced_role_binding("default", binding)
        yield threaded.server


@pytest.fixture
def admin(server: RunningServer) -> Iterator[client.ApiClient]:
    made = configured(server)
    yield made
    made.close()


@pytest.fixture
def token(admin: client.ApiClient) -> str:
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[ISSUER], expiration_seconds=1200))
    answer = client.CoreV1Api(admin).create_namespaced_service_account_token("web", "default", request)
    assert answer.spec.expiration_seconds == 1200
    assert answer.status.expiration_timestamp is not None
    given: str = answer.status.token
    return given


def test_the_python_client_reviews_tokens(admin: client.ApiClient, token: str) -> None:
    reviews = client.AuthenticationV1Api(admin)
    review = reviews.create_token_review(client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token)))
    assert (review.status.authenticated, review.status.user.username, review.status.audiences) == (True, WEB, [ISSUER])
    assert [*review.status.user.extra] == ["authentication.kubernetes.io/credential-id"]
    review = reviews.create_token_review(client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token + "x")))
    assert (review.status.authenticated, review.status.user, bool(review.status.error)) == (None, None, True)


def test_the_python_client_in_a_pod(server: RunningServer, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads its token anew from time to time: what a kubelet renews is what it sends."""
    file = tmp_path / "token"
    file.write_text(token)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.rest_port))
    made = client.Configuration()
    InClusterConfigLoader(token_filename=str(file), cert_filename=str(server.ca.ca)).load_and_set(made)
    with client.ApiClient(made) as api:
        me = client.AuthenticationV1Api(api).create_self_subject_review(client.V1SelfSubjectReview())
        assert (me.status.user_info.username, me.status.user_info.groups[0]) == (WEB, "system:serviceaccounts")
        assert [each.metadata.name for each in client.CoreV1Api(api).list_namespaced_service_account("default").items]
    file.write_text("abc")
    InClusterConfigLoader(token_filename=str(file), cert_filename=str(server.ca.ca)).load_and_set(made)
    with client.ApiClient(made) as api, pytest.raises(ApiException) as caught:
        client.CoreV1Api(api).list_namespace()
    assert (caught.value.status, json.loads(caught.value.body)["message"]) == (401, "Unauthorized")


def kubeconfig(server: RunningServer, directory: Path, user: dict[str, Any]) -> Path:
    file = directory / "kubeconfig"
    cluster = {"server": server.url, "certificate-authority": str(server.ca.ca)}
    document = {
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }
    file.write_text(json.dumps(document))
    return file


def test_kubectl_with_a_token(server: RunningServer, token: str, tmp_path: Path) -> None:
    def kubectl(*arguments: str, **user: str) -> subprocess.CompletedProcess[str]:
        environment = {"KUBECONFIG": str(kubeconfig(server, tmp_path, user)), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        return subprocess.run([str(KUBECTL), *arguments], env=environment, capture_output=True, text=True, timeout=60)

    shown = kubectl("get", "serviceaccounts", "-o", "name", "--token", token)
    assert (shown.returncode, shown.stdout) == (0, "serviceaccount/default\nserviceaccount/web\n"), shown.stderr
    assert kubectl("get", "serviceaccounts", "-o", "name", token=token).stdout == "serviceaccount/default\nserviceaccount/web\n"
    assert "server version: version.info" in kubectl("version", "--token", token).stdout.lower()
    refused = kubectl("get", "serviceaccounts", "--token", "abc")
    assert refused.returncode == 1
    assert "You must be logged in to the server" in refused.stderr
    assert "abc" not in refused.stderr


@pytest.fixture
def kctl(
    server: RunningServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """`kctl(*arguments, **user)`: as the administrator unless the kubeconfig's user says otherwise."""

    def call(*arguments: str, **user: str) -> tuple[int, str, str]:
        cert, key = server.admin
        user = user or {"client-certificate": str(cert), "client-key": str(key)}
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(server, tmp_path, user)))
        capfd.readouterr()
        code = run(arguments)
        return code, *capfd.readouterr()

    return call


def test_kctl_creates_a_token_and_uses_it(kctl: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = kctl("create", "token", "web", "--duration", "20m")
    assert (code, err) == (0, "")
    token = out.strip()
    assert token.count(".") == 2
    shown = kctl("auth", "whoami", token=token)[1]
    assert WEB in shown
    assert "authentication.kubernetes.io/credential-id" in shown
    assert kctl("get", "sa", "-o", "name", "--token", token, token="abc")[:2] == (
        0,
        "serviceaccount/default\nserviceaccount/web\n",
    )
    code, out, _ = kctl("create", "token", "web", "--audience", "a", "--audience", "b", "-o", "json")
    answer = json.loads(out)
    assert (code, answer["kind"], answer["spec"]) == (0, "TokenRequest", {"audiences": ["a", "b"], "expirationSeconds": 3600})
    code, out, err = kctl("get", "sa", token="abc")
    assert (code, out, "abc" in err) == (1, "", False)
    assert "logged in" in err or "Unauthorized" in err


def test_kctl_binds_a_token(kctl: Callable[..., tuple[int, str, str]], admin: client.ApiClient) -> None:
    secret = client.CoreV1Api(admin).create_namespaced_secret("default", {"metadata": {"name": "s"}})
    bound = ("create", "token", "web", "--bound-object-kind", "Secret", "--bound-object-name", "s", "--bound-object-uid")
    code, token, _ = kctl(*bound, secret.metadata.uid)
    assert code == 0
    code, _, err = kctl(*bound, "another")
    assert (code, "does not match the UID in record" in err) == (1, True)
    assert kctl("get", "sa", token=token.strip())[0] == 0
    client.CoreV1Api(admin).delete_namespaced_secret("s", "default")
    assert kctl("get", "sa", token=token.strip())[0] == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nobody",), 'serviceaccounts "nobody" not found'),
        (("web", "--duration", "-1s"), "must be greater than or equal to 0"),
        (("web", "--duration", "1500ms"), "cannot be expressed in units less than seconds"),
        (("web", "--duration", "1m"), "may not specify a duration less than 10 minutes"),
        (("web", "--bound-object-kind", "Job", "--bound-object-name", "j"), "supported --bound-object-kind values are"),
        (("web", "--bound-object-kind", "Pod"), "--bound-object-name is required"),
        (("web", "--bound-object-name", "p"), "--bound-object-name can only be set if"),
        (("web", "--bound-object-uid", "p"), "--bound-object-uid can only be set if"),
    ],
)
def test_what_kctl_refuses(kctl: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], complaint: str) -> None:
    code, out, err = kctl("create", "token", *arguments)
    assert (code, out, complaint in err) == (1, "", True), err
