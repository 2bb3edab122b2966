"""What a client accepts: the ranges of its Accept header in its order of preference, and the first that can be had.

A range may ask for another representation of the same data, such as `application/json;as=Table;v=v1;g=meta.k8s.io`; one that
cannot be had is passed over, so that `...;as=Table...,application/json` falls back to the object itself. Nothing left is 406.
Source: RFC 9110, section 12.5.1, and the Kubernetes page "API Concepts", sections on tables, metadata and protobuf.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from apimachinery import errors
from apimachinery.errors import ApiError

JSON = "application/json"
_RANGES_MAX = 64


class Form(msgspec.Struct, frozen=True):
    """A representation: its kind and the group and version that define it; all "" for the data itself."""

    kind: str = ""
    group: str = ""
    version: str = ""

    @property
    def content_type(self) -> str:
        return f"{JSON};g={self.group};v={self.version};as={self.kind}" if self.kind else JSON


PLAIN = Form()


def _meta_forms(*kinds: str) -> frozenset[Form]:
    return frozenset(Form(kind, "meta.k8s.io", version) for kind in kinds for version in ("v1", "v1beta1"))


OBJECT_FORMS = _meta_forms("Table", "PartialObjectMetadata")
LIST_FORMS = _meta_forms("Table", "PartialObjectMetadataList")
DISCOVERY_FORMS = frozenset(Form("APIGroupDiscoveryList", "apidiscovery.k8s.io", version) for version in ("v2", "v2beta1"))
NO_FORMS: frozenset[Form] = frozenset()


@lru_cache(maxsize=256)
def representation(accept: str, forms: frozenset[Form]) -> Form:
    """The form that a client likes best, of JSON itself and `forms`; raises ApiError (406)."""
    if not accept:
        return PLAIN
    for media_type, parameters in _ranges(accept):
        if not _matches(media_type, JSON) or parameters.get("charset", "utf-8").lower() != "utf-8":
            continue
        form = Form(parameters.get("as", ""), parameters.get("g", ""), parameters.get("v", ""))
        if not form.kind:
            return PLAIN
        if form in forms:
            return form
    raise _not_acceptable((JSON,))


def media_type(accept: str, offered: Sequence[str]) -> str:
    """The media type that a client likes best, of those offered (the best for us first); raises ApiError (406)."""
    found = preferred(accept, offered)
    if not found:
        raise _not_acceptable(offered)
    return found


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The same; "" when the client takes none of them."""
    for wanted, _ in _ranges(accept) if accept else (("*/*", {}),):
        for each in offered:
            if _matches(wanted, each):
                return each
    return ""


def _ranges(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Media ranges and their parameters, the best quality first and otherwise in their order; without those of quality 0."""
    found: list[tuple[float, str, dict[str, str]]] = []
    for part in accept.split(",")[:_RANGES_MAX]:
        wanted, *rest = (each.strip() for each in part.split(";"))
        pairs = (each.partition("=") for each in rest)
        parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        quality = _quality(parameters.pop("q", "1"))
        if wanted and quality > 0:
            found.append((-quality, wanted.lower(), parameters))
    return ((wanted, parameters) for _, wanted, parameters in sorted(found, key=lambda each: each[0]))


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _matches(wanted: str, offered: str) -> bool:
    return wanted in (offered, "*/*", f"{offered.partition('/')[0]}/*")


def _not_acceptable(offered: Sequence[str]) -> ApiError:
    return errors.not_acceptable(f"only the following media types are accepted: {', '.join(offered)}")
