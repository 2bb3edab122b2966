"""Webhooks as the API server works with them, and which requests each one is about.

A configuration is compiled once, when it is first seen: selectors, conditions and the server's address are ready to be used.
Of the rules, what depends on the operation and the resource alone is decided by `matched_row`, whose answers can be kept;
selectors and conditions look at the objects of each request.

Source: the Kubernetes page "Dynamic Admission Control", sections "Matching requests".
"""

from collections.abc import Sequence

import msgspec

from apimachinery import labels
from apimachinery.kinds import (
    MutatingWebhook,
    MutatingWebhookConfiguration,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
    WebhookClientConfig,
)
from apimachinery.resources import Resource
from apiserver.core import admission_rules
from apiserver.core.admission_rules import Labels, Matcher, webhook_matcher
from apiserver.core.backends import Backend, ca_bundle
from apiserver.core.match_conditions import Conditions


class Hook(msgspec.Struct, frozen=True):
    """One webhook, compiled.

    key: its configuration and its place there; mutating: whether it may change objects; fails_open: its failures do not
    matter; dry_run: whether a request that stores nothing may be sent to it.
    """

    key: tuple[str, int]
    name: str
    mutating: bool
    backend: Backend
    timeout_s: float
    fails_open: bool
    dry_run: bool
    reinvoked: bool
    matcher: Matcher
    conditions: Conditions

    @property
    def namespace_selector(self) -> labels.Selector | None:
        """None selects everything."""
        return self.matcher.namespace_selector


def compile_configuration(configuration: ValidatingWebhookConfiguration | MutatingWebhookConfiguration) -> list[Hook]:
    """The webhooks of a stored configuration, in their order."""
    webhooks: Sequence[ValidatingWebhook | MutatingWebhook] = configuration.webhooks
    return [_compile(configuration.metadata.name, index, webhook) for index, webhook in enumerate(webhooks)]


def matched_row(hook: Hook, operation: str, row: Resource, subresource: str, same: Sequence[Resource]) -> Resource | None:
    """The row in whose form a webhook is told of such a request, None when it is not; see `admission_rules`."""
    return admission_rules.matched_row(hook.matcher, operation, row, subresource, same)


def selects(hook: Hook, *, namespace: Labels, objects: Sequence[Labels]) -> bool:
    """Whether both selectors of a webhook let it be called; see `admission_rules`."""
    return admission_rules.selects(hook.matcher, namespace=namespace, objects=objects)


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
        matcher=webhook_matcher(webhook),
        conditions=Conditions([(each.name, each.expression) for each in webhook.match_conditions]),
    )


def _backend(config: WebhookClientConfig) -> Backend:
    bundle = ca_bundle(config.ca_bundle) or b""
    service = config.service
    if service is None:
        return Backend(url=config.url, ca_bundle=bundle)
    return Backend(
        namespace=service.namespace, service=service.name, port=service.port or 443, path=service.path, ca_bundle=bundle
    )
