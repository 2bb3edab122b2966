"""CustomResourceDefinitions: names, versions, structural schemas, columns, subresources, conversion, what may not change."""

from __future__ import annotations

from typing import Any

import pytest

from apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS
from tests.support.custom import definition
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    TOO_LONG,
    TOO_MANY,
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

CRD = {**definition(), "metadata": {"name": "crontabs.stable.example.com"}}
V = "spec.versions[0]"
S = f"{V}.schema.openAPIV3Schema"
SPEC = f"{S}.properties.spec"
AT = f"{S}.properties[spec]"
LIST = "x-kubernetes-list-type"
KEYS = "x-kubernetes-list-map-keys"
RULES = "x-kubernetes-validations"


def place(**schema: Any) -> dict[str, Any]:
    """The schema of spec.x."""
    return {f"{SPEC}.properties.x": {name.replace("_", "-"): value for name, value in schema.items()}}


X = f"{AT}.properties[x]"
ITEM = {"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"]}

NAMES = (
    Row("right", {}),
    Row(
        "the name follows from plural and group",
        {"metadata.name": "tabs.example.com"},
        [wrong("metadata.name", INVALID, "spec.names.plural")],
    ),
    Row(
        "a group needs a dot",
        {"spec.group": "example", "metadata.name": "crontabs.example"},
        [wrong("spec.group", INVALID, "at least one dot")],
    ),
    Row(
        "a protected group needs an approval",
        {"spec.group": "x.k8s.io", "metadata.name": "crontabs.x.k8s.io"},
        [wrong("metadata.annotations[api-approved.kubernetes.io]", REQUIRED)],
    ),
    Row(
        "which says where",
        {
            "spec.group": "x.k8s.io",
            "metadata.name": "crontabs.x.k8s.io",
            "metadata.annotations": {"api-approved.kubernetes.io": "yes"},
        },
        [wrong("metadata.annotations[api-approved.kubernetes.io]", INVALID, "either a URL")],
    ),
    Row("scope", {"spec.scope": "World"}, [wrong("spec.scope", UNSUPPORTED)]),
    Row("no scope", {"spec.scope": ABSENT}, [wrong("spec.scope", REQUIRED)]),
    Row(
        "kind",
        {"spec.names.kind": "Cron_Tab", "spec.names.listKind": "L", "spec.names.singular": "s"},
        [wrong("spec.names.kind", INVALID, "mixed case")],
    ),
    Row("no kind", {"spec.names.kind": "", "spec.names.listKind": "L"}, [wrong("spec.names.kind", REQUIRED)]),
    Row(
        "kind and list of one name",
        {"spec.names.listKind": "CronTab"},
        [wrong("spec.names.listKind", INVALID, "may not be the same")],
    ),
    Row("short names", {"spec.names.shortNames": ["Ct"]}, [wrong("spec.names.shortNames[0]", INVALID)]),
    Row("categories", {"spec.names.categories": ["A"]}, [wrong("spec.names.categories[0]", INVALID)]),
    Row("fields of no schema", {"spec.preserveUnknownFields": True}, [wrong("spec.preserveUnknownFields", INVALID)]),
    Row("no version", {"spec.versions": []}, [wrong("spec.versions", REQUIRED)]),
    Row(
        "no storage version",
        {f"{V}.storage": False},
        [wrong("spec.versions", INVALID, "exactly one version marked as storage")],
    ),
    Row("a version's name", {f"{V}.name": "V1"}, [wrong(f"{V}.name", INVALID)]),
    Row(
        "twice",
        {"spec.versions[1]": {**CRD["spec"]["versions"][0], "storage": False}},
        [wrong("spec.versions[1].name", DUPLICATE)],
    ),
    Row("a warning of what is not deprecated", {f"{V}.deprecationWarning": "go"}, [wrong(f"{V}.deprecationWarning", INVALID)]),
    Row(
        "a long warning",
        {f"{V}.deprecated": True, f"{V}.deprecationWarning": "x" * 257},
        [wrong(f"{V}.deprecationWarning", TOO_LONG)],
    ),
)

SCHEMAS = (
    Row("no schema", {f"{V}.schema": ABSENT}, [wrong(S, REQUIRED, "schemas are required")]),
    Row("the root's type", {f"{S}.type": "string"}, [wrong(f"{S}.type", INVALID, "must be object at the root")]),
    Row("no type at the root", {f"{S}.type": ABSENT}, [wrong(f"{S}.type", REQUIRED, "must not be empty at the root")]),
    Row("no type", place(description="x"), [wrong(f"{X}.type", REQUIRED, "specified object fields")]),
    Row("no type is needed of what may be anything", place(x_kubernetes_preserve_unknown_fields=True)),
    Row("nor of numbers or texts", place(x_kubernetes_int_or_string=True)),
    Row("a type that is none", place(type="text"), [wrong(f"{X}.type", UNSUPPORTED)]),
    Row("a list of what", place(type="array"), [wrong(f"{X}.items", REQUIRED)]),
    Row("no type of items", place(type="array", items={}), [wrong(f"{X}.items.type", REQUIRED, "specified array items")]),
    Row("a tuple", place(type="array", items=[{"type": "string"}]), [wrong(f"{X}.items", FORBIDDEN)]),
    Row(
        "properties and others",
        place(type="object", properties={"a": {"type": "string"}}, additionalProperties=True),
        [wrong(f"{X}.additionalProperties", FORBIDDEN, "mutual exclusive")],
    ),
    Row("no others", place(type="object", additionalProperties=False), [wrong(f"{X}.additionalProperties", FORBIDDEN)]),
    Row(
        "unique items",
        place(type="array", items={"type": "string"}, uniqueItems=True),
        [wrong(f"{X}.uniqueItems", FORBIDDEN, "quadratic")],
    ),
    Row("references", {f"{SPEC}.properties.x": {"type": "string", "$ref": "#/a"}}, [wrong(f"{X}.$ref", FORBIDDEN)]),
    Row("a pattern that is none", place(type="string", pattern="("), [wrong(f"{X}.pattern", INVALID, "regular expression")]),
    Row(
        "metadata can restrict names",
        {f"{S}.properties.metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}}},
    ),
    Row(
        "and nothing else",
        {f"{S}.properties.metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}},
        [wrong(f"{S}.properties[metadata]", FORBIDDEN, "implicitly specified")],
    ),
    Row(
        "an open embedded resource",
        place(type="object", x_kubernetes_embedded_resource=True, x_kubernetes_preserve_unknown_fields=True),
    ),
    Row(
        "an embedded text",
        place(type="string", x_kubernetes_embedded_resource=True),
        [wrong(f"{X}.type", INVALID), wrong(f"{X}.properties", REQUIRED)],
    ),
    Row("int or string has no type", place(type="string", x_kubernetes_int_or_string=True), [wrong(f"{X}.type", INVALID)]),
    Row(
        "int or string as a junctor says it",
        place(x_kubernetes_int_or_string=True, anyOf=[{"type": "integer"}, {"type": "string"}]),
    ),
    Row(
        "a type in a junctor",
        place(type="string", anyOf=[{"type": "string"}]),
        [wrong(f"{X}.anyOf[0].type", FORBIDDEN, "structural")],
    ),
    Row("a default in a junctor", place(type="string", **{"not": {"default": "x"}}), [wrong(f"{X}.not.default", FORBIDDEN)]),
    Row(
        "a junctor of what is not there",
        place(type="object", oneOf=[{"properties": {"a": {"minLength": 1}}}]),
        [wrong(f"{X}.oneOf[0].properties[a]", REQUIRED)],
    ),
    Row("a default", place(type="integer", default=3)),
    Row("of another type", place(type="integer", default="x"), [wrong(f"{X}.default", "FieldValueTypeInvalid")]),  # type: ignore[arg-type]
    Row(
        "with what is not described",
        place(type="object", properties={"a": {"type": "string"}}, default={"b": 1}),
        [wrong(f"{X}.default", INVALID, "unknown fields")],
    ),
    Row("a kind of list", place(type="array", items={"type": "string"}, **{LIST: "bag"}), [wrong(f"{X}.{LIST}", UNSUPPORTED)]),
    Row("a list that is none", place(type="string", **{LIST: "set"}), [wrong(f"{X}.type", INVALID)]),
    Row("a keyed list", place(type="array", items=ITEM, **{LIST: "map", KEYS: ["k"]})),
    Row("without keys", place(type="array", items=ITEM, **{LIST: "map"}), [wrong(f"{X}.{KEYS}", REQUIRED)]),
    Row(
        "with a key that is not there",
        place(type="array", items=ITEM, **{LIST: "map", KEYS: ["z"]}),
        [wrong(f"{X}.{KEYS}", INVALID)],
    ),
    Row(
        "with a key that may be missing",
        place(type="array", items={**ITEM, "required": []}, **{LIST: "map", KEYS: ["k"]}),
        [wrong(f"{X}.items.properties[k].default", REQUIRED)],
    ),
    Row(
        "a set of objects",
        place(type="array", items=ITEM, **{LIST: "set"}),
        [wrong(f"{X}.items.x-kubernetes-map-type", FORBIDDEN)],
    ),
    Row(
        "a kind of map", place(type="object", x_kubernetes_map_type="flat"), [wrong(f"{X}.x-kubernetes-map-type", UNSUPPORTED)]
    ),
    Row("a rule", place(type="integer", **{RULES: [{"rule": "self > 0"}]})),
    Row("no rule", place(type="integer", **{RULES: [{"rule": " "}]}), [wrong(f"{X}.{RULES}[0].rule", REQUIRED)]),
    Row(
        "a rule about another type",
        place(type="integer", **{RULES: [{"rule": "self.a > 0"}]}),
        [wrong(f"{X}.{RULES}[0].rule", INVALID, "compilation failed")],
    ),
    Row(
        "a message that is no text",
        place(type="integer", **{RULES: [{"rule": "self > 0", "messageExpression": "self"}]}),
        [wrong(f"{X}.{RULES}[0].messageExpression", INVALID)],
    ),
    Row(
        "a reason",
        place(type="integer", **{RULES: [{"rule": "self > 0", "reason": "Because"}]}),
        [wrong(f"{X}.{RULES}[0].reason", UNSUPPORTED)],
    ),
    Row(
        "a place",
        place(**ITEM, **{RULES: [{"rule": "true", "fieldPath": ".z"}]}),
        [wrong(f"{X}.{RULES}[0].fieldPath", INVALID)],
    ),
    Row(
        "a transition of what cannot be told apart",
        place(type="array", items={"type": "string", RULES: [{"rule": "self == oldSelf"}]}),
        [wrong(f"{X}.items.{RULES}[0].rule", INVALID, "uncorrelatable")],
    ),
)

C, F, SCALE = f"{V}.additionalPrinterColumns", f"{V}.selectableFields", f"{V}.subresources.scale"
HOOK = {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://example.com/convert"}}
OTHERS = (
    Row("a column's type", {f"{C}[0].type": "text"}, [wrong(f"{C}[0].type", UNSUPPORTED)]),
    Row("a column of nothing", {f"{C}[0].jsonPath": ""}, [wrong(f"{C}[0].jsonPath", REQUIRED)]),
    Row("a column's path", {f"{C}[0].jsonPath": ".spec["}, [wrong(f"{C}[0].jsonPath", INVALID)]),
    Row("a field's path", {f"{F}[0].jsonPath": ".spec.ports[0]"}, [wrong(f"{F}[0].jsonPath", INVALID, "simple json path")]),
    Row("too many fields", {F: [{"jsonPath": f".spec.{name}"} for name in "abcdefghi"]}, [wrong(F, TOO_MANY)]),
    Row(
        "replicas elsewhere",
        {f"{SCALE}.specReplicasPath": ".status.replicas"},
        [wrong(f"{SCALE}.specReplicasPath", INVALID, "under .spec")],
    ),
    Row("no replicas", {f"{SCALE}.statusReplicasPath": ""}, [wrong(f"{SCALE}.statusReplicasPath", REQUIRED)]),
    Row("a webhook", {"spec.conversion": {"strategy": "Webhook", "webhook": HOOK}}),
    Row("which", {"spec.conversion": {"strategy": "Webhook"}}, [wrong("spec.conversion.webhook.clientConfig", REQUIRED)]),
    Row("not one", {"spec.conversion": {"strategy": "None", "webhook": HOOK}}, [wrong("spec.conversion.webhook", FORBIDDEN)]),
    Row("another strategy", {"spec.conversion": {"strategy": "Magic"}}, [wrong("spec.conversion.strategy", UNSUPPORTED)]),
    Row(
        "not encrypted",
        {"spec.conversion": {"strategy": "Webhook", "webhook": {**HOOK, "clientConfig": {"url": "http://example.com"}}}},
        [wrong("spec.conversion.webhook.clientConfig.url", INVALID, "https")],
    ),
    Row(
        "of another time",
        {"spec.conversion": {"strategy": "Webhook", "webhook": {**HOOK, "conversionReviewVersions": ["v2"]}}},
        [wrong("spec.conversion.webhook.conversionReviewVersions", INVALID)],
    ),
)


@pytest.mark.parametrize("row", [*NAMES, *SCHEMAS, *OTHERS], ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(CRD, row.changes)
    check(errors_on_create(CUSTOM_RESOURCE_DEFINITIONS, plain), row.wrong)
    check_defaults_are_stable(CUSTOM_RESOURCE_DEFINITIONS, plain)


ESTABLISHED = {"status": {"conditions": [{"type": "Established", "status": "True"}], "storedVersions": ["v1"]}}
UPDATES = (
    Row("nothing", {}),
    Row("the group", {"spec.group": "a.example.com"}, [wrong("metadata.name", INVALID), wrong("spec.group", INVALID)]),
    Row("the scope, before it is established", {"spec.scope": "Cluster"}, base={"status": {"storedVersions": ["v1"]}}),
    Row("the scope, afterwards", {"spec.scope": "Cluster"}, [wrong("spec.scope", INVALID)]),
    Row("the kind, afterwards", {"spec.names.kind": "Tab"}, [wrong("spec.names.kind", INVALID)]),
    Row("short names", {"spec.names.shortNames": ["tab"]}),
    Row(
        "a version that objects are stored in",
        {f"{V}.name": "v2"},
        [wrong("status.storedVersions[0]", INVALID, "missing from spec.versions")],
    ),
    Row("its mark", {"status.storedVersions": []}, [wrong("status.storedVersions", INVALID)] * 2, "status"),
)


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.id)
def test_update(row: Row) -> None:
    check(errors_on_update(CUSTOM_RESOURCE_DEFINITIONS, {**CRD, **ESTABLISHED}, row), row.wrong)


def test_defaults() -> None:
    obj = created(CUSTOM_RESOURCE_DEFINITIONS, CRD)
    assert (obj.spec.names.singular, obj.spec.names.list_kind) == ("crontab", "CronTabList")
    assert (obj.spec.conversion.strategy, obj.status.stored_versions) == ("None", ["v1"])


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(250):
        schema = {"type": "array", "items": schema}
    check(errors_on_create(CUSTOM_RESOURCE_DEFINITIONS, changed(CRD, place(**schema))), [wrong(S, INVALID, "levels deep")])
