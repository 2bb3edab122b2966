"""Rules for probes and lifecycle hooks.

Source: the Kubernetes pages "Configure Liveness, Readiness and Startup Probes" and "Container Lifecycle Hooks".
"""

import re
from collections.abc import Callable, Mapping

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from apiserver.strategy.checks import (
    INT32_MAX,
    Errors,
    exactly_one,
    in_range,
    named,
    not_negative,
    one_of,
    port_number,
    port_number_or_name,
    required,
)

_SIGNAL = re.compile(r"SIG[A-Z0-9+-]+")


def validate_probe(probe: Probe, path: str) -> Errors:
    """What liveness, readiness and startup probes have in common."""
    yield from _validate_handler(probe, path, _PROBE_HANDLERS)
    for name, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        yield from not_negative(f"{path}.{name}", value)
        if value is not None and value > INT32_MAX:
            yield FieldError.invalid(f"{path}.{name}", value, f"must be less than or equal to {INT32_MAX}")
    grace_s = probe.termination_grace_period_seconds
    if grace_s is not None and grace_s <= 0:
        yield FieldError.invalid(f"{path}.terminationGracePeriodSeconds", grace_s, "must be greater than 0")


def validate_restarting_probe(probe: Probe, path: str) -> Errors:
    """A liveness or startup probe: one success is enough, since it can only restart the container."""
    yield from validate_probe(probe, path)
    if probe.success_threshold not in (None, 1):
        yield FieldError.invalid(f"{path}.successThreshold", probe.success_threshold, "must be 1")


def validate_readiness_probe(probe: Probe, path: str) -> Errors:
    """A readiness probe never ends a container, so there is no grace period to set."""
    yield from validate_probe(probe, path)
    if probe.termination_grace_period_seconds is not None:
        value = probe.termination_grace_period_seconds
        yield FieldError.invalid(f"{path}.terminationGracePeriodSeconds", value, "must not be set for readinessProbes")


def validate_lifecycle(lifecycle: Lifecycle, path: str, *, os_name: str, grace_period_s: int | None) -> Errors:
    """Hooks; `os_name` is the pod's spec.os.name, which a stop signal depends on."""
    for name, handler in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if handler is not None:
            yield from _validate_handler(handler, f"{path}.{name}", _HOOK_HANDLERS)
            if handler.sleep is not None:
                yield from _validate_sleep(handler.sleep, f"{path}.{name}.sleep", grace_period_s)
    if lifecycle.stop_signal:
        where = f"{path}.stopSignal"
        if not os_name:
            yield FieldError.forbidden(where, "may not be set for containers with empty `spec.os.name`")
        if not _SIGNAL.fullmatch(lifecycle.stop_signal):
            yield FieldError.invalid(where, lifecycle.stop_signal, "must be the name of a signal, such as SIGTERM")


def _validate_handler(
    owner: Probe | LifecycleHandler, path: str, handlers: Mapping[str, tuple[str, Callable[..., Errors]]]
) -> Errors:
    given = {wire_name: getattr(owner, attribute) for wire_name, (attribute, _) in handlers.items()}
    given = {wire_name: action for wire_name, action in given.items() if action is not None}
    yield from exactly_one(path, list(given), "handler type")
    for wire_name, action in given.items():
        yield from handlers[wire_name][1](action, f"{path}.{wire_name}")


def _validate_exec(action: ExecAction, path: str) -> Errors:
    yield from required(f"{path}.command", action.command)


def _validate_http_get(action: HTTPGetAction, path: str) -> Errors:
    yield from required(f"{path}.path", action.path)
    yield from port_number_or_name(f"{path}.port", action.port)
    yield from one_of(f"{path}.scheme", action.scheme, ("HTTP", "HTTPS"))
    for index, header in enumerate(action.http_headers):
        yield from named(f"{path}.httpHeaders[{index}].name", header.name, names.http_header_name)


def _validate_tcp_socket(action: TCPSocketAction, path: str) -> Errors:
    yield from port_number_or_name(f"{path}.port", action.port)


def _validate_grpc(action: GRPCAction, path: str) -> Errors:
    yield from port_number(f"{path}.port", action.port)


def _validate_sleep_exists(action: SleepAction, path: str) -> Errors:
    yield from ()


def _validate_sleep(action: SleepAction, path: str, grace_period_s: int | None) -> Errors:
    longest_s = max(grace_period_s if grace_period_s is not None else 30, 0)
    yield from in_range(f"{path}.seconds", action.seconds, 0, longest_s)


_PROBE_HANDLERS: Mapping[str, tuple[str, Callable[..., Errors]]] = {
    "exec": ("exec", _validate_exec),
    "httpGet": ("http_get", _validate_http_get),
    "tcpSocket": ("tcp_socket", _validate_tcp_socket),
    "grpc": ("grpc", _validate_grpc),
}
_HOOK_HANDLERS: Mapping[str, tuple[str, Callable[..., Errors]]] = {
    "exec": ("exec", _validate_exec),
    "httpGet": ("http_get", _validate_http_get),
    "tcpSocket": ("tcp_socket", _validate_tcp_socket),
    "sleep": ("sleep", _validate_sleep_exists),
}
