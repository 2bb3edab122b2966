"""APIServices: names, priorities, certificates, Services, conditions."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import API_SERVICES
from apimachinery.times import parse_time
from apiserver.core.request import User
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    ABSENT,
    INVALID,
    REQUIRED,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    wrong,
)

Plain = dict[str, Any]
PLAIN: Plain = {
    "metadata": {"name": "v1.g.example.com"},
    "spec": {
        "group": "g.example.com",
        "version": "v1",
        "service": {"namespace": "ns", "name": "s"},
        "caBundle": "Q0E=",
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
    },
}
NO_SERVICE = {"spec.service": ABSENT, "spec.caBundle": ABSENT}

ROWS = (
    Row("right", {}),
    Row("local", NO_SERVICE),
    Row("the core group", {**NO_SERVICE, "metadata.name": "v1.", "spec.group": ""}),
    Row("the core group in another version", {"metadata.name": "v2.", "spec.group": "", "spec.version": "v2"}, [
        wrong("spec.group", REQUIRED, "only v1 may have an empty group")
    ]),
    Row("another name", {"metadata.name": "v2.g.example.com"}, [wrong("metadata.name", INVALID, '"v1.g.example.com"')]),
    Row("a group in capitals", {"metadata.name": "v1.G", "spec.group": "G"}, [wrong("spec.group", INVALID)]),
    Row("a version that is no label", {"metadata.name": "1.g.example.com", "spec.version": "1"}, [
        wrong("spec.version", INVALID)
    ]),
    Row("no priorities", {"spec.groupPriorityMinimum": 0, "spec.versionPriority": 0}, [
        wrong("spec.groupPriorityMinimum", INVALID, "must be positive and less than 20000"),
        wrong("spec.versionPriority", INVALID, "must be positive and less than 1000"),
    ]),
    Row("the highest priorities", {"spec.groupPriorityMinimum": 20000, "spec.versionPriority": 1000}),
    Row("priorities too high", {"spec.groupPriorityMinimum": 20001, "spec.versionPriority": 1001}, [
        wrong("spec.groupPriorityMinimum", INVALID),
        wrong("spec.versionPriority", INVALID),
    ]),
    Row("local with a CA", {"spec.service": ABSENT}, [wrong("spec.caBundle", INVALID, "local APIServices")]),
    Row("local and insecure", {**NO_SERVICE, "spec.insecureSkipTLSVerify": True}, [
        wrong("spec.insecureSkipTLSVerify", INVALID, "local APIServices")
    ]),
    Row("insecure", {"spec.caBundle": ABSENT, "spec.insecureSkipTLSVerify": True}),
    Row("insecure with a CA", {"spec.insecureSkipTLSVerify": True}, [
        wrong("spec.insecureSkipTLSVerify", INVALID, "may not be true if caBundle is present")
    ]),
    Row("a CA that is not base64", {"spec.caBundle": "-----BEGIN"}, [wrong("spec.caBundle", INVALID, "base64")]),
    Row("nameless services", {"spec.service": {}}, [
        wrong("spec.service.namespace", REQUIRED),
        wrong("spec.service.name", REQUIRED),
    ]),
    Row("no such port", {"spec.service.port": 65536}, [wrong("spec.service.port", INVALID, "between 1 and 65535")]),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_new_ones(row: Row) -> None:
    check(errors_on_create(API_SERVICES, changed(PLAIN, row.changes)), row.wrong)


UPDATES = (
    Row("everything but the name may change", {"spec.service.port": 8443, "spec.versionPriority": 1}),
    Row("to local", NO_SERVICE),
    Row("the version may not", {"spec.version": "v2"}, [wrong("metadata.name", INVALID)]),
    Row("a condition", {"status.conditions": [{"type": "Available", "status": "True"}]}, subresource="status"),
    Row(
        "no condition",
        {"status.conditions": [{"type": "", "status": "Perhaps"}]},
        [wrong("status.conditions[0].type", REQUIRED), wrong("status.conditions[0].status", UNSUPPORTED)],
        subresource="status",
    ),
)


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.id)
def test_updates(row: Row) -> None:
    check(errors_on_update(API_SERVICES, PLAIN, row), row.wrong)


def test_defaults() -> None:
    check_defaults_are_stable(API_SERVICES, PLAIN)
    assert codec.to_plain(created(API_SERVICES, PLAIN))["spec"]["service"]["port"] == 443


def test_what_is_local_is_available_from_the_first_moment() -> None:
    now = parse_time("2026-01-31T12:00:00Z")
    for changes, wanted in ((NO_SERVICE, [("Available", "True", "Local", "2026-01-31T12:00:00Z")]), ({}, [])):
        obj = created(API_SERVICES, changed(PLAIN, changes))
        STRATEGIES[API_SERVICES].sign(obj, None, User("jane"), now)
        assert [(c.type, c.status, c.reason, c.last_transition_time) for c in obj.status.conditions] == wanted
