"""Configurations of admission webhooks.

Source: the Kubernetes page "Dynamic Admission Control" and the API reference of both configurations.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    MutatingWebhook,
    MutatingWebhookConfiguration,
    NamedRuleWithOperations,
    RuleWithOperations,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
    WebhookClientConfig,
)
from apimachinery.kinds.meta import LabelSelector
from apiserver.core.match_conditions import compile_condition
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, one_of, optional_one_of, unique
from apiserver.strategy.client_configs import validate_ca_bundle, validate_service, validate_url
from apiserver.strategy.expressions import validate_match_conditions
from apiserver.strategy.selectors import validate_label_selector

REVIEW_VERSIONS = ("v1",)
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
SIDE_EFFECTS = ("None", "NoneOnDryRun")
REINVOCATION_POLICIES = ("IfNeeded", "Never")
TIMEOUT_SECONDS_MAX = 30

Webhook = ValidatingWebhook | MutatingWebhook
ConfigurationT = TypeVar("ConfigurationT", ValidatingWebhookConfiguration, MutatingWebhookConfiguration)


class _ConfigurationStrategy(Strategy[ConfigurationT]):
    has_generation = True

    def default(self, obj: ConfigurationT) -> None:
        for webhook in obj.webhooks:
            _default(webhook)

    def check(self, obj: ConfigurationT) -> Iterator[FieldError]:
        yield from unique("webhooks", (webhook.name for webhook in obj.webhooks), ".name")
        for index, webhook in enumerate(obj.webhooks):
            yield from _validate_webhook(webhook, f"webhooks[{index}]")

    def specification(self, obj: ConfigurationT) -> Any:
        return obj.webhooks


class ValidatingWebhookConfigurationStrategy(_ConfigurationStrategy[ValidatingWebhookConfiguration]):
    pass


class MutatingWebhookConfigurationStrategy(_ConfigurationStrategy[MutatingWebhookConfiguration]):
    pass


def _default(webhook: Webhook) -> None:
    webhook.failure_policy = webhook.failure_policy or "Fail"
    webhook.match_policy = webhook.match_policy or "Equivalent"
    if webhook.namespace_selector is None:
        webhook.namespace_selector = LabelSelector()
    if webhook.object_selector is None:
        webhook.object_selector = LabelSelector()
    if webhook.timeout_seconds is None:
        webhook.timeout_seconds = 10
    if isinstance(webhook, MutatingWebhook):
        webhook.reinvocation_policy = webhook.reinvocation_policy or "Never"
    service = webhook.client_config.service
    if service is not None and service.port is None:
        service.port = 443
    for rule in webhook.rules:
        rule.scope = rule.scope or "*"


def _validate_webhook(webhook: Webhook, path: str) -> Errors:
    yield from validate_webhook_name(f"{path}.name", webhook.name)
    yield from _validate_review_versions(webhook.admission_review_versions, f"{path}.admissionReviewVersions")
    for index, rule in enumerate(webhook.rules):
        yield from validate_rule(rule, f"{path}.rules[{index}]")
    yield from optional_one_of(f"{path}.failurePolicy", webhook.failure_policy, FAILURE_POLICIES)
    yield from optional_one_of(f"{path}.matchPolicy", webhook.match_policy, MATCH_POLICIES)
    yield from one_of(f"{path}.sideEffects", webhook.side_effects, SIDE_EFFECTS)
    timeout_s = webhook.timeout_seconds
    if timeout_s is not None and not 1 <= timeout_s <= TIMEOUT_SECONDS_MAX:
        detail = f"the timeout value must be between 1 and {TIMEOUT_SECONDS_MAX} seconds"
        yield FieldError.invalid(f"{path}.timeoutSeconds", timeout_s, detail)
    yield from validate_label_selector(webhook.namespace_selector, f"{path}.namespaceSelector")
    yield from validate_label_selector(webhook.object_selector, f"{path}.objectSelector")
    if isinstance(webhook, MutatingWebhook):
        yield from optional_one_of(f"{path}.reinvocationPolicy", webhook.reinvocation_policy, REINVOCATION_POLICIES)
    yield from _validate_client(webhook.client_config, f"{path}.clientConfig")
    yield from validate_match_conditions(webhook.match_conditions, compile_condition, f"{path}.matchConditions")


def validate_webhook_name(path: str, name: str) -> Errors:
    """A domain name of three segments or more: `imagepolicy.example.com`."""
    if not name:
        yield FieldError.required(path)
        return
    problems = names.dns_1123_subdomain(name)
    for problem in problems:
        yield FieldError.invalid(path, name, problem)
    if not problems and name.count(".") < 2:
        yield FieldError.invalid(path, name, "should be a domain with at least three segments separated by dots")


def validate_rule(rule: RuleWithOperations | NamedRuleWithOperations, path: str) -> Errors:
    """Operations, groups, versions and resources: one of each at least, and `*` alone."""
    if not rule.operations:
        yield FieldError.required(f"{path}.operations")
    for index, operation in enumerate(rule.operations):
        yield from one_of(f"{path}.operations[{index}]", operation, OPERATIONS)
    yield from _alone(f"{path}.operations", rule.operations, "operations")
    if not rule.api_groups:
        yield FieldError.required(f"{path}.apiGroups")
    yield from _alone(f"{path}.apiGroups", rule.api_groups, "API groups")
    if not rule.api_versions:
        yield FieldError.required(f"{path}.apiVersions")
    yield from _alone(f"{path}.apiVersions", rule.api_versions, "API versions")
    for index, version in enumerate(rule.api_versions):
        if not version:
            yield FieldError.required(f"{path}.apiVersions[{index}]")
    yield from _validate_resources(rule.resources, f"{path}.resources")
    yield from optional_one_of(f"{path}.scope", rule.scope, SCOPES)


def _alone(path: str, values: Sequence[str], what: str) -> Errors:
    if "*" in values and len(values) > 1:
        yield FieldError.invalid(path, list(values), f"if '*' is present, must not specify other {what}")


def _validate_review_versions(versions: Sequence[str], path: str) -> Errors:
    if not versions:
        yield FieldError.required(path, f"must specify one of {', '.join(REVIEW_VERSIONS)}")
        return
    for index, version in enumerate(versions):
        for problem in names.dns_1035_label(version):
            yield FieldError.invalid(f"{path}[{index}]", version, problem)
    if len(set(versions)) < len(versions):
        yield FieldError.invalid(path, list(versions), "must not contain duplicates")
    if not set(versions) & set(REVIEW_VERSIONS):
        yield FieldError.invalid(path, list(versions), f"must include at least one of {', '.join(REVIEW_VERSIONS)}")


def _validate_resources(resources: Sequence[str], path: str) -> Errors:
    """`pods`, `pods/status`, `pods/*`, `*/status`, `*`, `*/*`: none that another one includes."""
    if not resources:
        yield FieldError.required(path)
    all_below: set[str] = set()
    below_all: set[str] = set()
    for index, text in enumerate(resources):
        where = f"{path}[{index}]"
        if not text:
            yield FieldError.required(where)
        if text in ("", "*", "*/*") or "/" not in text:
            continue
        name, _, subresource = text.partition("/")
        if name in all_below:
            yield FieldError.invalid(where, text, f"if '{name}/*' is present, must not specify {text}")
        if subresource in below_all:
            yield FieldError.invalid(where, text, f"if '*/{subresource}' is present, must not specify {text}")
        if subresource == "*":
            all_below.add(name)
        if name == "*":
            below_all.add(subresource)
    if "*/*" in resources and len(resources) > 1:
        yield FieldError.invalid(path, list(resources), "if '*/*' is present, must not specify other resources")
    if "*" in resources and any(text and text != "*" and "/" not in text for text in resources):
        detail = "if '*' is present, must not specify other resources without subresources"
        yield FieldError.invalid(path, list(resources), detail)


def _validate_client(config: WebhookClientConfig, path: str) -> Errors:
    service = config.service
    if bool(config.url) == (service is not None):
        yield FieldError.required(path, "exactly one of url or service is required")
    elif service is not None:
        yield from validate_service(
            f"{path}.service", name=service.name, namespace=service.namespace, url_path=service.path, port=service.port
        )
    else:
        yield from validate_url(f"{path}.url", config.url)
    yield from validate_ca_bundle(f"{path}.caBundle", config.ca_bundle)
