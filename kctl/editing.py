"""The text that `kctl edit` gives to an editor, and what has become of it: pure.

The text is a header of comments, which says what was wrong with the last try, and one object (or a List of several).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kctl import manifests
from kctl.errors import KctlError, StatusError
from kctl.printers.documents import to_json, to_yaml
from kctl.targets import Target

_HEADER = (
    "Please edit the object below. Lines beginning with a '#' will be ignored,",
    "and an empty file will abort the edit. If an error occurs while saving this file will be",
    "reopened with the relevant failures.",
    "",
)
IDENTITY_CHANGED = "At least one of apiVersion, kind and name was changed"


@dataclass(frozen=True)
class Reason:
    """Why a try failed: a headline and what belongs to it."""

    head: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edited:
    """An object as it was and as it is now."""

    target: Target
    before: dict[str, Any]
    after: dict[str, Any]


def render(objects: Sequence[Mapping[str, Any]], output: str) -> str:
    """One object as it is, several as a List; `output` is yaml or json."""
    shown = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {}}
    return to_json(shown) if output == "json" else to_yaml(shown)


def with_header(text: str, reasons: Sequence[Reason]) -> str:
    """The text with its header of comments."""
    lines = list(_HEADER)
    for reason in reasons:
        lines += [f"{reason.head}:" if reason.details else reason.head, *(f"* {each}" for each in reason.details), ""]
    comments = "".join(f"# {line}".rstrip() + "\n" for each in lines for line in (each.split("\n")))
    return comments + text


def without_comments(text: str) -> str:
    """The text without lines that are comments."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#"))


def same(left: str, right: str) -> bool:
    """Whether two texts mean the same; texts that cannot be read must be equal."""
    if left == right:
        return True
    try:
        return [each.body for each in manifests.parse(left, "")] == [each.body for each in manifests.parse(right, "")]
    except manifests.ManifestError:
        return False


def parse(text: str, originals: Sequence[tuple[Target, dict[str, Any]]]) -> list[Edited]:
    """The edited objects beside their originals; raises ManifestError, or KctlError for one that is none of these."""
    known = {_identity(obj): (target, obj) for target, obj in originals}
    edited: list[Edited] = []
    for document in manifests.objects(manifests.parse(text, "the edited file")):
        found = known.get(_identity(document.body))
        if found is None:
            raise KctlError(IDENTITY_CHANGED)
        edited.append(Edited(*found, document.body))
    return edited


def syntax_reason(target: Target, error: KctlError) -> Reason:
    """For a file that is no object."""
    text = str(error).removeprefix("error parsing the edited file: ").removeprefix("error converting YAML to JSON: ")
    detail = f'<nil>: Invalid value: "The edited file failed validation": {text}'
    return Reason(f"{subject(target)} was not valid", (detail,))


def refusal_reason(target: Target, error: StatusError) -> Reason:
    """For an object that the server finds invalid."""
    causes = (error.status.get("details") or {}).get("causes") or ()
    details = [f"{cause.get('field') or '<nil>'}: {cause.get('message', '')}" for cause in causes] or [str(error)]
    return Reason(f"{subject(target)} was not valid", tuple(details))


def subject(target: Target) -> str:
    """`deployments.apps "web"`"""
    return f'{target.resource.qualified} "{target.name}"'


def _identity(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    metadata = obj.get("metadata") or {}
    return obj.get("apiVersion"), obj.get("kind"), metadata.get("namespace") or "", metadata.get("name")


def failures(errors: Sequence[tuple[Target, StatusError]]) -> Iterator[str]:
    """A sentence for each object that the server refused for good."""
    for target, error in errors:
        if error.not_found:
            yield f"error: {subject(target)} could not be found on the server"
        else:
            yield f"error: {subject(target)} could not be patched: {error}"
