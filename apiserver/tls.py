"""TLS as the API server speaks it: version 1.2 or later, HTTP/1.1 inside."""

import ssl
from pathlib import Path


def serving(cert: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """A client may come without a certificate, but with none that the cluster's CA has not signed. Raises OSError."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def verifying(ca_bundle: bytes) -> ssl.SSLContext:
    """For servers whose certificates are for the names among their alternative ones.

    ca_bundle: PEM certificates, any of which may be a root; empty for those that this machine trusts. Raises ssl.SSLError or
    ValueError for what is none.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if ca_bundle:
        context.load_verify_locations(cadata=ca_bundle.decode("ascii"))
    else:
        context.load_default_certs()
    return context


def unverified() -> ssl.SSLContext:
    """For servers that may be anybody."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
