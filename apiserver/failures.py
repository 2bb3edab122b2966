"""The one translator from exceptions to the API's Status."""

import logging

from apimachinery import errors
from apimachinery.errors import ApiError, Reason, api_error
from apimachinery.resources import Resource
from apiserver.storage import port

log = logging.getLogger(__name__)


def storage_error(error: port.StorageError, resource: Resource, name: str) -> ApiError:
    """What a refused or failed storage operation on an object means to the caller."""
    group = resource.group
    match error:
        case port.KeyExists():
            return errors.already_exists(resource.plural, name, group=group)
        case port.Conflict():
            return errors.conflict(resource.plural, name, group=group)
        case port.KeyMissing():
            return errors.not_found(resource.plural, name, group=group)
        case port.GuardFailed():
            return fenced(resource, name)
        case port.Compacted() | port.FutureRevision():
            return errors.expired("The provided resource version is not available any more: list anew.")
        case port.TooLarge():
            limit = port.VALUE_BYTES_MAX
            return errors.too_large(f"{resource.kind} {name!r} is too large to be stored: the limit is {limit} bytes")
        case port.NoSpace():
            return api_error(
                507, Reason.INTERNAL_ERROR, "the cluster's storage is full: nothing can be written until space is freed"
            )
        case port.Unavailable(uncertain=True):
            return errors.timeout("the storage did not answer in time: the write may or may not have happened", retry_after_s=1)
        case _:
            return errors.unavailable("the cluster's storage does not answer")


def fenced(resource: Resource, name: str) -> ApiError:
    """A write of a leader whose term is over."""
    detail = "the lease that the write depends on has another holder or another term"
    return errors.conflict(resource.plural, name, detail, group=resource.group)


def to_api_error(error: BaseException) -> ApiError:
    """The Status of any exception; what nobody expected becomes an opaque 500 and is logged with its traceback."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, port.StorageError):
        return errors.unavailable("the cluster's storage does not answer")
    log.error("request failed unexpectedly", exc_info=error)
    return errors.internal("the request could not be handled; the server's log says more")
