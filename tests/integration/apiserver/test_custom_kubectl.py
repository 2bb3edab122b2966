"""Custom resources with a real kubectl (1.20): definitions are applied, objects applied, listed, explained, scaled."""

from __future__ import annotations

import json

from tests.integration.apiserver.test_kubectl import Kubectl, kubectl
from tests.support.custom import GROUP, crontab, definition

__all__ = ["kubectl"]

NAME = f"crontabs.{GROUP}"


async def test_the_life_of_a_custom_resource(kubectl: Kubectl) -> None:
    crd, tab = json.dumps(definition()), json.dumps(crontab("mine"))
    applied = await kubectl("apply", "-f", "-", stdin=crd)
    assert applied.out == f"customresourcedefinition.apiextensions.k8s.io/{NAME} created\n", applied
    waited = await kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=20s")
    assert "condition met" in waited.out, waited
    assert (
        await kubectl("apply", "-f", "-", stdin=crd)
    ).out == f"customresourcedefinition.apiextensions.k8s.io/{NAME} unchanged\n"
    rows = [line.split() for line in (await kubectl("api-resources", f"--api-group={GROUP}")).out.splitlines()]
    assert rows[1:] == [["crontabs", "ct", f"{GROUP}/v1", "true", "CronTab"]]

    for change, complaint in ((("cronSpec", "cronSpecs"), "unknown field"), (('"mine"', "[]"), "invalid")):
        refused = await kubectl("apply", "-f", "-", stdin=tab.replace(*change))
        assert (refused.code, complaint in refused.err) == (1, True), refused
    assert (await kubectl("apply", "-f", "-", stdin=tab)).out == f"crontab.{GROUP}/mine created\n"
    assert (await kubectl("apply", "-f", "-", stdin=tab)).out == f"crontab.{GROUP}/mine unchanged\n"
    short = (await kubectl("get", "ct")).out.splitlines()
    assert (short[0].split(), short[1].split()[0]) == (["NAME", "SPEC", "AGE"], "mine")
    wide = (await kubectl("get", "ct", "-o", "wide")).out.splitlines()
    assert wide[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert "crontab.stable.example.com/mine" in (await kubectl("get", "all")).out

    explained = (await kubectl("explain", "crontab.spec")).out
    assert "   cronSpec\t<string>\n     When it runs.\n" in explained, explained
    assert "   image\t<string> -required-\n" in explained
    assert (await kubectl("scale", "crontab/mine", "--replicas=5")).out == f"crontab.{GROUP}/mine scaled\n"
    patched = await kubectl("patch", "ct", "mine", "--type=merge", "-p", '{"spec":{"size":"small"}}')
    assert patched.out == f"crontab.{GROUP}/mine patched\n", patched
    spec = json.loads((await kubectl("get", "ct", "mine", "-o", "json")).out)["spec"]
    assert (spec["replicas"], spec["size"]) == (5, "small")
    described = (await kubectl("describe", "ct", "mine")).out
    assert "Kind:         CronTab" in described, described
    assert (await kubectl("label", "ct", "mine", "a=b")).code == 0
    invalid = await kubectl("patch", "ct", "mine", "--type=merge", "-p", '{"spec":{"replicas":"string"}}')
    assert (invalid.code, 'spec.replicas in body must be of type integer: "string"' in invalid.err) == (1, True), invalid

    assert (await kubectl("delete", "crd", NAME)).out == f'customresourcedefinition.apiextensions.k8s.io "{NAME}" deleted\n'
    gone = await kubectl("get", "ct")  # it remembers the discovery for a while
    assert (gone.code, "could not find the requested resource" in gone.err) == (1, True), gone
