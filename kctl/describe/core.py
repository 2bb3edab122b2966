"""Descriptions of the small kinds, and of kinds that have no description of their own."""

import base64
import binascii
import re
from typing import Any

from kctl.describe.common import Plain, Surroundings, annotations, events, heading, labels, metadata_of
from kctl.describe.text import Page

_HIDDEN_METADATA = ("managedFields", "name", "namespace", "labels", "annotations")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")


def describe_namespace(namespace: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(namespace)
    heading(page, namespace, namespaced=False)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Status", (namespace.get("status") or {}).get("phase", ""))
    for condition in (namespace.get("status") or {}).get("conditions") or ():
        page.field(
            condition.get("type", ""),
            f"{condition.get('status')} {condition.get('reason', '')}: {condition.get('message', '')}",
            1,
        )
    return page


def describe_config_map(config_map: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(config_map)
    heading(page, config_map)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.line()
    page.line("Data")
    page.line("====")
    for key, value in sorted((config_map.get("data") or {}).items()):
        page.line(f"{key}:")
        page.line("----")
        page.lines += str(value).replace("\t", "        ").split("\n")
        page.line()
    page.line()
    page.line("BinaryData")
    page.line("====")
    for key, value in sorted((config_map.get("binaryData") or {}).items()):
        page.line(f"{key}: {_byte_count(value)} bytes")
    page.line()
    events(page, around)
    return page


def describe_secret(secret: Plain, around: Surroundings) -> Page:
    """Sizes of a secret's entries; never the entries."""
    page, metadata = Page(), metadata_of(secret)
    heading(page, secret)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.line()
    page.field("Type", secret.get("type", ""))
    page.line()
    page.line("Data")
    page.line("====")
    for key, value in sorted((secret.get("data") or {}).items()):
        page.field(key, f"{_byte_count(value)} bytes")
    return page


def describe_service_account(account: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(account)
    heading(page, account)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.fields("Image pull secrets", [each.get("name", "") for each in account.get("imagePullSecrets") or ()])
    page.fields("Mountable secrets", [each.get("name", "") for each in account.get("secrets") or ()])
    page.fields("Tokens", [])
    events(page, around)
    return page


def describe_generic(obj: Plain, around: Surroundings) -> Page:
    """Any object: metadata first, then every field under a title made from its name."""
    page, metadata = Page(), metadata_of(obj)
    heading(page, obj)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("API Version", obj.get("apiVersion", ""))
    page.field("Kind", obj.get("kind", ""))
    page.line("Metadata:")
    _fields(page, {key: value for key, value in metadata.items() if key not in _HIDDEN_METADATA}, 1)
    _fields(page, {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}, 0)
    events(page, around)
    return page


def title(name: str) -> str:
    """`podCIDR` as `Pod CIDR`"""
    return " ".join(word[:1].upper() + word[1:] for word in _WORD.findall(name)) or name


def _fields(page: Page, fields: Plain, level: int) -> None:
    for key, value in sorted(fields.items()):
        _field(page, title(key), value, level)


def _field(page: Page, name: str, value: Any, level: int) -> None:
    if isinstance(value, dict):
        page.line(f"{name}:", level)
        _fields(page, value, level + 1)
    elif isinstance(value, list):
        page.line(f"{name}:", level)
        for item in value:
            if isinstance(item, dict):
                _fields(page, item, level + 1)
            else:
                page.line(_text(item), level + 1)
    else:
        page.field(name, _text(value), level)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value).replace("\n", " ").replace("\t", " ")


def _byte_count(encoded: str) -> int:
    try:
        return len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return 0
