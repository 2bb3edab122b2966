"""The ConfigMap that carries the CA. Pure."""

from apimachinery import codec
from apimachinery.kinds import ConfigMap, ObjectMeta
from apimachinery.service_accounts import CA_KEY, ROOT_CA

NAME = ROOT_CA
DESCRIPTION = "kubernetes.io/description"
_TEXT = "The certificates by which clients of this cluster's API server can verify it."


def wanted(namespace: str, certificate: str, current: ConfigMap | None) -> ConfigMap:
    """The ConfigMap as it should be: a changed copy of `current`, or a new one."""
    new = ConfigMap(metadata=ObjectMeta(name=NAME, namespace=namespace))
    result = new if current is None else codec.deep_copy(current)
    result.metadata.annotations[DESCRIPTION] = _TEXT
    result.data = {CA_KEY: certificate}
    return result
