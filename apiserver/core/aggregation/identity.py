"""How an aggregated API server is told who asks: request headers, which it believes because of the client certificate.

Headers of these names that a client sent itself never get here: `core.proxying` drops them.
Source: the Kubernetes page "Configure the Aggregation Layer".
"""

import json
import re
from collections.abc import Iterable

from apimachinery import errors

USER, GROUP, UID, EXTRA_PREFIX = "X-Remote-User", "X-Remote-Group", "X-Remote-Uid", "X-Remote-Extra-"
CONFIG_MAP_NAMESPACE, CONFIG_MAP = "kube-system", "extension-apiserver-authentication"

PROBER, PROBER_GROUPS = "system:kube-aggregator", ("system:masters",)
"""Whom the API server's own questions come from."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~-]")


def identity_headers(
    name: str, groups: Iterable[str], uid: str = "", extra: Iterable[tuple[str, Iterable[str]]] = ()
) -> list[tuple[str, str]]:
    """Raises ApiError (400) for a user whom no header can carry."""
    found = [(USER, name), *((GROUP, group) for group in groups)]
    if uid:
        found.append((UID, uid))
    found += [(EXTRA_PREFIX + _escaped(key), value) for key, values in extra for value in values]
    for header, value in found:
        if any(character < " " or character == "\x7f" for character in value):
            raise errors.bad_request(f"the value of {header} holds a control character, which no header can carry")
        if value != value.strip():
            raise errors.bad_request(f"the value of {header} begins or ends with a space, which headers lose")
    return found


def _escaped(key: str) -> str:
    """A key of `extra` as the end of a header's name: what may not stand there, and `%`, becomes %XX."""
    text = "".join(chr(byte) for byte in key.lower().encode())
    return "".join(each if _TOKEN.fullmatch(each) else f"%{ord(each):02X}" for each in text)


def published(client_ca: str, request_header_ca: str = "", allowed_names: Iterable[str] = ()) -> dict[str, str]:
    """What extension API servers read to recognise clients: the data of ConfigMap extension-apiserver-authentication.

    Without a `request_header_ca` nobody can be recognised by headers.
    """
    data = {"client-ca-file": client_ca}
    if request_header_ca:
        data["requestheader-client-ca-file"] = request_header_ca
        lists = {
            "allowed-names": list(allowed_names),
            "username-headers": [USER],
            "uid-headers": [UID],
            "group-headers": [GROUP],
            "extra-headers-prefix": [EXTRA_PREFIX],
        }
        data |= {f"requestheader-{name}": json.dumps(value) for name, value in lists.items()}
    return data
