"""Accept headers: preferences in order, representations, fallbacks, refusals."""

from dataclasses import dataclass

import pytest

from apimachinery.errors import ApiError
from apiserver.core.negotiation import (
    DISCOVERY_FORMS,
    LIST_FORMS,
    NO_FORMS,
    OBJECT_FORMS,
    PLAIN,
    Form,
    media_type,
    representation,
)

TABLE = Form("Table", "meta.k8s.io", "v1")
AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True)
class Case:
    id: str
    accept: str
    forms: frozenset[Form]
    want: Form | None


CASES = (
    Case("nothing said", "", OBJECT_FORMS, PLAIN),
    Case("anything", "*/*", OBJECT_FORMS, PLAIN),
    Case("any application", "application/*", OBJECT_FORMS, PLAIN),
    Case("JSON", "application/json", OBJECT_FORMS, PLAIN),
    Case("JSON in another case", "Application/JSON ; charset=UTF-8", OBJECT_FORMS, PLAIN),
    Case("JSON in a charset there is not", "application/json;charset=latin-1", OBJECT_FORMS, None),
    Case("a parameter that means nothing here", "application/json;stream=watch", OBJECT_FORMS, PLAIN),
    Case("protobuf first", "application/vnd.kubernetes.protobuf, application/json", OBJECT_FORMS, PLAIN),
    Case("protobuf only", "application/vnd.kubernetes.protobuf", OBJECT_FORMS, None),
    Case("JSON refused", "application/json;q=0", OBJECT_FORMS, None),
    Case("a table", AS_TABLE, OBJECT_FORMS, TABLE),
    Case("kubectl", f"{AS_TABLE},{AS_TABLE.replace('v1', 'v1beta1')},application/json", LIST_FORMS, TABLE),
    Case("a table where there is none", f"{AS_TABLE},application/json", NO_FORMS, PLAIN),
    Case("a table and nothing else", AS_TABLE, NO_FORMS, None),
    Case("a table of an unknown version", f"{AS_TABLE.replace('v1', 'v7')},application/json", OBJECT_FORMS, PLAIN),
    Case("JSON rather than a table", f"{AS_TABLE};q=0.5,application/json", OBJECT_FORMS, PLAIN),
    Case("list metadata of one object", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", OBJECT_FORMS, None),
    Case("object metadata of a list", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", LIST_FORMS, None),
    Case(
        "discovery",
        "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList,"
        "application/json;v=v2beta1;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList,application/json",
        DISCOVERY_FORMS,
        Form("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"),
    ),
    Case("no header at all, but commas", ",,;q=x,", OBJECT_FORMS, None),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_representation(case: Case) -> None:
    if case.want is not None:
        assert representation(case.accept, case.forms) == case.want
        return
    with pytest.raises(ApiError) as caught:
        representation(case.accept, case.forms)
    assert (caught.value.code, caught.value.reason) == (406, "NotAcceptable")
    assert "application/json" in caught.value.status.message


MEDIA = (
    ("", "a/one"),
    ("*/*", "a/one"),
    ("b/two", "b/two"),
    ("b/two;q=0.1, a/*", "a/one"),
    ("c/three, b/two", "b/two"),
)


@pytest.mark.parametrize(("accept", "want"), MEDIA)
def test_media_type(accept: str, want: str) -> None:
    assert media_type(accept, ("a/one", "b/two")) == want


def test_no_media_type() -> None:
    with pytest.raises(ApiError) as caught:
        media_type("c/three", ("a/one", "b/two"))
    assert caught.value.status.message == "only the following media types are accepted: a/one, b/two"
