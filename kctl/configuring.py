"""Changes to kubeconfig files: which file an entry is in, the entry's new text, the view of all files together.

Files stay apart: an entry is changed in the file that defines it, and a new one goes into the first file that exists (into the
last of the list when none does). Paths in a file are relative to its folder. A file is replaced in one step, so that nobody
reads half of it, while FILE.lock keeps kubectl and others out; what somebody else has written since it was read is not undone.
Source: the Kubernetes page "Organizing Cluster Access Using kubeconfig Files".
"""

import base64
import os
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apiclient.file_lock import file_lock
from kctl import kubeconfig, manifests
from kctl.errors import KctlError

SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}
FIELDS = {
    "clusters": (
        "server",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "certificate-authority",
        "certificate-authority-data",
        "proxy-url",
        "disable-compression",
    ),
    "users": (
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
        "token",
        "tokenFile",
        "username",
        "password",
    ),
    "contexts": ("cluster", "user", "namespace"),
}
PATHS = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
    "contexts": (),
}
_BOOLEANS = ("insecure-skip-tls-verify", "disable-compression")
_SECRET_TEXT = ("token", "password")
_SECRET_DATA = ("certificate-authority-data", "client-certificate-data", "client-key-data")


@dataclass
class ConfigFile:
    """One file: what it says, by section and name; `rest` is everything else."""

    path: Path
    exists: bool = False
    current_context: str = ""
    sections: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in SECTIONS})
    rest: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    """What was read: the changes were made to this."""

    def document(self) -> dict[str, Any]:
        """As it is written: entries in the order of their names."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            **self.rest,
            "current-context": self.current_context,
            **{section: _entries(self.sections[section], singular) or None for section, singular in SECTIONS.items()},
        }


class Configuration:
    """The files together, in their order of precedence."""

    def __init__(self, files: Sequence[ConfigFile]) -> None:
        self.files = list(files)

    @property
    def current_context(self) -> str:
        return next((each.current_context for each in self.files if each.current_context), "")

    def entries(self, section: str) -> dict[str, tuple[dict[str, Any], ConfigFile]]:
        """Each entry and its file; the first file to name one wins."""
        found: dict[str, tuple[dict[str, Any], ConfigFile]] = {}
        for each in self.files:
            for name, body in each.sections[section].items():
                found.setdefault(name, (body, each))
        return found

    def default_file(self) -> ConfigFile:
        """Where new things go."""
        if not self.files:
            raise KctlError("no kubeconfig file to write to: neither --kubeconfig, KUBECONFIG nor HOME is set")
        return next((each for each in self.files if each.exists), self.files[-1])

    def file_of(self, section: str, name: str) -> ConfigFile:
        found = self.entries(section).get(name)
        return found[1] if found else self.default_file()

    def put(self, section: str, name: str, changes: Mapping[str, Any]) -> tuple[ConfigFile, bool]:
        """Set fields of an entry (None removes one); returns its file, and whether the entry is new."""
        known = self.entries(section).get(name)
        file = self.file_of(section, name)
        body = {**(known[0] if known else {}), **changes}
        file.sections[section][name] = {key: value for key, value in body.items() if value is not None}
        return file, known is None

    def use(self, context: str) -> ConfigFile:
        """Make a context the current one; "" for none."""
        file = next((each for each in self.files if each.current_context), None) or self.default_file()
        file.current_context = context
        return file


def load(flag: str, environment: Mapping[str, str]) -> Configuration:
    """Read the files; those that are not there are empty. Raises KctlError."""
    return Configuration([_read(path) for path in kubeconfig.paths(flag, environment)])


def save(file: ConfigFile) -> None:
    """Write a file; raises KctlError, also when somebody else has changed the file since it was read.

    It keeps its mode; a new one may be read by its owner only.
    """
    from kctl.printers.documents import to_yaml

    path = file.path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path, KctlError):
            if (path.read_text() if path.exists() else "") != file.text:
                raise KctlError(
                    f"kubeconfig {file.path} was changed by somebody else meanwhile; nothing was written, try again"
                )
            text = to_yaml(file.document())
            _replace(path, text)
            file.text, file.exists = text, True
    except OSError as error:
        raise KctlError(f"cannot write kubeconfig {file.path}: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def set_property(configuration: Configuration, path: str, value: Any) -> list[ConfigFile]:
    """Set (None: unset) `current-context`, `SECTION`, `SECTION.NAME` or `SECTION.NAME.FIELD`; raises KctlError."""
    section, dot, rest = path.partition(".")
    if path == "current-context":
        if value is not None:
            return [configuration.use(str(value))]
        changed = [each for each in configuration.files if each.current_context]
        for each in changed:
            each.current_context = ""
        return changed
    if section not in SECTIONS:
        raise KctlError(f"unable to parse {path} after [] at api.Config")
    if not dot:
        if value is not None:
            raise KctlError(f"unable to parse {path}: it is no single value")
        changed = [each for each in configuration.files if each.sections[section]]
        for each in changed:
            each.sections[section].clear()
        return changed
    name, field_name = _split_name(configuration, section, rest)
    if not field_name:
        if value is not None:
            raise KctlError(f"unable to parse {path}: it is no single value")
        changed = [each for each in configuration.files if name in each.sections[section]]
        for each in changed:
            del each.sections[section][name]
        return changed
    if value is None and name not in configuration.entries(section):
        return []
    if field_name in _BOOLEANS and value is not None:
        if str(value).lower() not in ("true", "false"):
            raise KctlError(f'unable to parse {path}: "{value}" is no boolean')
        value = str(value).lower() == "true"
    return [configuration.put(section, name, {field_name: value})[0]]


def delete(configuration: Configuration, section: str, name: str) -> ConfigFile:
    """Take an entry out; raises KctlError when it is not there."""
    found = configuration.entries(section).get(name)
    if found is None:
        raise KctlError(f"cannot delete {SECTIONS[section]} {name}, not in {configuration.default_file().path}")
    del found[1].sections[section][name]
    return found[1]


def rename_context(configuration: Configuration, old: str, new: str) -> list[ConfigFile]:
    """Give a context another name; raises KctlError."""
    known = configuration.entries("contexts")
    place = configuration.default_file().path
    if old not in known:
        raise KctlError(f'cannot rename the context "{old}", it\'s not in {place}')
    if new in known:
        raise KctlError(f'cannot rename the context "{old}", the context "{new}" already exists in {place}')
    body, file = known[old]
    del file.sections["contexts"][old]
    file.sections["contexts"][new] = body
    changed = [file]
    if configuration.current_context == old:
        current = configuration.use(new)
        changed += [] if current is file else [current]
    return changed


def relative(path: str, file: ConfigFile) -> str:
    """A path as it stands in a file: relative when it is below the file's folder."""
    absolute, folder = Path(os.path.abspath(path)), file.path.resolve().parent
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else str(absolute)


def view(configuration: Configuration, *, raw: bool = False, flatten: bool = False, only: str | None = None) -> dict[str, Any]:
    """All files as one document. `only` keeps what this context needs; secrets are left out unless `raw`."""
    sections = {section: configuration.entries(section) for section in SECTIONS}
    current = configuration.current_context
    if only is not None:
        current = only
        sections = _minified(sections, only)
    merged = ConfigFile(Path(), current_context=current)
    for section, entries in sections.items():
        for name, (body, file) in entries.items():
            shown = _flattened(body, section, file) if flatten else deepcopy(body)
            merged.sections[section][name] = shown if raw else _redacted(shown)
    return merged.document()


def _minified(sections: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    if not name:
        raise KctlError("current-context must exist in order to minify")
    if name not in sections["contexts"]:
        raise KctlError(f"cannot locate context {name}")
    context = sections["contexts"][name][0]
    wanted = {"contexts": name, "clusters": context.get("cluster", ""), "users": context.get("user", "")}
    return {
        section: {key: value for key, value in entries.items() if key == wanted[section]}
        for section, entries in sections.items()
    }


def _flattened(body: Mapping[str, Any], section: str, file: ConfigFile) -> dict[str, Any]:
    """The entry with the content of the files that it names."""
    result = dict(body)
    for key in PATHS[section]:
        if not result.get(key):
            continue
        try:
            content = (file.path.resolve().parent / str(result[key])).read_bytes()
        except OSError as error:
            raise KctlError(f"unable to read {key} {result[key]}: {error.strerror}") from error
        if key == "tokenFile":
            continue
        del result[key]
        result.setdefault(f"{key}-data", base64.b64encode(content).decode())
    return result


def _redacted(body: dict[str, Any]) -> dict[str, Any]:
    for keys, text in ((_SECRET_TEXT, "REDACTED"), (_SECRET_DATA, "DATA+OMITTED")):
        for key in keys:
            if body.get(key):
                body[key] = text
    return body


def _split_name(configuration: Configuration, section: str, text: str) -> tuple[str, str]:
    """Names may have dots: the longest one that is known, or whatever stands before a known field."""
    if text in configuration.entries(section):
        return text, ""
    name, _, last = text.rpartition(".")
    if name and last in FIELDS[section]:
        return name, last
    if name in configuration.entries(section):
        raise KctlError(f"unable to parse {section}.{text}: no field {last} in {section}")
    return text, ""


def _entries(known: Mapping[str, dict[str, Any]], singular: str) -> list[dict[str, Any]]:
    return [{singular: body, "name": name} for name, body in sorted(known.items())]


def _read(path: Path) -> ConfigFile:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return ConfigFile(path)
    except OSError as error:
        raise KctlError(f"cannot read kubeconfig {path}: {error.strerror}") from error
    documents = manifests.parse(text, str(path))
    body = documents[0].body if documents else {}
    if not isinstance(body, dict):
        raise KctlError(f"kubeconfig {path} is no mapping")
    file = ConfigFile(path, True, str(body.get("current-context") or ""), text=text)
    for section, singular in SECTIONS.items():
        for entry in body.get(section) or ():
            file.sections[section][str(entry.get("name", ""))] = dict(entry.get(singular) or {})
    known = (*SECTIONS, "current-context")
    file.rest = {key: value for key, value in body.items() if key not in known}
    return file
