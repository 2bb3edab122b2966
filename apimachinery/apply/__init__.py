"""Field ownership: who set which field of an object, and server-side apply that respects it.

    elements  ->  fields  ->  shapes  ->  walking, structs, merging  ->  managers  ->  versions  ->  tracking  ->  applying

- `FieldSet` is a set of field paths in the form of FieldsV1;
- `Shape` is what the walks ask about types: `shape_of(cls)` answers from a class, `structural_shape(schema)` from the schema of
  a custom resource;
- `track_update` settles ownership after a create, update or patch, `apply` does a server-side apply.

All of it is pure: plain data (dicts, lists, scalars) and ManagedFieldsEntry in and out, nothing given is changed, results may
share parts with what was given, times come in as strings. The API server calls it after decoding and defaulting, before
admission and before the server's own allocations (addresses, ports), which nobody owns.
Source: the Kubernetes page "Server-Side Apply".
"""

from apimachinery.apply.applying import Applied, ApplyConflict, Conflict, apply
from apimachinery.apply.fields import NO_FIELDS, FieldSet
from apimachinery.apply.managers import APPLY, MAX_UPDATE_MANAGERS, given_managers, keep_times, starting_managers
from apimachinery.apply.shapes import FREE, Form, Shape, shape_of, status_fields, structural_shape
from apimachinery.apply.tracking import track_update
from apimachinery.apply.versions import Versions
from apimachinery.apply.walking import fields_of

__all__ = [
    "APPLY",
    "FREE",
    "MAX_UPDATE_MANAGERS",
    "NO_FIELDS",
    "Applied",
    "ApplyConflict",
    "Conflict",
    "FieldSet",
    "Form",
    "Shape",
    "Versions",
    "apply",
    "fields_of",
    "given_managers",
    "keep_times",
    "shape_of",
    "starting_managers",
    "status_fields",
    "structural_shape",
    "track_update",
]
