"""The base of every whole object."""

import msgspec

from apimachinery.kinds.base import Base
from apimachinery.kinds.meta import ObjectMeta


class Object(Base):
    """A whole object: apiVersion, kind, metadata, and what its kind adds."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
