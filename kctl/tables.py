"""The columns of any kind: those of built-in kinds are known here, a custom kind's are read from its definition, once."""

from collections.abc import Mapping
from typing import Any

from apimachinery import printing
from apimachinery.jsonpath import JsonPathError
from apimachinery.printing.extensions import custom_shape
from apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS
from kctl.discovery import Discovery
from kctl.errors import KctlError
from kctl.rest import RestClient


class Tables:
    """One for each call of kctl."""

    def __init__(self, client: RestClient, discovery: Discovery) -> None:
        self._client = client
        self._discovery = discovery
        self._found: dict[tuple[str, str], printing.TableShape] = {}

    def shape(self, api_version: str, kind: str) -> printing.TableShape:
        """The table of a kind; name and age for one that nobody describes, or whose definition may not be read."""
        group, _, version = api_version.rpartition("/")
        if not group or (group, kind) in printing.SHAPES:
            return printing.shape_for(group, kind)
        if (api_version, kind) not in self._found:
            self._found[api_version, kind] = self._defined(group, version, kind) or printing.shape_for(group, kind)
        return self._found[api_version, kind]

    def _defined(self, group: str, version: str, kind: str) -> printing.TableShape | None:
        try:
            plural = self._discovery.for_kind(f"{group}/{version}", kind).plural
            definition = self._client.get(CUSTOM_RESOURCE_DEFINITIONS.path(name=f"{plural}.{group}"))
            return custom_shape(_columns(definition, version))
        except (KctlError, JsonPathError):
            return None  # not a custom resource, or not for this user: the table is shorter


def _columns(definition: Mapping[str, Any], version: str) -> list[dict[str, Any]]:
    versions = (definition.get("spec") or {}).get("versions") or []
    return next((each.get("additionalPrinterColumns") or [] for each in versions if each.get("name") == version), [])
