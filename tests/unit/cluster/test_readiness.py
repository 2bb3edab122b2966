from __future__ import annotations

import pytest

from cluster.readiness import missing_labels, ready_condition

ROLE = {"node-role.kubernetes.io/control-plane": ""}


@pytest.mark.parametrize(
    ("present", "wanted", "missing"),
    [
        (None, ROLE, ROLE),
        ({"a": "b"}, ROLE, ROLE),
        ({"a": "b", **ROLE}, ROLE, {}),
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {}, {}),
    ],
)
def test_missing_labels(present: dict[str, str] | None, wanted: dict[str, str], missing: dict[str, str]) -> None:
    metadata = {"name": "n"} if present is None else {"name": "n", "labels": present}
    assert missing_labels({"metadata": metadata}, wanted) == missing


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([{"type": "Ready", "status": "True"}], True),
        ([{"type": "Ready", "status": "Unknown"}], False),
        ([{"type": "MemoryPressure", "status": "True"}], False),
        (None, False),
    ],
)
def test_ready_condition(conditions: list[dict[str, str]] | None, ready: bool) -> None:
    assert ready_condition({"status": {"conditions": conditions}}) is ready
    assert ready_condition({}) is False
