"""Versions of one kind that a webhook converts: over both storages, with a real HTTPS server that does it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.apiserver.conftest import Rest
from tests.integration.apiserver.test_custom_resources import DEFINITIONS, MERGE, PLACE, becomes, gone, served
from tests.support.custom import GROUP, crontab, definition, version
from tests.support.https_server import Reply, https_server
from tests.support.throwaway_ca import ThrowawayCa

OLD = f"/apis/{GROUP}/v1beta1/namespaces/default/crontabs"
NAME = f"crontabs.{GROUP}"

Plain = dict[str, Any]


class Webhook:
    """v1beta1 calls the image `picture`. `says` is put in the place of the answer; `asked` counts."""

    def __init__(self) -> None:
        self.config: Plain = {}
        self.asked = 0
        self.says: Plain | None = None

    async def answer(self, path: str, body: bytes) -> Reply:
        self.asked += 1
        request = json.loads(body)["request"]
        made = [self._convert(each, request["desiredAPIVersion"]) for each in request["objects"]]
        response = {"uid": request["uid"], "convertedObjects": made, "result": {"status": "Success"}, **(self.says or {})}
        review = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}
        return Reply(body=json.dumps(review).encode())

    @staticmethod
    def _convert(obj: Plain, wanted: str) -> Plain:
        spec = dict(obj["spec"])
        old, new = ("image", "picture") if wanted.endswith("v1beta1") else ("picture", "image")
        if old in spec:
            spec[new] = spec.pop(old)
        return {**obj, "apiVersion": wanted, "spec": spec}


@pytest.fixture
async def webhook(tmp_path: Path) -> AsyncIterator[Webhook]:
    ca, hook = ThrowawayCa(tmp_path / "hooks"), Webhook()
    async with https_server(ca, hook.answer) as server:
        bundle = base64.b64encode(ca.ca.read_bytes()).decode()
        hook.config = {"url": f"https://127.0.0.1:{server.port}/convert", "caBundle": bundle}
        yield hook


def converted(webhook: Webhook, *, storage: str = "v1") -> Plain:
    beta = version("v1beta1", storage=storage == "v1beta1", selectableFields=[])
    spec = beta["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["picture"] = spec["properties"].pop("image")
    spec["required"] = ["picture"]
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": webhook.config, "conversionReviewVersions": ["v1"]}}
    return definition(version("v1", storage=storage == "v1"), beta, conversion=conversion)


async def test_every_way_in_and_out_is_converted(rest: Rest, webhook: Webhook) -> None:
    await served(rest, converted(webhook))
    tab = crontab(api_version=f"{GROUP}/v1beta1", picture="p:1")
    del tab["spec"]["image"]
    made = await rest("POST", OLD, tab)
    assert (made.status, made.body["apiVersion"], made.body["spec"]["picture"]) == (201, f"{GROUP}/v1beta1", "p:1")
    before = webhook.asked
    assert (await rest("GET", PLACE + "/a")).body["spec"]["image"] == "p:1"
    assert webhook.asked == before, "what is stored is shown as it is"
    assert [each["spec"]["picture"] for each in (await rest("GET", OLD)).body["items"]] == ["p:1"]
    refused = await rest("POST", OLD, crontab("b", api_version=f"{GROUP}/v1beta1"))
    assert (refused.status, "spec.picture: Required value" in refused.body["message"]) == (422, True)
    patched = await rest("PATCH", OLD + "/a", {"spec": {"picture": "p:2"}}, Content_Type=MERGE)
    assert (patched.body["spec"]["picture"], patched.body["metadata"]["generation"]) == ("p:2", 2)
    unchanged = await rest("PATCH", OLD + "/a", {"spec": {"picture": "p:2"}}, Content_Type=MERGE)
    assert unchanged.body["metadata"]["resourceVersion"] == patched.body["metadata"]["resourceVersion"]
    assert (await rest("PATCH", OLD + "/a/scale", {"spec": {"replicas": 4}}, Content_Type=MERGE)).body["spec"] == {
        "replicas": 4
    }
    table = await rest("GET", OLD, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table.body["rows"][0]["cells"][:3] == ["a", "* * * * */5", 4]


async def test_watches_are_converted(rest: Rest, webhook: Webhook, server: Any) -> None:
    await served(rest, converted(webhook))
    async with server.session() as session, session.get(server.url + OLD + "?watch=true") as response:
        await rest("POST", PLACE, crontab())
        event = json.loads(await asyncio.wait_for(response.content.readline(), 10))
    assert (event["type"], event["object"]["spec"]["picture"]) == ("ADDED", "registry.local/a:1")


async def test_what_was_stored_in_another_version_is_converted_when_read(rest: Rest, webhook: Webhook) -> None:
    await served(rest, converted(webhook, storage="v1beta1"))
    await rest("POST", PLACE, crontab())
    now = (await rest("GET", f"{DEFINITIONS}/{NAME}")).body
    now["spec"] = converted(webhook)["spec"]
    assert (await rest("PUT", f"{DEFINITIONS}/{NAME}", now)).body["status"]["storedVersions"] == ["v1beta1", "v1"]
    await becomes(lambda: rest("GET", PLACE + "/a"), lambda answer: answer.status == 200 and "image" in answer.body["spec"])
    assert (await rest("GET", OLD + "/a")).body["spec"]["picture"] == "registry.local/a:1"
    changed = await rest("PATCH", PLACE + "/a", {"spec": {"image": "new:1"}}, Content_Type=MERGE)
    assert (changed.status, changed.body["spec"]["image"]) == (200, "new:1")
    await rest("DELETE", f"{DEFINITIONS}/{NAME}")
    await gone(rest, f"{DEFINITIONS}/{NAME}")


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ({"result": {"status": "Failed", "message": "not today"}}, "not today"),
        ({"convertedObjects": []}, "expected 1 converted objects, got 0"),
        ({"uid": "other"}, 'got "other"'),
    ],
)
async def test_an_answer_that_does_not_count(rest: Rest, webhook: Webhook, says: Plain, sentence: str) -> None:
    await served(rest, converted(webhook))
    await rest("POST", PLACE, crontab())
    webhook.says = says
    refused = await rest("GET", OLD + "/a")
    assert (refused.status, "conversion webhook for" in refused.body["message"]) == (500, True)
    assert sentence in refused.body["message"]
    assert (await rest("GET", PLACE + "/a")).status == 200
    assert (await rest("PATCH", OLD + "/a", {"spec": {}}, Content_Type=MERGE)).status == 500


async def test_only_labels_and_annotations_are_taken_from_the_metadata(rest: Rest, webhook: Webhook) -> None:
    await served(rest, converted(webhook))
    made = (await rest("POST", PLACE, crontab())).body
    changed = Webhook._convert(made, f"{GROUP}/v1beta1")
    changed["metadata"] = {**made["metadata"], "labels": {"by": "webhook"}, "finalizers": ["example.com/no"], "generation": 9}
    webhook.says = {"convertedObjects": [changed]}
    shown = (await rest("GET", OLD + "/a")).body["metadata"]
    assert (shown["labels"], shown["generation"], "finalizers" in shown) == ({"by": "webhook"}, 1, False)
    changed["metadata"]["name"] = "other"
    assert (await rest("GET", OLD + "/a")).status == 500
