"""Storage keys: `/registry/GROUP/PLURAL/[NAMESPACE/]NAME`, and those of reservations beside them."""

import msgspec

from apimachinery.resources import Resource


class KeySpace(msgspec.Struct, frozen=True):
    """All keys of one cluster, below `prefix` (no closing slash)."""

    prefix: str = "/registry"

    def collection(self, resource: Resource, namespace: str = "") -> bytes:
        """What the keys of all objects of a resource, or of those in one namespace, begin with."""
        below = f"{namespace}/" if namespace else ""
        return f"{self.prefix}/{resource.storage_prefix()}{below}".encode()

    def object(self, resource: Resource, namespace: str, name: str) -> bytes:
        below = f"{namespace}/" if resource.namespaced else ""
        return f"{self.prefix}/{resource.storage_prefix()}{below}{name}".encode()

    def reservations(self, kind: str) -> bytes:
        """What the keys of all reservations of a kind (`clusterips`, `nodeports`) begin with."""
        return f"{self.prefix}/coxswain.dev/reservations/{kind}/".encode()
