"""Objects as JSON and YAML, laid out as kubectl lays them out: keys sorted, four spaces in JSON, lists not indented in YAML."""

import json
from collections.abc import Mapping
from typing import Any

from apimachinery.yaml_text import to_yaml


def to_json(value: Any) -> str:
    return json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def without_managed_fields(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object (or List) without the bookkeeping of server-side apply, which hardly anybody wants to read."""
    plain = dict(obj)
    if isinstance(plain.get("metadata"), Mapping) and "managedFields" in plain["metadata"]:
        plain["metadata"] = {key: value for key, value in plain["metadata"].items() if key != "managedFields"}
    if isinstance(plain.get("items"), list):
        plain["items"] = [without_managed_fields(item) for item in plain["items"]]
    return plain


__all__ = ["to_json", "to_yaml", "without_managed_fields"]
