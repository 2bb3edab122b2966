"""port-forward's ports, proxy's filter, cp's places and archives, hostile ones among them."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kctl import archive
from kctl.commands.copy import Place, parse_place
from kctl.errors import KctlError
from kctl.forwarding import parse_addresses
from kctl.ports import Forward, forwards
from kctl.proxying import Filter

POD: dict[str, Any] = {
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 8080, "name": "web"}]}]},
}
SERVICE: dict[str, Any] = {
    "metadata": {"name": "s"},
    "spec": {
        "clusterIP": "10.96.0.9",
        "ports": [
            {"name": "http", "port": 80, "targetPort": "web"},
            {"name": "raw", "port": 81, "targetPort": 9000},
            {"port": 82},
        ],
    },
}


@pytest.mark.parametrize(
    ("word", "service", "want"),
    [
        ("80", None, Forward(80, 80)),
        ("8000:80", None, Forward(8000, 80)),
        (":80", None, Forward(0, 80)),
        ("0:80", None, Forward(0, 80)),
        ("web", None, Forward(8080, 8080)),
        ("8000:web", None, Forward(8000, 8080)),
        ("80", SERVICE, Forward(80, 8080)),
        ("8000:81", SERVICE, Forward(8000, 9000)),
        (":82", SERVICE, Forward(0, 82)),
        ("http", SERVICE, Forward(80, 8080)),
        ("80", {**SERVICE, "spec": {**SERVICE["spec"], "clusterIP": "None"}}, Forward(80, 80)),
    ],
)
def test_forwards(word: str, service: dict[str, Any] | None, want: Forward) -> None:
    assert forwards([word], POD, service) == [want]


@pytest.mark.parametrize("word", ["", ":", "80:", "1:2:3", "70000", "none", "x:80", "80:0", "-1"])
def test_bad_forwards(word: str) -> None:
    with pytest.raises(KctlError):
        forwards([word], POD)


def test_a_port_that_a_service_does_not_have() -> None:
    with pytest.raises(KctlError, match="Service s does not have a service port 99"):
        forwards(["99"], POD, SERVICE)


def test_addresses() -> None:
    assert parse_addresses(["localhost", "127.0.0.2"]) == ["127.0.0.1", "::1", "127.0.0.2"]
    with pytest.raises(KctlError, match="not a valid IP"):
        parse_addresses(["example.com"])


@pytest.mark.parametrize(
    ("method", "host", "path", "want"),
    [
        ("GET", "127.0.0.1:8001", "/api/v1/pods", True),
        ("GET", "localhost", "/version", True),
        ("GET", "[::1]:8001", "/version", True),
        ("GET", "evil.example:8001", "/api/v1/pods", False),
        ("GET", "", "/api/v1/pods", False),
        ("GET", "localhost:8001", "/api/v1/namespaces/d/pods/p/exec", False),
        ("GET", "localhost:8001", "/api/v1/namespaces/d/pods/p/%65xec", False),
        ("GET", "localhost:8001", "/api/v1/namespaces/d/pods/p//./exec", False),
        ("GET", "localhost:8001", "/api/v1/namespaces/d/pods/p/x/../attach", False),
    ],
)
def test_what_the_proxy_passes_on(method: str, host: str, path: str, want: bool) -> None:
    assert Filter().accepts(method, host, path) is want


def test_methods_can_be_refused_and_expressions_are_checked() -> None:
    chosen = Filter(reject_methods="POST,PUT,PATCH,DELETE")
    assert chosen.accepts("GET", "localhost", "/x")
    assert not chosen.accepts("POST", "localhost", "/x")
    with pytest.raises(KctlError):
        Filter(accept_paths="(").check()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("file", Place("file")),
        ("/a:b", Place("/a:b")),
        ("./a:b", Place("./a:b")),
        ("p:/tmp/x", Place("/tmp/x", "p")),
        ("ns/p:/tmp/x", Place("/tmp/x", "p", "ns")),
        ("p:a:b", Place("a:b", "p")),
    ],
)
def test_places(text: str, want: Place) -> None:
    assert parse_place(text) == want


@pytest.mark.parametrize("text", [":x", "a/b/c:x", "ns/:x"])
def test_bad_places(text: str) -> None:
    with pytest.raises(KctlError):
        parse_place(text)


# Archives


def member(
    name: str, data: bytes = b"x", *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for info, data in members:
            made.addfile(info, io.BytesIO(data) if info.size else None)
    stream.seek(0)
    return stream


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_directory_there_and_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a").write_bytes(b"one")
    (source / "deep" / "er" / "b").write_bytes(os.urandom(300_000))
    (source / "run").write_bytes(b"#!")
    (source / "run").chmod(0o755)
    (source / "link").symlink_to("/etc/passwd")
    stream = io.BytesIO()
    archive.pack(source, "src", stream)
    stream.seek(0)
    said: list[str] = []
    archive.unpack(stream, "/somewhere/../src", tmp_path / "copy", said.append)
    want = {name: data for name, data in tree(source).items() if name != "link"}
    assert tree(tmp_path / "copy") == want
    assert os.access(tmp_path / "copy" / "run", os.X_OK)
    assert said == ['warning: skipping symlink: "src/link"']


def test_a_file_under_another_name(tmp_path: Path) -> None:
    archive.unpack(tar(member("etc/motd", b"hello")), "/etc/motd", tmp_path / "new" / "greeting", print)
    assert tree(tmp_path) == {"new/greeting": b"hello"}


def _outside_link(folder: Path) -> None:
    (folder / "target").mkdir()
    (folder / "target" / "in").symlink_to(folder / "outside")


def _outside_file(folder: Path) -> None:
    (folder / "target").mkdir()
    (folder / "target" / "f").symlink_to(folder / "outside" / "precious")


def _nothing(folder: Path) -> None:
    """The destination is not there yet."""


@pytest.mark.parametrize(
    ("prepare", "members"),
    [
        pytest.param(_nothing, [member("d/../../outside/precious")], id="climbs"),
        pytest.param(_nothing, [member("../outside/precious")], id="climbs at once"),
        pytest.param(_nothing, [member("/OUTSIDE/precious")], id="absolute"),
        pytest.param(_nothing, [member("elsewhere/x")], id="not what was asked for"),
        pytest.param(_nothing, [member("dd/x")], id="only begins like it"),
        pytest.param(
            _nothing,
            [member("d/in", kind=tarfile.SYMTYPE, link="/OUTSIDE"), member("d/in/precious")],
            id="through its own symlink",
        ),
        pytest.param(
            _nothing,
            [member("d", kind=tarfile.SYMTYPE, link="/OUTSIDE"), member("d/precious")],
            id="the destination as a symlink",
        ),
        pytest.param(
            _nothing,
            [member("d/f", kind=tarfile.LNKTYPE, link="/OUTSIDE/precious"), member("d/f", b"overwritten")],
            id="through a hard link",
        ),
        pytest.param(_outside_link, [member("d/in/precious", b"overwritten")], id="through a symlink that was there"),
        pytest.param(_outside_file, [member("d/f", b"overwritten")], id="onto a symlink that was there"),
        pytest.param(_nothing, [member("d/dev", kind=tarfile.CHRTYPE), member("d/fifo", kind=tarfile.FIFOTYPE)], id="devices"),
    ],
)
def test_a_hostile_archive_writes_nothing_outside(
    tmp_path: Path, prepare: Callable[[Path], None], members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"kept")
    for info, _ in members:
        info.name = info.name.replace("/OUTSIDE", str(outside))
        info.linkname = info.linkname.replace("/OUTSIDE", str(outside))
    prepare(tmp_path)
    with suppress(KctlError):  # refusing all of it is as good
        archive.unpack(tar(*members), "d", tmp_path / "target", lambda text: None)
    assert tree(outside) == {"precious": b"kept"}
    assert {path.name for path in tmp_path.iterdir()} <= {"outside", "target"}
    for path in (tmp_path / "target").rglob("*") if (tmp_path / "target").exists() else ():
        assert path.is_file() or path.is_dir()


def test_set_user_id_is_not_kept(tmp_path: Path) -> None:
    archive.unpack(tar(member("d/x", mode=0o6755)), "d", tmp_path / "d", print)
    assert (tmp_path / "d" / "x").stat().st_mode & 0o7000 == 0


@pytest.mark.parametrize(
    "data", [b"", b"garbage" * 100, tar(member("d/x", b"y" * 5000)).getvalue()[:1500]], ids=["empty", "garbage", "cut off"]
)
def test_a_damaged_archive_is_an_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(KctlError):
        archive.unpack(io.BytesIO(data), "d", tmp_path / "d", print)
