"""Certificates: chains, subjects, names, modes. What OpenSSL makes of them is checked by a handshake."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster import pki
from cluster.spec import ClusterSpec

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
SPEC = ClusterSpec(name="demo", workers=1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "pki"
    pki.write(path, pki.generate(SPEC, datetime.datetime.now(datetime.UTC)))
    return path


def load(directory: Path, stem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / f"{stem}.crt").read_bytes())


IDENTITIES = {
    "scheduler": ("system:kube-scheduler", ""),
    "controller_manager": ("system:kube-controller-manager", ""),
    "kube_proxy": ("system:kube-proxy", ""),
    "cluster_dns": ("system:cluster-dns", ""),
    "admin": ("kubernetes-admin", "system:masters"),
    "apiserver-kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
    "kubelet-client-demo-worker": ("system:node:demo-worker", "system:nodes"),
}


@pytest.mark.parametrize("stem", IDENTITIES)
def test_client_identities(directory: Path, stem: str) -> None:
    certificate = load(directory, stem)
    names = {attribute.oid: attribute.value for attribute in certificate.subject}
    user, group = IDENTITIES[stem]
    assert names[NameOID.COMMON_NAME] == user
    assert names.get(NameOID.ORGANIZATION_NAME, "") == group
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate.verify_directly_issued_by(load(directory, "ca"))


def test_the_api_server_is_known_by_every_name_it_is_called(directory: Path) -> None:
    names = load(directory, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "demo-control-plane",
    }
    assert {str(ip) for ip in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "10.96.0.1", "172.31.255.2"}


@pytest.mark.parametrize("stem", ["apiserver-etcd-client", "etcd-server-demo-control-plane", "etcd-peer-demo-control-plane"])
def test_etcd_has_an_authority_of_its_own(directory: Path, stem: str) -> None:
    load(directory, stem).verify_directly_issued_by(load(directory, "etcd-ca"))
    with pytest.raises(ValueError, match="Issuer"):
        load(directory, stem).verify_directly_issued_by(load(directory, "ca"))


def test_the_front_proxy_has_an_authority_of_its_own(directory: Path) -> None:
    """Whoever it signs is believed to speak for anybody: the cluster's CA, which signs for many, must not be it."""
    client = load(directory, "front-proxy-client")
    client.verify_directly_issued_by(load(directory, "front-proxy-ca"))
    assert [each.value for each in client.subject] == ["front-proxy-client"]
    signed = [leaf.stem for leaf in pki.leaves(SPEC) if leaf.authority == pki.FRONT_PROXY_CA]
    assert signed == ["front-proxy-client"]


def test_keys_are_their_owners_alone(directory: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert {mode for name, mode in modes.items() if name.endswith(".key")} == {0o600}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert "sa.key" in modes
    assert (directory / "sa.pub").read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


def test_no_key_is_used_twice(directory: Path) -> None:
    keys = [path.read_bytes() for path in directory.glob("*.key")]
    assert len(set(keys)) == len(keys) == len(pki.leaves(SPEC)) + 4


def test_validity_begins_before_now_and_ends() -> None:
    files = {file.name: file.data for file in pki.generate(SPEC, NOW)}
    certificate = x509.load_pem_x509_certificate(files["apiserver.crt"])
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc == NOW + pki.LEAF_VALIDITY


def test_handshake_is_mutual(directory: Path) -> None:
    assert shake(directory, client="admin") == "kubernetes-admin"
    with pytest.raises(ssl.SSLError):
        shake(directory, client="apiserver-etcd-client")


def shake(directory: Path, client: str) -> str:
    """The CN the server sees, over a handshake in memory."""
    contexts = {True: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), False: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    for server, stem in ((True, "apiserver"), (False, client)):
        contexts[server].load_verify_locations(directory / "ca.crt")
        contexts[server].load_cert_chain(directory / f"{stem}.crt", directory / f"{stem}.key")
        contexts[server].verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        contexts[False].wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
        contexts[True].wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = ends[1].getpeercert()
    assert certificate is not None
    subject: dict[str, str] = {key: value for row in certificate["subject"] for key, value in row}  # type: ignore[misc, union-attr]
    return subject["commonName"]
