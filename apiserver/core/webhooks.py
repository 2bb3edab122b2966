"""Webhooks as the API server works with them, and which requests each one is about.

A configuration is compiled once, when it is first seen: selectors, conditions and the server's address are ready to be used.
Of the rules, what depends on the operation and the resource alone is decided by `matched_row`, whose answers can be kept;
selectors and conditions look at the objects of each request.

Source: the Kubernetes page "Dynamic Admission Control", sections "Matching requests".
"""

from collections.abc import Mapping, Sequence

import msgspec

from apimachinery import labels
from apimachinery.kinds import (
    MutatingWebhook,
    MutatingWebhookConfiguration,
    RuleWithOperations,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
    WebhookClientConfig,
)
from apimachinery.kinds.meta import LabelSelector
from apimachinery.resources import Resource
from apiserver.core.backends import Backend, ca_bundle
from apiserver.core.match_conditions import Conditions

EXEMPT_GROUP = "admissionregistration.k8s.io"
"""No webhook decides about webhooks and policies: a wrong one could not be taken back."""


class Hook(msgspec.Struct, frozen=True):
    """One webhook, compiled.

    key: its configuration and its place there; mutating: whether it may change objects; *_selector: None selects everything;
    fails_open: its failures do not matter; dry_run: whether a request that stores nothing may be sent to it.
    """

    key: tuple[str, int]
    name: str
    mutating: bool
    backend: Backend
    timeout_s: float
    fails_open: bool
    dry_run: bool
    reinvoked: bool
    equivalent: bool
    rules: tuple[RuleWithOperations, ...]
    namespace_selector: labels.Selector | None
    object_selector: labels.Selector | None
    conditions: Conditions


def compile_configuration(configuration: ValidatingWebhookConfiguration | MutatingWebhookConfiguration) -> list[Hook]:
    """The webhooks of a stored configuration, in their order."""
    webhooks: Sequence[ValidatingWebhook | MutatingWebhook] = configuration.webhooks
    return [_compile(configuration.metadata.name, index, webhook) for index, webhook in enumerate(webhooks)]


def matched_row(hook: Hook, operation: str, row: Resource, subresource: str, same: Sequence[Resource]) -> Resource | None:
    """The row in whose form a webhook is told of such a request, None when it is not.

    That of the request where a rule names it; else, for a webhook that takes equivalent ones, the first of `same`, the
    rows that show the same stored objects.
    """
    if row.group == EXEMPT_GROUP:
        return None
    for candidate in (row, *(same if hook.equivalent else ())):
        if any(_rule_matches(rule, operation, candidate, subresource) for rule in hook.rules):
            return candidate
    return None


def selects(hook: Hook, *, namespace: Mapping[str, str] | None, objects: Sequence[Mapping[str, str] | None]) -> bool:
    """Whether both selectors of a webhook let it be called.

    namespace: the labels of the object's namespace, None for an object in none; objects: the labels of the object and
    of its state before, each None where there is none.
    """
    if hook.namespace_selector is not None and namespace is not None and not hook.namespace_selector.matches(namespace):
        return False
    selector = hook.object_selector
    return selector is None or any(each is not None and selector.matches(each) for each in objects)


def _compile(configuration: str, index: int, webhook: ValidatingWebhook | MutatingWebhook) -> Hook:
    mutating = isinstance(webhook, MutatingWebhook)
    return Hook(
        key=(configuration, index),
        name=webhook.name,
        mutating=mutating,
        backend=_backend(webhook.client_config),
        timeout_s=float(webhook.timeout_seconds or 10),
        fails_open=webhook.failure_policy == "Ignore",
        dry_run=webhook.side_effects in ("None", "NoneOnDryRun"),
        reinvoked=isinstance(webhook, MutatingWebhook) and webhook.reinvocation_policy == "IfNeeded",
        equivalent=webhook.match_policy != "Exact",
        rules=tuple(webhook.rules),
        namespace_selector=_selector(webhook.namespace_selector),
        object_selector=_selector(webhook.object_selector),
        conditions=Conditions([(each.name, each.expression) for each in webhook.match_conditions]),
    )


def _selector(selector: LabelSelector | None) -> labels.Selector | None:
    if selector is None or not (selector.match_labels or selector.match_expressions):
        return None
    return labels.from_struct(selector)


def _backend(config: WebhookClientConfig) -> Backend:
    bundle = ca_bundle(config.ca_bundle) or b""
    service = config.service
    if service is None:
        return Backend(url=config.url, ca_bundle=bundle)
    return Backend(
        namespace=service.namespace, service=service.name, port=service.port or 443, path=service.path, ca_bundle=bundle
    )


def _rule_matches(rule: RuleWithOperations, operation: str, row: Resource, subresource: str) -> bool:
    return (
        _has(rule.operations, operation)
        and _has(rule.api_groups, row.group)
        and _has(rule.api_versions, row.version)
        and rule.scope in ("", "*", "Namespaced" if row.namespaced else "Cluster")
        and any(_resource_matches(pattern, row.plural, subresource) for pattern in rule.resources)
    )


def _has(patterns: Sequence[str], value: str) -> bool:
    return "*" in patterns or value in patterns


def _resource_matches(pattern: str, plural: str, subresource: str) -> bool:
    name, _, below = pattern.partition("/")
    return name in ("*", plural) and below in ("*", subresource)
