"""Conversion of custom resources by webhooks; see `core.conversions`."""

import base64
import binascii
import random
from collections.abc import Sequence
from typing import Any

from apimachinery import errors
from apimachinery.kinds import CustomResourceDefinition
from apimachinery.kinds.extensions import WebhookClientConfig
from apiserver.core import conversions
from apiserver.core.conversions import ConversionError
from apiserver.core.custom import Converter, Renaming
from apiserver.core.naming import new_uid
from apiserver.ports import Backend, BackendError, Backends

TIMEOUT_S = 30.0
OBJECTS_MAX = 100
"""More are asked for in several calls."""


class Webhook:
    """See `core.custom.Converter`."""

    def __init__(self, backends: Backends, backend: Backend, rng: random.Random) -> None:
        self._backends = backends
        self._backend = backend
        self._rng = rng

    async def convert(self, objects: Sequence[dict[str, Any]], api_version: str) -> Sequence[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for first in range(0, len(objects), OBJECTS_MAX):
            found += await self._convert(objects[first : first + OBJECTS_MAX], api_version)
        return found

    async def _convert(self, objects: Sequence[dict[str, Any]], api_version: str) -> list[dict[str, Any]]:
        uid = new_uid(self._rng)
        question = conversions.review_of(objects, api_version, uid)
        try:
            answer = await self._backends.post(self._backend, question, timeout_s=TIMEOUT_S)
            return conversions.converted(answer, uid, objects, api_version)
        except (BackendError, ConversionError) as error:
            about = f"{objects[0].get('apiVersion', '')}, Kind={objects[0].get('kind', '')}"
            raise errors.internal(f"conversion webhook for {about} failed: {error}") from error


class Broken:
    """A converter that cannot be asked, because of what its definition says."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def convert(self, objects: Sequence[dict[str, Any]], api_version: str) -> Sequence[dict[str, Any]]:
        raise errors.internal(f"conversion webhook failed: {self._why}")


def converter_of(definition: CustomResourceDefinition, backends: Backends, rng: random.Random) -> Converter:
    """The converter that a definition asks for."""
    conversion = definition.spec.conversion
    if conversion is None or conversion.strategy != "Webhook":
        return Renaming()
    config = conversion.webhook.client_config if conversion.webhook is not None else None
    if config is None:
        return Broken("the definition names no server")
    try:
        return Webhook(backends, backend_of(config), rng)
    except ConversionError as error:
        return Broken(str(error))


def backend_of(config: WebhookClientConfig) -> Backend:
    """Where a webhook is asked; raises ConversionError for certificates that are none."""
    try:
        bundle = base64.b64decode(config.ca_bundle)
    except (binascii.Error, ValueError) as error:
        raise ConversionError(f"the caBundle is not base64: {error}") from error
    service = config.service
    if service is None:
        return Backend(url=config.url, ca_bundle=bundle)
    return Backend(
        namespace=service.namespace, service=service.name, port=service.port or 443, path=service.path, ca_bundle=bundle
    )
