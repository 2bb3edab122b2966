"""The pod-template-hash: a short name for a template, the same in every process and for ever. Pure."""

import hashlib

from apimachinery import codec
from apimachinery.kinds import PodTemplateSpec

HASH_LABEL = "pod-template-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels and no look-alikes: no words, no misreading
_LENGTH = 10


def template_hash(template: PodTemplateSpec, collision_count: int | None) -> str:
    """Ten characters from the template's JSON; the collision count gives another hash to a template that met a
    stranger's name."""
    digest = hashlib.sha256(codec.encode(without_hash(template)))
    if collision_count:
        digest.update(b"#%d" % collision_count)
    number = int.from_bytes(digest.digest()[:8], "big")
    characters = []
    for _ in range(_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)


def same_template(one: PodTemplateSpec, other: PodTemplateSpec) -> bool:
    """Whether two templates are equal but for the hash label."""
    return one.spec == other.spec and without_hash(one) == without_hash(other)


def without_hash(template: PodTemplateSpec) -> PodTemplateSpec:
    """The template as its author wrote it, its label order not counting."""
    meta = codec.deep_copy(template.metadata)
    meta.labels = {key: value for key, value in sorted(meta.labels.items()) if key != HASH_LABEL}
    return PodTemplateSpec(metadata=meta, spec=template.spec)
