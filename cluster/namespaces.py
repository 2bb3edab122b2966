"""Linux namespaces by setns(2), unshare(2) and mount(2), and the network that joins the nodes of one cluster.

A network namespace is held by a file descriptor of the daemon: it lives as long as that is open or a process is inside, and
takes its interfaces along when it goes. The switch is a namespace with a bridge; each node is joined to it by a veth pair
whose other end is the node's eth0. Nothing has a default route, so no packet leaves the namespaces of the cluster. A node has a
route for Service addresses, because the kernel asks for one before kube_proxy's rules send the packet elsewhere; what no rule
wants ends at the switch, which forwards nothing.

Functions that change the namespaces of the caller are for single-threaded processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster import paths
from cluster.spec import NODE_NETWORK, SERVICE_CIDR, SWITCH_IP, NodeSpec

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 0x2, 0x4, 0x8, 0x1000, 0x4000
MS_PRIVATE, MS_SHARED = 1 << 18, 1 << 20
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
SO_SNDBUFFORCE = 32  # not in the socket module

BRIDGE = "br0"
NODE_INTERFACE = "eth0"
NODE_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # Bridged pod traffic must pass iptables, or replies to a Service's address would bypass its translation.
    "net/bridge/bridge-nf-call-iptables": "1",
    # A neighbour must not reach what listens on the node's 127.0.0.1 (CVE-2020-8558).
    "net/ipv4/conf/all/route_localnet": "0",
}
SWITCH_SYSCTLS = {"net/ipv4/ip_forward": "0", "net/bridge/bridge-nf-call-iptables": "0"}

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """setns(2)."""
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    status = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode() if options else None
    )
    _check(status, f"mount {target}")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl")


def set_process_name(name: str) -> None:
    """The name ps and top show; the kernel keeps 15 bytes."""
    _check(_libc.prctl(PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0), "prctl")


def _check(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


@contextlib.contextmanager
def network(descriptor: int) -> Iterator[None]:
    """Run the body inside the network namespace `descriptor` refers to."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(descriptor, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def new_network() -> int:
    """Make a network namespace; the descriptor that keeps it."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        try:
            return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def fork_first_process() -> int:
    """fork(2) whose child is PID 1 of a new pid namespace; the child's pid as this process sees it, 0 in the child."""
    home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWPID)
        pid = os.fork()
        if pid:
            # Only children are affected by the call above; later ones shall belong to this namespace again.
            setns(home, CLONE_NEWPID)
        return pid
    finally:
        os.close(home)


def new_switch() -> int:
    """Make the namespace of the switch with its bridge; the descriptor that keeps it."""
    switch = new_network()
    with network(switch):
        _ip(
            "link set lo up",
            f"link add {BRIDGE} type bridge",
            f"addr add {SWITCH_IP}/{NODE_NETWORK.prefixlen} dev {BRIDGE}",
            f"link set {BRIDGE} up",
        )
        _set_sysctls(SWITCH_SYSCTLS)
    return switch


def new_node_network(switch: int, node: NodeSpec) -> int:
    """Make the namespace of `node`, joined to `switch` and with its address; the descriptor that keeps it."""
    own = new_network()
    port = _port(node)
    try:
        with network(switch):
            peer = f"peer name {NODE_INTERFACE} address {node_mac(node.ip)} netns /proc/{os.getpid()}/fd/{own}"
            _ip(f"link add {port} type veth {peer}", f"link set {port} master {BRIDGE} up")
        with network(own):
            _ip(
                "link set lo up",
                f"addr add {node.ip}/{NODE_NETWORK.prefixlen} dev {NODE_INTERFACE}",
                f"link set {NODE_INTERFACE} up",
                f"route add {SERVICE_CIDR} via {SWITCH_IP} dev {NODE_INTERFACE}",
            )
            _set_sysctls(NODE_SYSCTLS)
    except BaseException:
        os.close(own)  # and with it the pair of interfaces
        raise
    return own


def remove_node_port(switch: int, node: NodeSpec) -> None:
    """Unplug `node`, whose namespace is about to go: the kernel would take its time to remove the port."""
    with network(switch):
        try:
            _ip(f"link del {_port(node)}")
        except OSError:
            # The kernel was quicker, unless the port is still there.
            if _port(node) in (name for _, name in socket.if_nameindex()):
                raise


def _port(node: NodeSpec) -> str:
    return f"port{node.ip.rpartition('.')[2]}"


def node_mac(ip: str) -> str:
    """A node's hardware address follows from its IP, so that neighbours' caches hold when it comes back from the dead."""
    return "02:cf:" + ":".join(f"{octet:02x}" for octet in socket.inet_aton(ip))


def _ip(*commands: str) -> None:
    # One process for the batch; it starts in the namespace the caller is in.
    done = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(commands), capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode:
        raise OSError(f"ip could not set up the network: {done.stderr.strip()}")


def _set_sysctls(values: dict[str, str]) -> None:
    for name, value in values.items():
        Path("/proc/sys", name).write_text(value)


def enter_node(network_descriptor: int, hostname: str, cni_state: Path) -> None:
    """Turn the calling process, PID 1 of a new pid namespace, into the first process of a node.

    Its own mounts (nothing propagates to or from the machine), an empty /run, a /proc of its pid namespace, its own host name,
    IPC objects and network. /sys stays as it is, because a fresh one would hide the control groups.
    """
    setns(network_descriptor, CLONE_NEWNET)
    unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    # Shared again among the node's own namespaces, as containers with mount propagation expect.
    mount("none", "/", "none", MS_REC | MS_SHARED)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("tmpfs", str(paths.NODE_RUN), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    mount(str(cni_state), str(paths.CNI_STATE), "none", MS_BIND)
    paths.NODE_NOTIFY.mkdir(parents=True, mode=0o700)
    (paths.NODE_RUN / "lock").mkdir()
    socket.sethostname(hostname)


def overlay_works(directory: Path) -> bool:
    """Whether overlayfs can be mounted on directories below `directory`; tried in a child's private mount namespace."""
    layers = [directory / name for name in ("lower", "upper", "work", "merged")]
    for layer in layers:
        layer.mkdir(parents=True)
    pid = os.fork()
    if pid == 0:
        os._exit(_try_overlay(layers))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _try_overlay(layers: Sequence[Path]) -> int:
    lower, upper, work, merged = layers
    try:
        unshare(CLONE_NEWNS)
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
        mount("overlay", str(merged), "overlay", 0, f"lowerdir={lower},upperdir={upper},workdir={work}")
    except OSError:
        return 1
    return 0
