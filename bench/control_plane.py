"""A control plane alone, to be measured and thrown away: etcd, API server, scheduler and controller manager on 127.0.0.1.

    python -m bench.control_plane [--without scheduler] [--without controller_manager]

prints where the API is and which certificate opens it, and stays until it is interrupted. Every process is started by itself,
so that its memory and its processor time are its own; in a local cluster they are forked from one parent and share what they
import. There are no nodes but those that somebody makes up; the cluster's CIDR has room for 4,096 of them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.clusters import Access, client_context
from cluster import config, pki
from cluster.spec import ClusterSpec

COMPONENTS = ("apiserver", "scheduler", "controller_manager")
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
NAME = "bench"


@dataclass(frozen=True)
class ControlPlane:
    """A running one: the way in, its processes by name, and the way into its etcd."""

    access: Access
    pids: Mapping[str, int]
    etcd: Access


@contextmanager
def throwaway_control_plane(without: Collection[str] = ()) -> Iterator[ControlPlane]:
    """Starts everything, waits until it answers, and stops it at the end, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="coxswain-bench-") as folder, contextlib.ExitStack() as stack:
        setup = _Setup(Path(folder))
        setup.write()
        pids = {"etcd": stack.enter_context(_process(setup, "etcd", setup.etcd_command()))}
        _wait_until(partial(_answers, setup.etcd_metrics + "/health"), "etcd")
        for name in COMPONENTS:
            if name not in without:
                command = [sys.executable, "-m", name, "--config", str(setup.directory / f"{name}.yaml")]
                pids[name] = stack.enter_context(_process(setup, name, command))
            if name == "apiserver":
                access = setup.access()
                _wait_until(partial(_answers, access.server + "/readyz", client_context(access)), "the API server")
        yield ControlPlane(access, pids, setup.etcd_access())


class _Setup:
    """The files of a control plane in one directory, and its ports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.client, self.peer, self.metrics, self.rest, self.grpc = _free_ports(5)
        self.etcd_metrics = f"http://127.0.0.1:{self.metrics}"
        self._spec = ClusterSpec(NAME)
        self._node = self._spec.nodes()[0].name

    def write(self) -> None:
        pki.write(self.directory, pki.generate(self._spec, datetime.datetime.now(datetime.UTC)))
        client = {"endpoints": [f"127.0.0.1:{self.grpc}"], "caFile": self._path("ca.crt")}
        election = {"identity": NAME}
        self._document("ApiServerConfiguration", "apiserver", self._apiserver())
        for kind, name in (("SchedulerConfiguration", "scheduler"), ("ControllerManagerConfiguration", "controller_manager")):
            values: dict[str, Any] = {"client": {**client, **self._pair(name)}, "leaderElection": election}
            if name == "controller_manager":
                values["clusterCidr"] = "10.0.0.0/12"
            self._document(kind, name, values)

    def access(self) -> Access:
        return self._access(pki.ADMIN, "ca", self.rest)

    def etcd_access(self) -> Access:
        return self._access("apiserver-etcd-client", "etcd-ca", self.client)

    def etcd_command(self) -> list[str]:
        client, peer = f"https://127.0.0.1:{self.client}", f"http://127.0.0.1:{self.peer}"
        flags = {
            "name": NAME,
            "data-dir": self._path("etcd"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"{NAME}={peer}",
            "listen-metrics-urls": self.etcd_metrics,
            "client-cert-auth": "true",
            "trusted-ca-file": self._path("etcd-ca.crt"),
            "cert-file": self._path(f"etcd-server-{self._node}.crt"),
            "key-file": self._path(f"etcd-server-{self._node}.key"),
            "heartbeat-interval": str(config.ETCD_HEARTBEAT_MS),
            "election-timeout": str(config.ETCD_ELECTION_MS),
            "logger": "zap",
            "log-level": "warn",
        }
        return ["etcd", *(f"--{flag}={value}" for flag, value in flags.items())]

    def _apiserver(self) -> dict[str, Any]:
        return {
            "rest": {"port": self.rest},
            "grpc": {"port": self.grpc},
            "tls": {**self._pair("apiserver"), "clientCaFile": self._path("ca.crt")},
            "storage": {
                "endpoints": [f"127.0.0.1:{self.client}"],
                "caFile": self._path("etcd-ca.crt"),
                **self._pair("apiserver-etcd-client"),
            },
            "kubeletClient": {"caFile": self._path("ca.crt"), **self._pair("apiserver-kubelet-client")},
            "advertiseAddress": self._spec.nodes()[0].ip,
        }

    def _document(self, kind: str, name: str, values: Mapping[str, Any]) -> None:
        document = {"apiVersion": config.API_VERSION, "kind": kind, **values}
        (self.directory / f"{name}.yaml").write_text(config.render_yaml(document))

    def _pair(self, stem: str) -> dict[str, str]:
        return {"certFile": self._path(f"{stem}.crt"), "keyFile": self._path(f"{stem}.key")}

    def _access(self, stem: str, authority: str, port: int) -> Access:
        files = [self._path(name) for name in (f"{stem}.crt", f"{stem}.key", f"{authority}.crt")]
        return Access(NAME, f"https://127.0.0.1:{port}", *files)

    def _path(self, name: str) -> str:
        return str(self.directory / name)


@contextmanager
def _process(setup: _Setup, name: str, command: Sequence[str]) -> Iterator[int]:
    """A process that logs to a file of its name; what it logged is shown when it ended by itself."""
    file = setup.directory / f"{name}.log"
    with file.open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        if process.poll() is not None:
            sys.stderr.write(f"{name} has ended with code {process.returncode}:\n{file.read_text()[-2000:]}\n")
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} does not answer after {START_TIMEOUT_S:.0f} s")
        time.sleep(0.02)


def _answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=START_TIMEOUT_S, context=context):
            return True
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", action="append", default=[], choices=COMPONENTS[1:], help="a process to leave out")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    with throwaway_control_plane(arguments.without) as running:
        access = running.access
        print(f"--server {access.server} --cert {access.cert_file} --key {access.key_file}", flush=True)
        print("processes:", *(f"{name}={pid}" for name, pid in running.pids.items()), flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
