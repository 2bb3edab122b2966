"""Kubeconfig: which file wins, which context is used, and what flags override."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from kctl import kubeconfig
from kctl.errors import KctlError
from kctl.kubeconfig import Flags


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def first(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_bytes(b"CA")
    return write(
        tmp_path / "first",
        """
current-context: one
clusters: [{name: c, cluster: {server: "https://one:6443", certificate-authority: ca.crt}}]
users: [{name: u, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}, {name: t, user: {token: secret}}]
contexts:
- {name: one, context: {cluster: c, user: u, namespace: team}}
- {name: other, context: {cluster: d, user: t}}
""",
    )


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return write(
        tmp_path / "second",
        """
current-context: other
clusters: [{name: c, cluster: {server: "https://wrong"}}, {name: d, cluster: {server: "https://two/prefix/"}}]
""",
    )


def test_the_first_file_wins_and_files_add_up(first: Path, second: Path) -> None:
    found = kubeconfig.connection(Flags(), {"KUBECONFIG": f"{first}:/nonexistent:{second}"})
    assert (found.server, found.namespace, found.certificate, found.key) == ("https://one:6443", "team", b"CERT", b"KEY")
    assert found.authority == b"CA", "a relative path is relative to its file"


def test_context_flag(first: Path, second: Path) -> None:
    found = kubeconfig.connection(Flags(context="other"), {"KUBECONFIG": f"{first}:{second}"})
    assert (found.server, found.token, found.namespace) == ("https://two/prefix", "secret", "default")


def test_flags_override(first: Path) -> None:
    flags = Flags(kubeconfig=str(first), server="https://flag", namespace="n", token="t", user="t")
    found = kubeconfig.connection(flags, {"KUBECONFIG": "/nonexistent"})
    assert (found.server, found.namespace, found.namespace_given, found.token) == ("https://flag", "n", True, "t")
    assert found.certificate == b""


def test_home_is_the_last_resort(tmp_path: Path) -> None:
    write(
        tmp_path / ".kube" / "config",
        "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
        'clusters: [{name: c, cluster: {server: "https://home"}}]',
    )
    assert kubeconfig.connection(Flags(), {"HOME": str(tmp_path)}).server == "https://home"


def test_without_any_file() -> None:
    assert kubeconfig.connection(Flags(), {"HOME": "/nonexistent"}).server == kubeconfig.DEFAULT_SERVER


def test_impersonation(tmp_path: Path) -> None:
    text = """
users: [{name: u, user: {as: robot, as-groups: [g, h], as-uid: "7", as-user-extra: {a/b: [x, y]}}}]
contexts: [{name: c, context: {user: u}}]
current-context: c
"""
    environment = {"KUBECONFIG": str(write(tmp_path / "x", text))}
    assert kubeconfig.connection(Flags(), environment).impersonation == (
        ("Impersonate-User", "robot"),
        ("Impersonate-Group", "g"),
        ("Impersonate-Group", "h"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-a%2Fb", "x"),
        ("Impersonate-Extra-a%2Fb", "y"),
    )
    flags = Flags(impersonate="jane", impersonate_groups=("i",), impersonate_extra=("k=v",))
    assert kubeconfig.connection(flags, environment).impersonation == (
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "i"),
        ("Impersonate-Extra-k", "v"),
    )


REFUSED = (
    ("groups without a user", Flags(impersonate_groups=("g",)), "without impersonating a user"),
    ("a strange extra", Flags(impersonate="u", impersonate_extra=("k",)), "expected KEY=VALUE"),
    ("unknown context", Flags(context="nope"), "context was not found for specified context: nope"),
    ("unknown cluster", Flags(cluster="nope"), 'cluster "nope" does not exist'),
    ("unknown user", Flags(user="nope"), 'auth info "nope" does not exist'),
    ("missing file", Flags(kubeconfig="/nonexistent"), "no such file"),
    ("missing certificate", Flags(client_certificate="/nonexistent"), "unable to read client-certificate"),
    ("strange scheme", Flags(server="ftp://x"), "has no scheme that is spoken here"),
)


@pytest.mark.parametrize(("flags", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(first: Path, flags: Flags, message: str) -> None:
    with pytest.raises(KctlError, match=message):
        kubeconfig.connection(flags, {"KUBECONFIG": str(first)})


def test_bad_base64(tmp_path: Path) -> None:
    text = 'clusters: [{name: c, cluster: {certificate-authority-data: "%%%"}}]'
    with pytest.raises(KctlError, match="certificate-authority-data"):
        kubeconfig.connection(Flags(cluster="c"), {"KUBECONFIG": str(write(tmp_path / "x", text))})


def test_secrets_do_not_show_in_a_repr(first: Path) -> None:
    shown = repr(kubeconfig.connection(Flags(kubeconfig=str(first), token="hidden"), {}))
    assert "hidden" not in shown
    assert base64.b64decode("S0VZ").decode() not in shown
