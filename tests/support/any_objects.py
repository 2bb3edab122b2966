"""Plain data of any shape that a class can hold, for properties: fields and values are drawn from what decides in the rules."""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

TEXTS = st.sampled_from(
    (
        *("", "a", "A b", "a.b/c", "-1", "..", "/x/y", "ä\n", "x" * 70, "YQ==", "1Gi", "25%", "10.0.0.1", "::1", "010.0.0.1"),
        *("None", "Always", "ClientIP", "ExternalName", "NodePort", "TCP", "IPv4", "RollingUpdate", "Recreate"),
        *("In", "Exists", "NoExecute", "Localhost"),
        *("Indexed", "OnDelete", "Complete", "True", "0-1", "@daily", "Container", "storage", "pods"),
    )
)
NUMBERS = st.sampled_from([-1, 0, 1, 2, 80, 65536, (1 << 31) - 1])
TIMES = st.just("2026-01-31T12:00:00Z")
FIELDS_MAX = 4


def plain_objects(cls: type[msgspec.Struct], depth: int = 6) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of `cls` as plain data: at most four fields on each level, down to `depth` levels."""
    return _struct(cls, depth)


@cache
def _struct(cls: type[msgspec.Struct], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    described = msgspec.inspect.type_info(cls)
    assert isinstance(described, msgspec.inspect.StructType)
    fields = {field.encode_name: field.type for field in described.fields if field.encode_name not in ("apiVersion", "kind")}

    @st.composite
    def build(draw: Callable[[st.SearchStrategy[Any]], Any]) -> dict[str, Any]:
        chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=FIELDS_MAX, unique=True)) if depth > 0 else []
        return {name: draw(_value(fields[name], depth - 1)) for name in chosen}

    return build() if fields else st.just({})


def _value(described: Any, depth: int) -> st.SearchStrategy[Any]:
    match described:
        case msgspec.inspect.StructType():
            return _struct(described.cls, depth)
        case msgspec.inspect.ListType():
            return st.lists(_value(described.item_type, depth), max_size=2)
        case msgspec.inspect.DictType():
            return st.dictionaries(TEXTS, _value(described.value_type, depth), max_size=2)
        case msgspec.inspect.UnionType():
            types = [each for each in described.types if not isinstance(each, msgspec.inspect.NoneType)]
            return st.one_of([_value(each, depth) for each in types])
        case msgspec.inspect.Metadata():
            return _value(described.type, depth)
        case msgspec.inspect.IntType():
            return NUMBERS
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.FloatType():
            return st.sampled_from([0.5, 1.0, -2.25])
        case msgspec.inspect.StrType():
            return TIMES if described.pattern else TEXTS
        case _:
            return st.just({"any": "thing"})
