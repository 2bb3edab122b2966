"""Requests on forms: the stored row, its field names, and objects that cannot be shown."""

import pytest

from apimachinery.errors import ApiError
from apimachinery.resources import EVENTS, EVENTS_V1, HORIZONTAL_POD_AUTOSCALERS_V1, PODS
from apiserver.core import forms
from apiserver.core.request import Options, Request, User, Verb


def request(resource: object, selector: str) -> Request:
    options = Options(field_selector=selector)
    return Request(verb=Verb.LIST, resource=resource, user=User("u"), options=options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("regarding.name=web", "involvedObject.name=web"),
        ("reportingController!=kubelet,type==Normal", "reportingComponent!=kubelet,type=Normal"),
        (r"reason=a\,b\=c\\d", r"reason=a\,b\=c\\d"),
        ("", ""),
    ],
)
def test_field_selectors_are_translated(given: str, wanted: str) -> None:
    settled = forms.settle(request(EVENTS_V1, given))
    assert (settled.resource, settled.form, settled.options.field_selector) == (EVENTS, EVENTS_V1, wanted)


@pytest.mark.parametrize("selector", ["involvedObject.name=web", "note=x", "nonsense"])
def test_fields_that_the_form_does_not_have(selector: str) -> None:
    with pytest.raises(ApiError) as caught:
        forms.settle(request(EVENTS_V1, selector))
    assert caught.value.code == 400


def test_other_rows_are_left_alone() -> None:
    plain = request(PODS, "spec.nodeName=a")
    assert forms.settle(plain) is plain
    assert forms.settle(request(HORIZONTAL_POD_AUTOSCALERS_V1, "metadata.name=a")).options.field_selector == "metadata.name=a"


def test_an_object_that_cannot_be_shown_is_the_servers_failure() -> None:
    with pytest.raises(ApiError) as caught:
        forms.shown(EVENTS_V1, b'{"count":"many"}')
    assert caught.value.code == 500
