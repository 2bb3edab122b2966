"""What is missing is named by the package that provides it; a port that is taken is named too."""

from __future__ import annotations

import socket

import pytest

from cluster import checks
from cluster.errors import ClusterError


@pytest.mark.parametrize(
    ("missing", "packages"),
    [
        ((), []),
        (("etcd",), ["etcd-server"]),
        (("containerd", "ctr"), ["containerd"]),
        (("bridge",), ["containernetworking-plugins"]),
        (("runc", "loopback", "iptables-save"), ["runc", "iptables", "containernetworking-plugins"]),
    ],
)
def test_missing_packages(missing: tuple[str, ...], packages: list[str]) -> None:
    def present(name: str) -> bool:
        return name not in missing

    assert checks.missing_packages(present, present) == packages


def test_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="needs root: run this with sudo"):
        checks.check_machine()


def test_listen() -> None:
    with checks.listen(0, "the API") as first:
        assert first.getsockname()[0] == "127.0.0.1"
        port = first.getsockname()[1]
        with pytest.raises(ClusterError, match=f"port {port} of 127.0.0.1, wanted for the API, is in use"):
            checks.listen(port, "the API")
        with socket.create_connection(("127.0.0.1", port), 5):
            assert first.accept()
