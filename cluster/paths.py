"""Where a local cluster keeps its files.

Everything that must survive a node's death is under /var/lib/coxswain/clusters/NAME, everything that describes running
processes under /run/coxswain/NAME. Both are for root only. A node sees its own empty /run, so paths of a node's sockets
(`NODE_*`) are the same in every node and vanish when it dies, as on a machine that is switched off.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STATE_ROOT = Path(os.environ.get("COXSWAIN_STATE_ROOT", "/var/lib/coxswain"))
RUN_ROOT = Path(os.environ.get("COXSWAIN_RUN_ROOT", "/run/coxswain"))
CLUSTERS = STATE_ROOT / "clusters"

NODE_RUN = Path("/run")
NODE_CONTAINERD_STATE = NODE_RUN / "containerd"
NODE_CONTAINERD_SOCKET = NODE_CONTAINERD_STATE / "containerd.sock"
NODE_NOTIFY = NODE_RUN / "coxswain" / "notify"
# Where CNI's library and host-local keep their records unless told otherwise; each node mounts its own directory there.
CNI_STATE = Path("/var/lib/cni")
CNI_STATE_MARKER = STATE_ROOT / "created-cni-directory"


@dataclass(frozen=True, slots=True)
class NodePaths:
    root: Path

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def containerd(self) -> Path:
        return self.root / "containerd"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def pod_logs(self) -> Path:
        return self.root / "pods-log"

    @property
    def cni_state(self) -> Path:
        return self.root / "cni"

    @property
    def cni_configuration(self) -> Path:
        return self.etc / "cni"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def services_file(self) -> Path:
        return self.etc / "services.json"

    def directories(self) -> tuple[Path, ...]:
        """Every directory of the node, parents first."""
        return (
            self.root,
            self.etc,
            self.log,
            self.kubelet,
            self.containerd,
            self.etcd,
            self.pod_logs,
            self.cni_state,
            self.cni_configuration,
            self.temporary,
        )

    def configuration(self, component: str) -> Path:
        return self.etc / f"{component}.yaml"

    def log_file(self, service: str) -> Path:
        return self.log / f"{service}.log"


@dataclass(frozen=True, slots=True)
class ClusterPaths:
    name: str

    @property
    def state(self) -> Path:
        return CLUSTERS / self.name

    @property
    def record(self) -> Path:
        return self.state / "cluster.json"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def daemon_log(self) -> Path:
        return self.state / "daemon.log"

    @property
    def run(self) -> Path:
        return RUN_ROOT / self.name

    @property
    def control_socket(self) -> Path:
        return self.run / "control.sock"

    @property
    def processes(self) -> Path:
        return self.run / "processes.json"

    @property
    def lock(self) -> Path:
        return RUN_ROOT / f"{self.name}.lock"

    def node(self, node: str) -> NodePaths:
        return NodePaths(self.state / "nodes" / node)
