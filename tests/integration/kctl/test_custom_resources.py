"""kctl with custom resources: whatever the server lists works like a built-in kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.integration.kctl.conftest import Result
from tests.support.custom import GROUP, crontab, definition

NAME = f"crontabs.{GROUP}"


def test_the_life_of_a_custom_resource(kctl: Callable[..., Result], tmp_path: Path) -> None:
    crd, tab = tmp_path / "crd.json", tmp_path / "tab.json"
    crd.write_text(json.dumps(definition()))
    tab.write_text(json.dumps(crontab("mine")))
    applied = kctl("apply", "-f", str(crd))
    assert applied.out == f"customresourcedefinition.apiextensions.k8s.io/{NAME} created\n", applied
    waited = kctl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=20s")
    assert waited.out == f"customresourcedefinition.apiextensions.k8s.io/{NAME} condition met\n", waited
    assert kctl("apply", "-f", str(crd)).out.endswith(" unchanged\n")
    listed = kctl("get", "crd").out.splitlines()
    assert (listed[0].split(), listed[1].split()[0]) == (["NAME", "CREATED", "AT"], NAME)
    assert f"crontabs   ct           {GROUP}/v1   true         CronTab" in kctl("api-resources", f"--api-group={GROUP}").out

    assert kctl("apply", "-f", str(tab)).out == f"crontab.{GROUP}/mine created\n"
    assert kctl("apply", "-f", str(tab)).out == f"crontab.{GROUP}/mine unchanged\n"
    assert kctl("apply", "--server-side", "-f", str(tab)).out == f"crontab.{GROUP}/mine serverside-applied\n"
    lines = kctl("get", "ct", "-o", "wide").out.splitlines()
    assert lines[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert lines[1].startswith("mine   * * * * */5   2 ")
    assert kctl("get", "ct", "mine", "-o", "jsonpath={.spec.replicas}").out == "2"
    assert kctl("scale", "crontab/mine", "--replicas=5").out == f"crontab.{GROUP}/mine scaled\n"
    assert kctl("patch", "ct", "mine", "--type=merge", "-p", '{"spec":{"size":"small"}}').out.endswith("mine patched\n")
    assert kctl("wait", "ct/mine", "--for=jsonpath={.spec.size}=small", "--timeout=5s").code == 0
    assert "Kind:         CronTab" in kctl("describe", "ct", "mine").out
    explained = kctl("explain", "crontab.spec").out
    assert "cronSpec\t<string>\n    When it runs." in explained, explained
    refused = kctl("patch", "ct", "mine", "--type=merge", "-p", '{"spec":{"replicas":"string"}}')
    assert 'spec.replicas in body must be of type integer: "string"' in refused.err, refused
    assert kctl("delete", "-f", str(tab)).out == f'crontab.{GROUP} "mine" deleted\n'
    assert kctl("delete", "crd", NAME).out == f'customresourcedefinition.apiextensions.k8s.io "{NAME}" deleted\n'
    assert "the server doesn't have a resource type" in kctl("get", "ct").err
