"""Owner references, namespaces and quotas of custom objects, as their kinds come and go; against the API server's own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.custom_rows import rows_of
from apimachinery.errors import ApiError, is_not_found
from apimachinery.kinds import ConfigMap, CustomResourceDefinition, Namespace, ObjectMeta, OwnerReference, ResourceQuota
from apimachinery.kinds.custom import Custom
from tests.integration.controller_manager.test_with_api_server import Cluster, cluster
from tests.support.custom import GROUP, crontab, definition

pytestmark = pytest.mark.looptime


async def defined(world: Cluster) -> type[Custom]:
    """Define CronTabs; their class."""
    await world.client.create(codec.convert(CustomResourceDefinition, definition()))

    async def established() -> Any:
        return rows_of(await world.client.get(CustomResourceDefinition, f"crontabs.{GROUP}"))

    await world.until(established)
    cls: type[Custom] = (await established())[0].cls  # type: ignore[assignment]
    return cls


def owned_by(owner: Any) -> OwnerReference:
    return OwnerReference(api_version=owner.api_version, kind=owner.kind, name=owner.metadata.name, uid=owner.metadata.uid)


async def is_gone(world: Cluster, cls: Any, name: str, namespace: str = "default") -> bool:
    try:
        await world.client.get(cls, name, namespace)
    except ApiError as error:
        if not is_not_found(error):
            raise
        return True
    return False


async def test_owner_references_to_and_from_custom_objects(tmp_path: Path) -> None:
    async with cluster(tmp_path) as world:
        cls = await defined(world)
        tab = await world.client.create(codec.convert(cls, crontab()), "default")
        owned = ConfigMap(metadata=ObjectMeta(name="owned", namespace="default", owner_references=[owned_by(tab)]))
        owner = await world.client.create(owned)
        child = codec.convert(cls, crontab("child"))
        child.metadata.owner_references = [owned_by(owner)]
        await world.client.create(child, "default")
        await world.client.delete(cls, "a", "default", propagation_policy="Background")

        async def all_gone() -> bool:
            return await is_gone(world, ConfigMap, "owned") and await is_gone(world, cls, "child")

        await world.until(all_gone)


async def test_what_a_custom_object_owned_stays_when_it_is_orphaned(tmp_path: Path) -> None:
    async with cluster(tmp_path) as world:
        cls = await defined(world)
        tab = await world.client.create(codec.convert(cls, crontab()), "default")
        child = codec.convert(cls, crontab("child"))
        child.metadata.owner_references = [owned_by(tab)]
        await world.client.create(child, "default")
        await world.client.delete(cls, "a", "default", propagation_policy="Orphan")

        async def orphaned() -> bool:
            return not (await world.client.get(cls, "child", "default")).metadata.owner_references

        await world.until(orphaned)
        assert await is_gone(world, cls, "a")


async def test_what_was_owned_goes_with_the_kind(tmp_path: Path) -> None:
    async with cluster(tmp_path) as world:
        cls = await defined(world)
        tab = await world.client.create(codec.convert(cls, crontab()), "default")
        owned = ConfigMap(metadata=ObjectMeta(name="owned", namespace="default", owner_references=[owned_by(tab)]))
        await world.client.create(owned)
        await world.client.delete(CustomResourceDefinition, f"crontabs.{GROUP}")
        await world.until(lambda: is_gone(world, CustomResourceDefinition, f"crontabs.{GROUP}", ""))
        await world.until(lambda: is_gone(world, ConfigMap, "owned"))


async def test_a_namespace_takes_its_custom_objects_with_it(tmp_path: Path) -> None:
    async with cluster(tmp_path) as world:
        cls = await defined(world)
        await world.client.create(Namespace(metadata=ObjectMeta(name="going")))
        await world.client.create(codec.convert(cls, crontab()), "going")
        await world.client.delete(Namespace, "going")
        await world.until(lambda: is_gone(world, Namespace, "going", ""))
        assert (await world.client.list(cls)).items == []


async def test_quotas_count_custom_objects(tmp_path: Path) -> None:
    async with cluster(tmp_path) as world:
        cls = await defined(world)
        name = f"count/crontabs.{GROUP}"
        plain = {"metadata": {"name": "few", "namespace": "default"}, "spec": {"hard": {name: "2"}}}
        await world.client.create(codec.convert(ResourceQuota, plain))

        async def used(count: str) -> bool:
            quota = await world.client.get(ResourceQuota, "few", "default")
            return str(quota.status.used.get(name)) == count

        await world.until(lambda: used("0"))
        for each in ("a", "b"):
            await world.client.create(codec.convert(cls, crontab(each)), "default")
        with pytest.raises(ApiError, match="exceeded quota"):
            await world.client.create(codec.convert(cls, crontab("c")), "default")
        await world.client.delete(cls, "a", "default")
        await world.until(lambda: used("1"))
