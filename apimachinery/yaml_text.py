"""YAML as Kubernetes' own tools read and write it: YAML 1.1 without its dates and base-60 numbers, keys sorted.

What a reader of plain scalars would take for something else than a string is quoted when it is one.
"""

import math
import re
from typing import Any

import yaml

_TRUE = re.compile(r"^(?:true|True|TRUE|yes|Yes|YES|on|On|ON)$")
_FALSE = re.compile(r"^(?:false|False|FALSE|no|No|NO|off|Off|OFF)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_INT = re.compile(r"^[-+]?(?:0|0b[01_]*[01]|0o[0-7_]*[0-7]|0[0-7_]*[0-7]|0x[0-9a-fA-F_]*[0-9a-fA-F]|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?$")
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


def to_yaml(value: Any) -> str:
    """Plain data as one document; lists are not indented."""
    dumped: str = yaml.dump(value, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=1 << 30)
    return dumped


def plain_scalar(text: str) -> Any:
    """What an unquoted YAML scalar stands for."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    if _INT.match(text):
        return _integer(text.replace("_", ""))
    if _FLOAT.match(text) and any(character.isdigit() for character in text):
        return _number(float(text.replace("_", "")), text)
    return text


def _number(value: float, text: str) -> float | int | str:
    """A float, an integer when it is one (JSON of `1e3` is `1000`), the text when it is beyond any float."""
    if not math.isfinite(value):
        return text
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def _integer(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)
