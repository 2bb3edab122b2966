"""Changes to pod templates, as the commands of `kctl set` make them: pure, on copies.

Kubernetes: a container is chosen by name or by a pattern with `*`; `--env` and friends touch init containers too when named.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kctl.errors import KctlError

Change = Callable[[dict[str, Any]], None]
"""Changes a pod's spec in place."""

_ENV_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
_ENV_RULE = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
    "and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', "
    "regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"
)


@dataclass(frozen=True)
class Environment:
    """What `set env` sets (entries in their order) and removes."""

    entries: tuple[dict[str, Any], ...] = ()
    removed: tuple[str, ...] = ()


def pod_spec(obj: Mapping[str, Any]) -> Any:
    """The pod's spec within an object: a pod's own, a template's, a CronJob's; raises KctlError when there is none."""
    spec = obj.get("spec") or {}
    if obj.get("kind") == "Pod":
        return spec
    if obj.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    found = (spec.get("template") or {}).get("spec") if isinstance(spec.get("template"), dict) else None
    if not isinstance(found, dict) or "containers" not in found:
        raise KctlError("the object is not a pod or does not have a pod template")
    return found


def changed(obj: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """A copy of the object with the change made; raises KctlError."""
    copy = deepcopy(dict(obj))
    change(pod_spec(copy))
    return copy


def split_words(words: Sequence[str], *, removal: bool = False) -> tuple[list[str], list[str]]:
    """Resources, and what is to be set: words with `=` (`removal`: and those that end in `-`)."""
    settings = [word for word in words if "=" in word or (removal and word.endswith("-"))]
    return [word for word in words if word not in settings], settings


def parse_images(settings: Sequence[str]) -> dict[str, str]:
    """Images by container; raises KctlError."""
    images: dict[str, str] = {}
    for text in settings:
        name, _, image = text.partition("=")
        if not name or not image:
            raise KctlError(f"invalid image specification: {text}")
        images[name] = image
    if "*" in images and len(images) > 1:
        raise KctlError("all containers are already specified by *, but saw more than one container_name=container_image pairs")
    return images


def set_images(images: Mapping[str, str]) -> Change:
    """`*` stands for every container; raises KctlError for a container that is not there."""

    def change(spec: dict[str, Any]) -> None:
        for name, image in images.items():
            found = [each for each in _all_containers(spec) if name in ("*", each["name"])]
            if not found:
                raise KctlError(f'unable to find container named "{name}"')
            for container in found:
                container["image"] = image

    return change


def parse_environment(settings: Sequence[str]) -> Environment:
    """The changes of `A=b` and `C-`; raises KctlError."""
    entries: dict[str, str] = {}
    removed: list[str] = []
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals and text.endswith("-") and len(text) > 1:
            removed.append(text[:-1])
            continue
        if not equals:
            raise KctlError(f"unknown environment variable spec: {text}")
        if not _ENV_NAME.match(name):
            raise KctlError(f'"{name}" is not a valid key name: {_ENV_RULE}')
        entries[name] = value
    if set(entries) & set(removed):
        raise KctlError("can not both modify and remove the same environment variable in the same command")
    return Environment(tuple({"name": name, "value": value} for name, value in entries.items()), tuple(removed))


def environment_from(source: Mapping[str, Any], prefix: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Entries that refer to the keys of a ConfigMap or Secret; raises KctlError."""
    references = {"ConfigMap": "configMapKeyRef", "Secret": "secretKeyRef"}
    if source.get("kind") not in references:
        raise KctlError(f"unsupported resource specified in --from: {source.get('kind')}")
    reference, name = references[str(source["kind"])], source["metadata"]["name"]
    present = sorted((source.get("data") or {}).keys())
    entries = []
    for key in present:
        if keys and key not in keys:
            continue
        variable = prefix + environment_name(key)
        entries.append({"name": variable, "valueFrom": {reference: {"key": key, "name": name}}})
    return entries


def environment_name(key: str) -> str:
    """`log-level` as a variable: `LOG_LEVEL`."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", key).upper()


def set_environment(wanted: Environment, *, overwrite: bool, pattern: str, subject: str) -> Change:
    """Raises KctlError when a value is there already and may not be replaced."""

    def change(spec: dict[str, Any]) -> None:
        for container in matching(spec, pattern):
            present = list(container.get("env") or ())
            if not overwrite:
                _refuse_existing(present, wanted.entries, subject)
            for entry in wanted.entries:
                _put(present, entry)
            kept = [each for each in present if each["name"] not in wanted.removed]
            if kept:
                container["env"] = kept
            else:
                container.pop("env", None)

    return change


def parse_quantities(text: str) -> dict[str, str]:
    """`cpu=200m,memory=512Mi`; raises KctlError."""
    from apimachinery.quantity import QuantityError, canonical

    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        words = part.split("=")
        if len(words) != 2:
            raise KctlError(f"Invalid argument syntax {part}, expected <resource>=<value>")
        try:
            found[words[0]] = canonical(words[1])
        except QuantityError as error:
            raise KctlError(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            ) from error
    return found


def set_resources(limits: Mapping[str, str], requests: Mapping[str, str], pattern: str) -> Change:
    """Each kind that is given takes the place of what was there."""

    def change(spec: dict[str, Any]) -> None:
        found = matching(spec, pattern, of=("containers",))
        if not found:
            raise KctlError(f"unable to find container named {pattern}")
        for container in found:
            resources = dict(container.get("resources") or {})
            for section, values in (("limits", limits), ("requests", requests)):
                if values:
                    resources[section] = {**(resources.get(section) or {}), **values}
            container["resources"] = resources

    return change


def set_service_account(name: str) -> Change:
    def change(spec: dict[str, Any]) -> None:
        spec["serviceAccountName"] = name
        spec.pop("serviceAccount", None)  # the old name of the field, which would contradict

    return change


def matching(spec: Mapping[str, Any], pattern: str, of: Iterable[str] = ("initContainers", "containers")) -> list[Any]:
    """The containers whose names fit a pattern."""
    return [each for part in of for each in spec.get(part) or () if fnmatchcase(each["name"], pattern)]


def _all_containers(spec: Mapping[str, Any]) -> list[Any]:
    return matching(spec, "*")


def _put(present: list[dict[str, Any]], entry: dict[str, Any]) -> None:
    """Replace the variable where it stands, so that others that refer to it keep their order."""
    for place, each in enumerate(present):
        if each["name"] == entry["name"]:
            present[place] = dict(entry)
            return
    present.append(dict(entry))


def _refuse_existing(present: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], subject: str) -> None:
    values = {each["name"]: each.get("value", "") for each in present}
    for entry in wanted:
        if entry["name"] in values:
            raise KctlError(
                f"{subject} '{entry['name']}' already has a value ({values[entry['name']]}), and --overwrite is false"
            )
