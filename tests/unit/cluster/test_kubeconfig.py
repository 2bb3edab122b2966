"""Kubeconfig: what is ours comes and goes, what is others' stays."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from apiclient import file_lock
from cluster import config, kubeconfig
from cluster.errors import ClusterError

OURS = config.kubeconfig("coxswain-demo", "https://127.0.0.1:6443", b"authority", b"certificate", b"key")
OTHERS = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "other", "cluster": {"server": "https://example"}}],
    "users": [{"name": "other", "user": {"token": "t"}}],
    "contexts": [{"name": "other", "context": {"cluster": "other", "user": "other", "namespace": "n"}}],
    "current-context": "other",
    "extensions": [{"name": "kept"}],
}


def test_merge_adds_and_makes_current() -> None:
    before = copy.deepcopy(OTHERS)
    merged = kubeconfig.merge(OTHERS, OURS)
    assert before == OTHERS, "the arguments are read only"
    assert [entry["name"] for entry in merged["contexts"]] == ["other", "coxswain-demo"]
    assert merged["current-context"] == "coxswain-demo"
    assert merged["extensions"] == OTHERS["extensions"]
    assert kubeconfig.merge(merged, OURS) == merged


def test_without_takes_out_what_merge_put_in() -> None:
    rest = kubeconfig.without(kubeconfig.merge(OTHERS, OURS), "coxswain-demo")
    assert rest == {**OTHERS, "current-context": ""}
    assert kubeconfig.without(OTHERS, "coxswain-demo") == OTHERS, "another current context stays"


def test_files_are_private_whole_and_gone_with_their_last_entry(tmp_path: Path) -> None:
    path = tmp_path / ".kube" / "config"
    kubeconfig.add(path, OURS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(path.read_text())["current-context"] == "coxswain-demo"
    assert [entry.name for entry in path.parent.iterdir()] == ["config"], "neither a lock nor a partial file is left"
    kubeconfig.remove(path, "coxswain-demo", remove_if_empty=True)
    assert list(tmp_path.iterdir()) == []
    kubeconfig.remove(path, "coxswain-demo", remove_if_empty=True)


def test_a_file_with_something_else_in_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(OTHERS))
    kubeconfig.add(path, OURS)
    kubeconfig.remove(path, "coxswain-demo", remove_if_empty=True)
    assert yaml.safe_load(path.read_text()) == {**OTHERS, "current-context": ""}


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "real", tmp_path / "config"
    target.write_text(yaml.safe_dump(OTHERS))
    link.symlink_to(target)
    kubeconfig.add(link, OURS)
    assert link.is_symlink()
    assert "coxswain-demo" in target.read_text()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("[1, 2]", "not a mapping"), ("a: [", "not YAML"), ("clusters: {a: b}", "not a list of named entries")],
)
def test_refuses_what_is_no_kubeconfig_and_leaves_it_alone(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ClusterError, match=sentence):
        kubeconfig.add(path, OURS)
    assert path.read_text() == text


def test_a_locked_file_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "TIMEOUT_S", 0.0)
    (tmp_path / "config.lock").touch()
    with pytest.raises(ClusterError, match="locked by"):
        kubeconfig.add(tmp_path / "config", OURS)
    assert not (tmp_path / "config").exists()


def test_which_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    listed = {"KUBECONFIG": f"{first}:{second}", "HOME": str(tmp_path)}
    assert kubeconfig.default_path(listed) == second
    first.touch()
    assert kubeconfig.default_path(listed) == first
    assert kubeconfig.default_path({"HOME": str(tmp_path)}) == tmp_path / ".kube" / "config"
