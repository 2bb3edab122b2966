"""Status errors: codes, reasons, causes, sentences."""

import pickle

from apimachinery import errors
from apimachinery.errors import ApiError, Cause, FieldError
from apimachinery.kinds import LabelSelector


def test_an_invalid_object_names_its_fields() -> None:
    one = errors.invalid("Pod", "x", [FieldError.required("spec.containers[0].image")])
    assert (one.code, one.reason) == (422, "Invalid")
    assert one.status.message == 'Pod "x" is invalid: spec.containers[0].image: Required value'
    assert one.status.details is not None
    (cause,) = one.status.details.causes
    assert (cause.field, cause.reason, cause.message) == ("spec.containers[0].image", "FieldValueRequired", "Required value")
    two = errors.invalid("Deployment", "x", [FieldError.required("a"), FieldError.required("b", "why")], group="apps")
    assert two.status.message == 'Deployment.apps "x" is invalid: [a: Required value, b: Required value: why]'


def test_values_are_quoted_as_json() -> None:
    assert FieldError.invalid("a", 'b"c', "no").message == 'Invalid value: "b\\"c": no'
    assert FieldError.invalid("a", True, "no").message == "Invalid value: true: no"
    assert FieldError.invalid("a", {"x": "y"}, "no").message == 'Invalid value: {"x":"y"}: no'
    selector = LabelSelector(match_labels={"x": "y"})
    assert FieldError.invalid("a", selector, "no").message == 'Invalid value: {"matchLabels":{"x":"y"}}: no'
    assert FieldError.invalid("a", None, "no").message == "Invalid value: null: no"
    assert FieldError.invalid("a", -1, "no").message == "Invalid value: -1: no"
    assert len(FieldError.duplicate("a", "x" * 100_000).message) < 1000


def test_supported_values_are_listed_in_order() -> None:
    error = FieldError.not_supported("spec.type", "X", ["b", "a"])
    assert error.cause is Cause.NOT_SUPPORTED
    assert error.message == 'Unsupported value: "X": supported values: "a", "b"'


def test_reasons_are_told_apart() -> None:
    assert errors.is_not_found(errors.not_found("pods", "x"))
    assert errors.is_conflict(errors.conflict("pods", "x"))
    assert not errors.is_conflict(errors.already_exists("pods", "x"))
    assert errors.is_already_exists(errors.already_exists("pods", "x"))
    assert errors.is_expired(errors.expired())
    assert not errors.is_not_found(KeyError("x"))
    assert errors.too_many_requests("later", 3).retry_after_s() == 3


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(errors.not_found("deployments", "x", group="apps")))
    assert isinstance(error, ApiError)
    assert error.status.message == 'deployments.apps "x" not found'
