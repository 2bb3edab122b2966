"""Rules for how a webhook is reached: a URL, or a port of a Service and a path there, and the certificates it is trusted by.

Source: the Kubernetes pages "Dynamic Admission Control" and "Versions in CustomResourceDefinitions".
"""

from urllib.parse import urlsplit

from apimachinery import names
from apimachinery.errors import Cause, FieldError
from apiserver.core.backends import ca_bundle, url_faults
from apiserver.strategy.checks import Errors, in_range, named, required


def validate_url(path: str, url: str) -> Errors:
    """HTTPS, with a host and without a user, a query or a fragment."""
    for fault in url_faults(url):
        yield FieldError.invalid(path, url, fault)


def validate_service(path: str, *, name: str, namespace: str, url_path: str, port: int | None) -> Errors:
    """A port of a service, and a path whose every segment could name an object."""
    yield from required(f"{path}.name", name, "service name is required")
    yield from required(f"{path}.namespace", namespace, "service namespace is required")
    for field, value in (("name", name), ("namespace", namespace)):
        if value:
            yield from named(f"{path}.{field}", value, names.dns_1123_label)
    yield from in_range(f"{path}.port", port, 1, 65535)
    yield from _validate_path(f"{path}.path", url_path)


def validate_ca_bundle(path: str, bundle: str) -> Errors:
    """Base64, as all bytes in JSON; what is in it shows when it is used."""
    if bundle and ca_bundle(bundle) is None:
        yield FieldError(path, Cause.INVALID, "Invalid value: must be base64 (standard alphabet, with padding)")


def _validate_path(path: str, value: str) -> Errors:
    if value in ("", "/"):
        return
    if not value.startswith("/"):
        yield FieldError.invalid(path, value, "must start with a '/'")
    try:
        parsed = urlsplit(f"https://host{value}" if value.startswith("/") else value).path
    except ValueError as error:
        yield FieldError.invalid(path, value, str(error))
        return
    if parsed != value:
        yield FieldError.invalid(path, value, "must be a path alone")
    segments = value.removeprefix("/").removesuffix("/").split("/")
    for index, segment in enumerate(segments):
        if not segment:
            yield FieldError.invalid(path, value, f"segment[{index}] may not be empty")
            continue
        for problem in names.dns_1123_subdomain(segment):
            yield FieldError.invalid(path, value, f"segment[{index}]: {problem}")
