"""What the API looks like, in OpenAPI's words: made from the resource table and the classes of the object model.

`schemas` describes classes, `operations` the paths of the resources, `documents` puts both together for OpenAPI 2 and 3,
`gnostic` writes the former as the protobuf that kubectl asks for, `library` makes it all when first asked for, and keeps it.
"""

from apiserver.openapi.library import Library, Published

__all__ = ["Library", "Published"]
