"""What aggregated API servers hold in a namespace: found by their discovery, listed and deleted over their REST.

The API server carries the requests (`Client.carry`). Servers are asked as long as their APIService is available; what their
documents do not say can be listed and deleted is left alone.
Source: the Kubernetes pages "API Discovery" and "API Concepts".
"""

import asyncio
from collections.abc import Sequence

import msgspec

from apiclient.client import Client
from apimachinery import codec, errors
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds.meta import DeleteOptions, Preconditions
from controller_manager.namespace.core import Remains

BATCH = 100


class _Resource(msgspec.Struct):
    name: str = ""
    namespaced: bool = False
    verbs: list[str] = []


class _ResourceList(msgspec.Struct):
    resources: list[_Resource] = []


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    uid: str = ""
    deletion_timestamp: str | None = None
    finalizers: list[str] | None = None


class _Item(msgspec.Struct):
    metadata: _Meta


class _List(msgspec.Struct):
    items: list[_Item] | None = None


async def empty(client: Client, group_version: str, namespace: str, remains: Remains) -> None:
    """Delete what the servers of a group version hold in a namespace, and note in `remains` what is left, or went wrong."""
    try:
        plurals = _deletable(await client.carry("GET", f"/apis/{group_version}"))
    except ApiError as error:
        remains.errors.append(f"{group_version}: {error}")
        return
    await asyncio.gather(*(_empty_of(client, group_version, plural, namespace, remains) for plural in plurals))


async def _empty_of(client: Client, group_version: str, plural: str, namespace: str, remains: Remains) -> None:
    path, qualified = f"/apis/{group_version}/namespaces/{namespace}/{plural}", f"{plural}.{group_version.partition('/')[0]}"
    try:
        found = await _listed(client, path)
        if not found:
            return
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            await asyncio.gather(*(_delete(client, path, each) for each in batch if not each.deletion_timestamp))
        left = await _listed(client, path)
    except ApiError as error:
        remains.errors.append(f"{qualified}: {error}")
        return
    if left:
        remains.objects[qualified] += len(left)
        remains.finalizers.update(name for each in left for name in each.finalizers or ())


async def _listed(client: Client, path: str) -> Sequence[_Meta]:
    answer = await client.carry("GET", path)
    try:
        return [each.metadata for each in msgspec.json.decode(answer, type=_List).items or ()]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise errors.internal(f"{path} is no list: {error}") from error


async def _delete(client: Client, path: str, meta: _Meta) -> None:
    options = DeleteOptions(propagation_policy="Background", preconditions=Preconditions(uid=meta.uid))
    try:
        await client.carry("DELETE", f"{path}/{meta.name}", codec.encode(options))
    except ApiError as error:
        if not is_not_found(error) and not is_conflict(error):
            raise


def _deletable(document: bytes) -> Sequence[str]:
    """The resources of an APIResourceList whose objects are in namespaces and can be listed and deleted."""
    try:
        found = msgspec.json.decode(document, type=_ResourceList).resources
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise errors.internal(f"the document is no list of resources: {error}") from error
    return [each.name for each in found if each.namespaced and "/" not in each.name and {"list", "delete"} <= set(each.verbs)]
