"""Named formats: `format.dns1123Label().validate(name)` is an optional list of what is wrong.

Source: the Kubernetes page "Common Expression Language in Kubernetes", "Kubernetes format library".
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from apimachinery import names
from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.library.times import parse_timestamp
from apiserver.cel.library.urls import is_url
from apiserver.cel.values import NOTHING, Opaque, Optional

_FORMAT = "kubernetes.NamedFormat"
Check = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class FormatValue(Opaque):
    """A format and its test: what is wrong with a text."""

    name: str
    check: Check
    type_name = _FORMAT


def _holds(test: Callable[[str], object], sentence: str) -> Check:
    def check(text: str) -> list[str]:
        try:
            return [] if test(text) else [sentence]
        except (ValueError, EvaluationError):
            return [sentence]

    return check


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _prefix(rule: names.NameRule) -> Check:
    """Of a generateName prefix: five characters follow."""
    return lambda text: list(names.generated(rule, text))


FORMATS: dict[str, Check] = {
    "dns1123Label": names.dns_1123_label,
    "dns1123Subdomain": names.dns_1123_subdomain,
    "dns1035Label": names.dns_1035_label,
    "dns1123LabelPrefix": _prefix(names.dns_1123_label),
    "dns1123SubdomainPrefix": _prefix(names.dns_1123_subdomain),
    "dns1035LabelPrefix": _prefix(names.dns_1035_label),
    "qualifiedName": names.qualified_name,
    "labelValue": names.label_value,
    "uri": _holds(is_url, "must be a URI"),
    "uuid": _holds(lambda text: len(text) == 36 and UUID(text), "must be a UUID"),
    "byte": _holds(_byte, "must be base64"),
    "date": _holds(lambda text: len(text) == 10 and parse_timestamp(f"{text}T00:00:00Z"), "must be a date"),
    "datetime": _holds(parse_timestamp, "must be a date and time"),
}


def _named(name: str) -> Optional:
    check = FORMATS.get(name)
    return Optional(True, FormatValue(name, check)) if check is not None else NOTHING


def _validate(value: FormatValue, text: str) -> Optional:
    wrong = value.check(text)
    return Optional(True, wrong) if wrong else NOTHING


def declare(library: Library) -> None:
    library.function("format.named", "string", result="optional<dyn>")(_named)
    library.method("validate", _FORMAT, "string", result="optional<list>", linear=True)(_validate)
    for name, check in FORMATS.items():
        library.function(f"format.{name}", result=_FORMAT)(lambda value=FormatValue(name, check): value)
