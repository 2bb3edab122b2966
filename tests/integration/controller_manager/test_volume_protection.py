"""Claims and volumes in use are kept; over an imitated API, in virtual time, with crashes around every write."""

from __future__ import annotations

from typing import Any

import pytest

from apiclient.client import Client
from apiclient.transport import Verb
from apimachinery.codec import convert
from apimachinery.kinds import PersistentVolume, PersistentVolumeClaim, Pod
from controller_manager.volume_protection.controller import ClaimProtectionController, VolumeProtectionController
from tests.support.controllers import CrashingTransport, Stage

pytestmark = pytest.mark.looptime
CLAIM, VOLUME = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"


def stage() -> Stage:
    return Stage(lambda context: [ClaimProtectionController(context), VolumeProtectionController(context)])


def claim(name: str, *finalizers: str) -> PersistentVolumeClaim:
    meta = {"name": name, "namespace": "default", "finalizers": list(finalizers)}
    return convert(PersistentVolumeClaim, {"metadata": meta})


def volume(name: str, phase: str, *finalizers: str) -> PersistentVolume:
    return convert(PersistentVolume, {"metadata": {"name": name, "finalizers": list(finalizers)}, "status": {"phase": phase}})


def pod(name: str, source: dict[str, Any], node: str = "n", phase: str = "Running") -> Pod:
    spec = {"nodeName": node, "volumes": [{"name": "data", **source}]}
    return convert(Pod, {"metadata": {"name": name, "namespace": "default"}, "spec": spec, "status": {"phase": phase}})


def claimed(name: str) -> dict[str, Any]:
    return {"persistentVolumeClaim": {"claimName": name}}


async def test_a_claim_is_kept_until_the_last_pod_is_gone() -> None:
    scene = stage()
    scene.api.seed(claim("c", CLAIM), pod("a", claimed("c")), pod("over", claimed("c"), phase="Succeeded"))
    await scene.start()
    await Client(scene.api).delete(PersistentVolumeClaim, "c", "default")
    for name in ("a", "over"):
        await scene.settle()
        assert scene.api.find(PersistentVolumeClaim, "c", "default") is not None
        scene.api.remove(Pod, name, "default")
    await scene.until(lambda: scene.api.find(PersistentVolumeClaim, "c", "default") is None)
    await scene.stop()


async def test_what_nobody_uses_goes_at_once() -> None:
    scene = stage()
    scene.api.seed(
        claim("c", CLAIM),
        volume("v", "Released", VOLUME),
        pod("elsewhere", claimed("other")),
        pod("not-placed", claimed("c"), node=""),
    )
    await scene.start()
    await Client(scene.api).delete(PersistentVolumeClaim, "c", "default")
    await Client(scene.api).delete(PersistentVolume, "v")
    await scene.until(lambda: not scene.api.objects(PersistentVolumeClaim) and not scene.api.objects(PersistentVolume))
    await scene.stop()


async def test_an_ephemeral_claim_is_used_by_its_pod() -> None:
    scene = stage()
    scene.api.seed(claim("p-data", CLAIM), pod("p", {"ephemeral": {}}))
    await scene.start()
    await Client(scene.api).delete(PersistentVolumeClaim, "p-data", "default")
    await scene.settle()
    assert scene.api.find(PersistentVolumeClaim, "p-data", "default") is not None
    scene.api.remove(Pod, "p", "default")
    await scene.until(lambda: scene.api.find(PersistentVolumeClaim, "p-data", "default") is None)
    await scene.stop()


async def test_a_bound_volume_is_kept_until_it_is_released() -> None:
    scene = stage()
    scene.api.seed(volume("v", "Bound", VOLUME, "example.com/mine"))
    await scene.start()
    await Client(scene.api).delete(PersistentVolume, "v")
    await scene.settle()
    kept = scene.api.find(PersistentVolume, "v")
    assert kept is not None
    assert kept.metadata.finalizers == [VOLUME, "example.com/mine"]
    kept.status.phase = "Released"
    scene.api.put(kept)
    await scene.until(lambda: _finalizers(scene) == ["example.com/mine"])  # what is another's stays
    await scene.stop()


async def test_what_was_made_without_protection_gets_it_once() -> None:
    scene = stage()
    scene.api.seed(claim("c"), volume("v", "Available"))
    await scene.start()
    await scene.until(lambda: _finalizers(scene) == [VOLUME])
    await scene.until(lambda: [each.metadata.finalizers for each in scene.api.objects(PersistentVolumeClaim)] == [[CLAIM]])
    await scene.settle()
    assert len(scene.writes(Verb.UPDATE, "persistentvolumeclaims")) == 1
    await scene.restart()
    await scene.settle()
    assert len(scene.writes(Verb.UPDATE, "persistentvolumeclaims")) == 1
    await scene.stop()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2])
async def test_a_crash_around_any_write_loses_nothing(at: int, after: bool) -> None:
    scene = stage()
    scene.api.seed(claim("c"), pod("p", claimed("c")))
    await scene.start(CrashingTransport(scene.api, at=at, after=after))
    if at == 1:
        await scene.settle()
        await scene.restart()
    await scene.until(lambda: [each.metadata.finalizers for each in scene.api.objects(PersistentVolumeClaim)] == [[CLAIM]])
    await Client(scene.api).delete(PersistentVolumeClaim, "c", "default")
    await scene.settle()
    assert scene.api.objects(PersistentVolumeClaim)
    scene.api.remove(Pod, "p", "default")
    if at == 2:
        await scene.settle()
        await scene.restart()
    await scene.until(lambda: not scene.api.objects(PersistentVolumeClaim))
    await scene.stop()


def _finalizers(scene: Stage) -> list[str]:
    found = scene.api.find(PersistentVolume, "v")
    return found.metadata.finalizers if found is not None else ["gone"]
