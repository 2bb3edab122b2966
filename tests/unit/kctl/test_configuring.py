"""Kubeconfig files: where changes go, what is shown, what is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclient import file_lock
from kctl import configuring, kubeconfig
from kctl.configuring import Configuration
from kctl.errors import KctlError

FIRST = """
apiVersion: v1
kind: Config
current-context: one
extensions: [kept]
contexts:
- {name: one, context: {cluster: c, user: u.dotted@name}}
users:
- {name: u.dotted@name, user: {token: secret, client-key-data: a2V5, extra: kept}}
"""
SECOND = """
clusters:
- {name: c, cluster: {server: "https://127.0.0.1:1", certificate-authority: ca.pem}}
contexts:
- {name: two, context: {cluster: c, user: u.dotted@name}}
- {name: one, context: {cluster: hidden}}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "first", tmp_path / "second"]
    for path, text in zip(paths, (FIRST, SECOND), strict=True):
        path.write_text(text)
    (tmp_path / "ca.pem").write_text("authority")
    return paths


def load(files: list[Path]) -> Configuration:
    return configuring.load("", {"KUBECONFIG": os.pathsep.join(map(str, files))})


def saved(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(path.read_text())
    return body


def test_an_entry_is_changed_where_it_is_and_a_new_one_goes_into_the_first_file(files: list[Path]) -> None:
    known = load(files)
    file, new = known.put("contexts", "two", {"namespace": "team"})
    assert (file.path, new) == (files[1], False)
    file, new = known.put("contexts", "three", {"cluster": "c", "user": None})
    assert (file.path, new) == (files[0], True)
    for each in known.files:
        configuring.save(each)
    assert saved(files[1])["contexts"][1] == {
        "name": "two",
        "context": {"cluster": "c", "user": "u.dotted@name", "namespace": "team"},
    }
    assert {"name": "three", "context": {"cluster": "c"}} in saved(files[0])["contexts"]
    assert saved(files[0])["extensions"] == ["kept"], "what is not understood stays"
    assert saved(files[0])["users"][0]["user"]["extra"] == "kept"


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config"
    known = configuring.load(str(path), {})
    configuring.save(known.put("clusters", "c", {"server": "https://127.0.0.1:1"})[0])
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["config"], "nothing is left over"
    path.chmod(0o640)
    configuring.save(known.files[0])
    assert path.stat().st_mode & 0o777 == 0o640
    assert kubeconfig.load([path]).clusters["c"]["server"] == "https://127.0.0.1:1"


def test_a_link_stays_a_link(tmp_path: Path, files: list[Path]) -> None:
    link = tmp_path / "link"
    link.symlink_to(files[0])
    known = configuring.load(str(link), {})
    configuring.save(known.use("two"))
    assert link.is_symlink()
    assert saved(files[0])["current-context"] == "two"


def test_the_current_context_is_changed_where_it_is_set(files: list[Path]) -> None:
    known = load(files[::-1])
    assert known.current_context == "one"
    assert known.use("two").path == files[0]
    assert [each.path for each in configuring.set_property(known, "current-context", None)] == [files[0]]
    assert known.current_context == ""


PROPERTIES: tuple[tuple[str, str, Any, str], ...] = (
    ("a field of a name with dots", "users.u.dotted@name.token", "new", "users"),
    ("a field of a new entry", "clusters.new.server", "https://127.0.0.1:2", "clusters"),
    ("a whole entry is unset", "users.u.dotted@name", None, "users"),
    ("a whole section is unset", "contexts", None, "contexts"),
    ("a boolean", "clusters.c.insecure-skip-tls-verify", "true", "clusters"),
)


@pytest.mark.parametrize(("path", "value", "section"), [row[1:] for row in PROPERTIES], ids=[row[0] for row in PROPERTIES])
def test_property(files: list[Path], path: str, value: Any, section: str) -> None:
    known = load(files)
    assert configuring.set_property(known, path, value)
    entries = {name: body for name, (body, _) in known.entries(section).items()}
    if value is None:
        assert entries == {}
    else:
        field = path.rpartition(".")[2]
        assert {"true": True}.get(value, value) in [body.get(field) for body in entries.values()]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        pytest.param("foo.bar", "x", "unable to parse foo.bar", id="no such section"),
        pytest.param("contexts", "x", "no single value", id="a section has no value"),
        pytest.param("contexts.one.nope", "x", "no field nope", id="no such field"),
        pytest.param("clusters.c.insecure-skip-tls-verify", "maybe", "no boolean", id="no boolean"),
    ],
)
def test_property_refused(files: list[Path], path: str, value: str, words: str) -> None:
    with pytest.raises(KctlError, match=words):
        configuring.set_property(load(files), path, value)


def test_unsetting_a_field_of_nothing_makes_nothing(files: list[Path]) -> None:
    known = load(files)
    assert configuring.set_property(known, "users.nobody.token", None) == []
    assert "nobody" not in known.entries("users")


def test_view(files: list[Path]) -> None:
    known = load(files)
    shown = configuring.view(known)
    assert [each["name"] for each in shown["contexts"]] == ["one", "two"]
    assert shown["contexts"][0]["context"]["cluster"] == "c", "the first file wins"
    assert shown["users"][0]["user"] == {"token": "REDACTED", "client-key-data": "DATA+OMITTED", "extra": "kept"}
    assert known.entries("users")["u.dotted@name"][0]["token"] == "secret", "looking changes nothing"
    full = configuring.view(known, raw=True, flatten=True, only="two")
    assert [each["name"] for each in full["contexts"]] == ["two"]
    assert full["clusters"][0]["cluster"]["certificate-authority-data"] == "YXV0aG9yaXR5"
    assert full["users"][0]["user"]["token"] == "secret"
    assert full["current-context"] == "two"
    for only, words in (("", "current-context must exist"), ("nope", "cannot locate context nope")):
        with pytest.raises(KctlError, match=words):
            configuring.view(known, only=only)


def test_renaming_and_deleting(files: list[Path]) -> None:
    known = load(files)
    configuring.rename_context(known, "one", "uno")
    assert known.current_context == "uno"
    for old, new, words in (("nope", "x", "it's not in"), ("uno", "two", "already exists")):
        with pytest.raises(KctlError, match=words):
            configuring.rename_context(known, old, new)
    assert configuring.delete(known, "clusters", "c").path == files[1]
    with pytest.raises(KctlError, match="cannot delete cluster c, not in"):
        configuring.delete(known, "clusters", "c")


def test_paths_are_relative_below_the_folder(files: list[Path], tmp_path: Path) -> None:
    file = load(files).files[0]
    assert configuring.relative(str(tmp_path / "pki" / "ca.pem"), file) == "pki/ca.pem"
    assert configuring.relative("/elsewhere/ca.pem", file) == "/elsewhere/ca.pem"


def test_what_somebody_else_has_written_is_not_undone(files: list[Path]) -> None:
    mine, theirs = load(files), load(files)
    configuring.save(theirs.use("two"))
    after = files[0].read_text()
    with pytest.raises(KctlError, match="changed by somebody else meanwhile"):
        configuring.save(mine.put("users", "new", {"token": "t"})[0])
    assert files[0].read_text() == after
    configuring.save(load(files).put("users", "new", {"token": "t"})[0])
    assert (load(files).current_context, "new" in load(files).entries("users")) == ("two", True)


def test_a_file_that_is_locked_is_waited_for(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    lock = files[0].with_name("first.lock")
    lock.touch()
    before = files[0].read_text()
    monkeypatch.setattr(file_lock, "TIMEOUT_S", 0.0)
    with pytest.raises(KctlError, match=r"is locked by .*first\.lock"):
        configuring.save(load(files).use("two"))
    assert files[0].read_text() == before
    lock.unlink()
    configuring.save(load(files).use("two"))
    assert load(files).current_context == "two"
    assert not lock.exists()
