"""APIServices: the name says which group and version, and only a Service's server needs to be recognised.

Source: the Kubernetes page "Kubernetes API Aggregation Layer" and the API reference of APIService.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import datetime

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import APIService
from apimachinery.times import format_time
from apiserver.core.aggregation.availability import LOCAL, with_condition
from apiserver.core.request import User
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, one_of, required
from apiserver.strategy.conditions import STATUSES

PORT = 443
GROUP_PRIORITY_MAX, VERSION_PRIORITY_MAX = 20_000, 1_000


class APIServiceStrategy(Strategy[APIService]):
    has_status = True

    def name_problems(self, name: str) -> Sequence[str]:
        return names.path_segment(name)

    def sign(self, new: APIService, old: APIService | None, user: User, now: datetime) -> None:
        """What the server serves itself is there from the first moment."""
        if old is None and new.spec.service is None:
            new.status.conditions = with_condition([], LOCAL, format_time(now))

    def default(self, obj: APIService) -> None:
        if obj.spec.service is not None and obj.spec.service.port is None:
            obj.spec.service.port = PORT

    def check(self, obj: APIService) -> Iterator[FieldError]:
        spec = obj.spec
        if obj.metadata.name and obj.metadata.name != (wanted := f"{spec.version}.{spec.group}"):
            yield FieldError.invalid("metadata.name", obj.metadata.name, f'must be `spec.version+"."+spec.group`: "{wanted}"')
        if spec.group:
            yield from named("spec.group", spec.group, names.dns_1123_subdomain)
        elif spec.version != "v1":
            yield FieldError.required("spec.group", "only v1 may have an empty group")
        yield from named("spec.version", spec.version, names.dns_1035_label)
        yield from _priority("spec.groupPriorityMinimum", spec.group_priority_minimum, GROUP_PRIORITY_MAX)
        yield from _priority("spec.versionPriority", spec.version_priority, VERSION_PRIORITY_MAX)
        yield from _check_bundle(spec.ca_bundle)
        if spec.service is None:
            if spec.ca_bundle:
                yield FieldError.invalid("spec.caBundle", "<bytes>", "local APIServices may not have a caBundle")
            if spec.insecure_skip_tls_verify:
                detail = "local APIServices may not have insecureSkipTLSVerify"
                yield FieldError.invalid("spec.insecureSkipTLSVerify", True, detail)
            return
        yield from required("spec.service.namespace", spec.service.namespace)
        yield from required("spec.service.name", spec.service.name)
        if spec.service.port is not None and not 0 < spec.service.port < 65536:
            detail = "port is not valid: must be between 1 and 65535, inclusive"
            yield FieldError.invalid("spec.service.port", spec.service.port, detail)
        if spec.insecure_skip_tls_verify and spec.ca_bundle:
            yield FieldError.invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")

    def check_status_update(self, new: APIService, old: APIService) -> Iterator[FieldError]:
        for index, condition in enumerate(new.status.conditions):
            where = f"status.conditions[{index}]"
            yield from required(f"{where}.type", condition.type)
            yield from one_of(f"{where}.status", condition.status, STATUSES)


def _priority(path: str, value: int, largest: int) -> Errors:
    if not 0 < value <= largest:
        yield FieldError.invalid(path, value, f"must be positive and less than {largest}")


def _check_bundle(text: str) -> Errors:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        yield FieldError.invalid("spec.caBundle", "<text>", "must be base64 (standard alphabet, with padding)")
