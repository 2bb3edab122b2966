"""Objects as JSON and YAML, laid out as kubectl lays them out: keys sorted, four spaces in JSON, lists not indented in YAML."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from kctl.manifests import plain_scalar

_STRING_TAG = "tag:yaml.org,2002:str"
_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]
    """PyYAML's dumper with Kubernetes' choice of quotes, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    style = None
    if "\n" in text:
        style = "|"
    elif plain_scalar(text) is not text or dumper.resolve(yaml.ScalarNode, text, (True, False)) != _STRING_TAG:
        style = '"'
    return dumper.represent_scalar(_STRING_TAG, text, style=style)


_Dumper.add_representer(str, _represent_text)


def to_json(value: Any) -> str:
    return json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def to_yaml(value: Any) -> str:
    dumped: str = yaml.dump(value, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=1 << 30)
    return dumped


def without_managed_fields(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object (or List) without the bookkeeping of server-side apply, which hardly anybody wants to read."""
    plain = dict(obj)
    if isinstance(plain.get("metadata"), Mapping) and "managedFields" in plain["metadata"]:
        plain["metadata"] = {key: value for key, value in plain["metadata"].items() if key != "managedFields"}
    if isinstance(plain.get("items"), list):
        plain["items"] = [without_managed_fields(item) for item in plain["items"]]
    return plain
