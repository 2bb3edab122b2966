"""What must hold before a cluster is started; each failure is one sentence that says what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster import cgroups
from cluster.config import CNI_PLUGINS, SEARCH_PATH
from cluster.errors import ClusterError

# What is executed, and the Debian package that provides it.
PROGRAMS: Mapping[str, str] = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "iptables-restore": "iptables",
    "iptables-save": "iptables",
    "conntrack": "conntrack",
}
CNI_PROGRAMS = ("bridge", "host-local", "loopback", "portmap")
CNI_PACKAGE = "containernetworking-plugins"
LISTEN_BACKLOG = 1024
# Services inside the nodes need it; on most machines it is a module that nothing loads by itself.
BRIDGE_NETFILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def check_machine() -> None:
    """Refuse a machine on which a cluster cannot run (ClusterError)."""
    if os.geteuid() != 0:
        raise ClusterError("a local cluster makes namespaces and control groups, which needs root: run this with sudo")
    if not Path("/proc/self/ns/net").exists():
        raise ClusterError("this kernel has no network namespaces, on which local clusters are built")
    if not cgroups.hierarchies():
        raise ClusterError("no control groups are mounted here: mount them below /sys/fs/cgroup")
    _check_bridge_netfilter()
    packages = missing_packages(lambda program: shutil.which(program, path=SEARCH_PATH) is not None, _is_plugin)
    if packages:
        names = " ".join(packages)
        raise ClusterError(f"programs of the Debian packages {names} are missing: run apt-get install {names}")


def _check_bridge_netfilter() -> None:
    if BRIDGE_NETFILTER.exists():
        return
    with contextlib.suppress(OSError):  # no modprobe: then the module cannot be had this way
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, timeout=30, check=False)
    if not BRIDGE_NETFILTER.exists():
        raise ClusterError("the kernel does not pass bridged packets to iptables: run modprobe br_netfilter")


def missing_packages(has_program: Callable[[str], bool], has_plugin: Callable[[str], bool]) -> list[str]:
    """The Debian packages that would provide what is missing, each once."""
    packages = [package for program, package in PROGRAMS.items() if not has_program(program)]
    if not all(has_plugin(name) for name in CNI_PROGRAMS):
        packages.append(CNI_PACKAGE)
    return list(dict.fromkeys(packages))


def _is_plugin(name: str) -> bool:
    return os.access(Path(CNI_PLUGINS, name), os.X_OK)


def listen(port: int, purpose: str) -> socket.socket:
    """A listening socket on 127.0.0.1:`port` (0: any free one); ClusterError if the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ClusterError(
                f"port {port} of 127.0.0.1, wanted for {purpose}, is in use: choose another, or stop what uses it"
            ) from error
        raise ClusterError(f"cannot listen on port {port} of 127.0.0.1 for {purpose}: {error.strerror}") from error
    return listener
