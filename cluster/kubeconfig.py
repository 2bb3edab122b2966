"""Kubeconfig files: add and remove one cluster's entries and leave everything else as it is.

Which file follows kubectl (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/): the first
existing one of $KUBECONFIG's list, else its last, else ~/.kube/config. A change is made on the whole file under kubectl's
own lock (FILE.lock) and replaces it in one step, readable by its owner only.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from apiclient.file_lock import file_lock
from cluster.errors import ClusterError

SECTIONS = ("clusters", "users", "contexts")

Document = dict[str, Any]


def default_path(environment: Mapping[str, str]) -> Path:
    """The kubeconfig file that new entries go to."""
    listed = [Path(part) for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    for path in listed:
        if path.exists():
            return path
    if listed:
        return listed[-1]
    return Path(environment.get("HOME") or Path.home()) / ".kube" / "config"


def context_name(cluster: str) -> str:
    return f"coxswain-{cluster}"


def merge(document: Document, addition: Document) -> Document:
    """`document` with the entries of `addition` added or replaced by name, and its current context."""
    merged = {"apiVersion": "v1", "kind": "Config", **document}
    for section in SECTIONS:
        added = addition[section]
        names = {entry["name"] for entry in added}
        merged[section] = [entry for entry in _entries(document, section) if entry.get("name") not in names] + added
    merged["current-context"] = addition["current-context"]
    return merged


def without(document: Document, name: str) -> Document:
    """`document` without the cluster, user and context called `name`."""
    rest = dict(document)
    for section in SECTIONS:
        rest[section] = [entry for entry in _entries(document, section) if entry.get("name") != name]
    if rest.get("current-context") == name:
        rest["current-context"] = ""
    return rest


def is_empty(document: Document) -> bool:
    """Whether `document` leads to no cluster any more."""
    return not any(_entries(document, section) for section in SECTIONS)


def _entries(document: Document, section: str) -> list[Document]:
    entries = document.get(section) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ClusterError(f"the kubeconfig's {section!r} is not a list of named entries; correct it and try again")
    return entries


def add(path: Path, addition: Document) -> None:
    """Merge `addition` into the file; ClusterError if that is not a kubeconfig."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _change(path, lambda document: merge(document, addition))


def remove(path: Path, name: str, *, remove_if_empty: bool = False) -> None:
    """Take `name` out of the file; with `remove_if_empty`, remove a file (and ~/.kube) that nothing is left in."""
    if not path.exists():
        return
    rest = _change(path, lambda document: without(document, name))
    if remove_if_empty and is_empty(rest):
        path.unlink(missing_ok=True)
        if path.parent.name == ".kube":
            with contextlib.suppress(OSError):  # something else is in there
                path.parent.rmdir()


def _change(path: Path, change: Callable[[Document], Document]) -> Document:
    target = Path(os.path.realpath(path))
    with file_lock(target, ClusterError):
        before = read(target)
        after = change(before)
        if after != before:
            _replace(target, yaml.safe_dump(after, sort_keys=False))
    return after


def read(path: Path) -> Document:
    """The document in the file, {} if there is none; ClusterError if it is not a mapping."""
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise ClusterError(f"the kubeconfig {path} is not YAML; correct or remove it: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ClusterError(f"the kubeconfig {path} is not a mapping; correct or remove it")
    return document


def _replace(path: Path, text: str) -> None:
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
