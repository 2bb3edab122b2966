"""Certificates of a local cluster: who signs whom, and for which names.

Three authorities: the cluster's (API server, components, kubelets, the administrator); etcd's own, so that a component's
certificate never opens etcd; and the front proxy's, whose one client, the API server, tells aggregated API servers who asks.
Keys are EC P-256 (RFC 5480), which cost well under a millisecond each. Every leaf has a key of its own; a client certificate's
CN is its user and its O are its groups (https://kubernetes.io/docs/setup/best-practices/certificates/). Service-account tokens
get a signing pair, not a certificate.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.spec import CLUSTER_DOMAIN, KUBERNETES_SERVICE_IP, ClusterSpec, Role

AUTHORITY_VALIDITY = datetime.timedelta(days=3650)
LEAF_VALIDITY = datetime.timedelta(days=365)
# Certificates count from a little earlier, for clients whose clock is behind.
CLOCK_SKEW = datetime.timedelta(minutes=5)

CLUSTER_CA = "ca"
ETCD_CA = "etcd-ca"
FRONT_PROXY_CA = "front-proxy-ca"
FRONT_PROXY = "front-proxy-client"
SERVICE_ACCOUNT = "sa"
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate to issue: file stem, subject, who signs it, what it may be used for and for which names."""

    stem: str
    common_name: str
    authority: str = CLUSTER_CA
    organization: str = ""
    client: bool = False
    server: bool = False
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class PemFile:
    name: str
    data: bytes
    private: bool


def certificate_file(stem: str) -> str:
    return f"{stem}.crt"


def key_file(stem: str) -> str:
    return f"{stem}.key"


def leaves(spec: ClusterSpec) -> tuple[Leaf, ...]:
    """Every certificate of `spec`, apart from the authorities."""
    service_names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}")
    rows = [
        Leaf("apiserver-kubelet-client", "kube-apiserver-kubelet-client", organization="system:masters", client=True),
        Leaf("apiserver-etcd-client", "kube-apiserver-etcd-client", ETCD_CA, client=True),
        Leaf(FRONT_PROXY, FRONT_PROXY, FRONT_PROXY_CA, client=True),
        Leaf("scheduler", "system:kube-scheduler", client=True),
        Leaf("controller_manager", "system:kube-controller-manager", client=True),
        Leaf("kube_proxy", "system:kube-proxy", client=True),
        Leaf("cluster_dns", "system:cluster-dns", client=True),
        Leaf(ADMIN, "kubernetes-admin", organization="system:masters", client=True),
    ]
    control_planes = [node for node in spec.nodes() if node.role is Role.CONTROL_PLANE]
    rows.append(
        Leaf(
            "apiserver",
            "kube-apiserver",
            server=True,
            names=(*service_names, "localhost", *(node.name for node in control_planes)),
            addresses=("127.0.0.1", KUBERNETES_SERVICE_IP, *(node.ip for node in control_planes)),
        )
    )
    for node in control_planes:
        names, addresses = ("localhost", node.name), ("127.0.0.1", node.ip)
        for purpose in ("server", "peer"):
            stem = f"etcd-{purpose}-{node.name}"
            rows.append(Leaf(stem, node.name, ETCD_CA, "", client=True, server=True, names=names, addresses=addresses))
    for node in spec.nodes():
        user = f"system:node:{node.name}"
        rows.append(Leaf(f"kubelet-client-{node.name}", user, organization="system:nodes", client=True))
        rows.append(
            Leaf(
                f"kubelet-serving-{node.name}",
                user,
                organization="system:nodes",
                server=True,
                names=(node.name,),
                addresses=(node.ip,),
            )
        )
    return tuple(rows)


def generate(spec: ClusterSpec, now: datetime.datetime) -> Iterator[PemFile]:
    """All files of the cluster's PKI, valid from `now`; fresh keys on every call."""
    authorities = {
        CLUSTER_CA: new_authority(f"coxswain-{spec.name}", now),
        ETCD_CA: new_authority(f"coxswain-{spec.name}-etcd", now),
        FRONT_PROXY_CA: new_authority(f"coxswain-{spec.name}-front-proxy", now),
    }
    for stem, authority in authorities.items():
        yield PemFile(certificate_file(stem), _pem(authority.certificate), private=False)
        yield PemFile(key_file(stem), _key_pem(authority.key), private=True)
    for leaf in leaves(spec):
        key = _new_key()
        certificate = issue(leaf, key.public_key(), authorities[leaf.authority], now)
        yield PemFile(certificate_file(leaf.stem), _pem(certificate), private=False)
        yield PemFile(key_file(leaf.stem), _key_pem(key), private=True)
    signer = _new_key()
    public = signer.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    yield PemFile(key_file(SERVICE_ACCOUNT), _key_pem(signer), private=True)
    yield PemFile(f"{SERVICE_ACCOUNT}.pub", public, private=False)


def write(directory: Path, files: Iterable[PemFile]) -> None:
    """Write `files` into `directory` (created, 0700); private keys are never readable by others, not even for a moment."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in files:
        mode = 0o600 if file.private else 0o644
        descriptor = os.open(directory / file.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.data)


def new_authority(common_name: str, now: datetime.datetime) -> Authority:
    """A self-signed authority that signs leaves only (path length 0)."""
    key = _new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(leaf: Leaf, public_key: ec.EllipticCurvePublicKey, authority: Authority, now: datetime.datetime) -> x509.Certificate:
    """The certificate `authority` signs for `leaf`."""
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organization)] if leaf.organization else []
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name))
    issuer = authority.certificate
    builder = (
        _builder(x509.Name(attributes), issuer.subject, public_key, now, LEAF_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_purposes(leaf)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in leaf.names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in leaf.addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    validity: datetime.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _purposes(leaf: Leaf) -> list[x509.ObjectIdentifier]:
    purposes = []
    if leaf.client:
        purposes.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    if leaf.server:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
    return purposes


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
