"""Create a local cluster: what is done in which order, and what is done at the same time.

    checks → daemon starts ─ imports the components ────────┐
             └ meanwhile: certificates, configuration ──────┴→ boot: network, nodes
        then at once: etcd → API server → components → Nodes Ready
                      container runtimes → images

The daemon does the work of the second half by itself; this side watches its reports and, once the API serves, the Nodes,
and tells the caller of each stage that has passed. Whatever goes wrong, an interrupt included, the half-made cluster is
removed.
"""

from __future__ import annotations

import datetime
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster import checks, cleanup, config, kubeconfig, lock, namespaces, paths, pki
from cluster.control import Control, DaemonGoneError, connect
from cluster.errors import ClusterError
from cluster.lifecycle import Service
from cluster.messages import Boot, Commit, Follow, PublishedSocket, ServiceReport, Warm
from cluster.node_init import write_services
from cluster.paths import ClusterPaths
from cluster.progress import Progress, Stage
from cluster.readiness import Access, follow_nodes
from cluster.record import ClusterRecord, write_record
from cluster.spec import ClusterSpec, role_labels, validate

CREATE_TIMEOUT_S = 180.0
LOG_TAIL_LINES = 25
LOG_TAIL_BYTES = 16 * 1024
# Imported before the nodes are forked; the components' own modules follow.
WARM_MODULES = ("grpc", "grpc.aio", "aiohttp", "msgspec", "uvloop", "aetcd", "yaml", "pyroute2", "numpy")
# What `create` waits on: services' reports, nodes' (name, Ready), and the end of the daemon.
Events = queue.Queue[ServiceReport | tuple[str, bool] | DaemonGoneError]
PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class StagePassed:
    """A stage of `create` has passed: it took `seconds`, and ended `total_s` after the beginning."""

    name: str
    title: str
    seconds: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Options:
    """How to create, beside what. `modules`: the entry point of each component; `wait_for_nodes`: not before they are Ready."""

    api_port: int = 0
    retain: bool = False
    timeout_s: float = CREATE_TIMEOUT_S
    modules: Mapping[str, str] | None = None
    wait_for_nodes: bool = True


class Stopwatch:
    """Tells the caller of stages, each timed from when it began."""

    def __init__(self, on_stage: Callable[[StagePassed], None]) -> None:
        self._on_stage = on_stage
        self._began = time.monotonic()

    def passed(self, name: str, title: str, since: float) -> float:
        """Report a stage that began at `since`; the time now."""
        now = time.monotonic()
        self._on_stage(StagePassed(name, title, now - since, now - self._began))
        return now


def create(
    spec: ClusterSpec, on_stage: Callable[[StagePassed], None], options: Options, environment: Mapping[str, str]
) -> ClusterRecord:
    """Create the cluster and return once it serves; ClusterError, and nothing left behind, if it does not come up."""
    validate(spec)
    watch = Stopwatch(on_stage)
    began = time.monotonic()
    checks.check_machine()
    cluster = ClusterPaths(spec.name)
    with lock.held(cluster.lock, spec.name) as lock_descriptor:
        if cluster.record.exists():
            raise ClusterError(f"there is a cluster {spec.name!r} already; delete it first: kctl cluster delete {spec.name}")
        try:
            cleanup.remove_state(spec.name)  # of an attempt that was killed too early to clean up
            return _Creation(spec, options, watch, environment, lock_descriptor).run(began)
        except BaseException:
            if not (options.retain and cluster.record.exists()):
                cleanup.remove(spec.name)
            raise


class _Creation:
    def __init__(
        self,
        spec: ClusterSpec,
        options: Options,
        watch: Stopwatch,
        environment: Mapping[str, str],
        lock_descriptor: int,
    ) -> None:
        self._spec = spec
        self._options = options
        self._watch = watch
        self._environment = environment
        self._lock = lock_descriptor
        self._cluster = ClusterPaths(spec.name)
        self._modules = dict(options.modules or config.default_modules())
        self._watching = False

    def run(self, began: float) -> ClusterRecord:
        with _Listeners(self._spec, self._options.api_port) as listeners:
            started = self._watch.passed("checks", "machine checked", began)
            control = self._start_daemon(listeners)
            with control:
                control.begin(Warm((*WARM_MODULES, *dict.fromkeys(self._modules.values()))))
                record, services = self._write_files(listeners)
                self._watch.passed("files", "certificates and configuration written", started)
                self._finish(control)
                now = self._watch.passed("import", "components imported", started)
                control.begin(Boot(listeners.api.fileno(), listeners.published()))
                self._finish(control)
                if self._options.retain:
                    self._commit()  # from here on the daemon no longer minds that its creator hangs up
                now = self._watch.passed("nodes", f"network made, {_count(len(services), 'node')} started", now)
                self._await_stages(control, record, services, now)
                self._write_kubeconfig(record)
                self._commit()
                return record

    def _finish(self, control: Control) -> None:
        try:
            control.finish()
        except DaemonGoneError as error:
            raise ClusterError(str(error), tail(self._cluster.daemon_log)) from error

    def _commit(self) -> None:
        with connect(self._spec.name) as control:
            control.ask(Commit())

    def _start_daemon(self, listeners: _Listeners) -> Control:
        self._cluster.run.mkdir(mode=0o700, parents=True)
        self._cluster.state.mkdir(mode=0o700, parents=True)
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-m",
            "cluster.daemon",
            f"--cluster={self._spec.name}",
            f"--creator={theirs.fileno()}",
            f"--lock={self._lock}",
        ]
        with theirs, self._cluster.daemon_log.open("ab") as log:
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_daemon_environment(self._environment),
                pass_fds=(theirs.fileno(), self._lock, *listeners.descriptors()),
                start_new_session=True,
            )
        return Control(ours)

    def _write_files(self, listeners: _Listeners) -> tuple[ClusterRecord, dict[str, tuple[Service, ...]]]:
        now = datetime.datetime.now(datetime.UTC)
        target = kubeconfig.default_path(self._environment)
        layout = config.Layout(self._cluster, listeners.api.fileno(), self._snapshotter(), self._modules)
        record = ClusterRecord(
            spec=self._spec,
            api_port=listeners.api_port,
            snapshotter=layout.snapshotter,
            created_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            kubeconfig=str(target),
            kubeconfig_is_new=not target.exists(),
        )
        pki.write(self._cluster.pki, pki.generate(self._spec, now))
        _ensure_cni_state()
        services = {}
        for node in self._spec.nodes():
            own = self._cluster.node(node.name)
            for directory in own.directories():
                directory.mkdir(mode=0o700, parents=True)
            for path, text in config.node_files(self._spec, node, layout).items():
                path.write_text(text)
            services[node.name] = config.node_services(self._spec, node, layout)
            write_services(own.services_file, services[node.name])
        write_record(self._cluster.record, record)
        return record, services

    def _snapshotter(self) -> str:
        with tempfile.TemporaryDirectory(dir=self._cluster.state) as directory:
            return "overlayfs" if namespaces.overlay_works(Path(directory)) else "native"

    def _await_stages(
        self, control: Control, record: ClusterRecord, services: Mapping[str, tuple[Service, ...]], since: float
    ) -> None:
        progress = Progress(stages(self._spec, services, wait_for_nodes=self._options.wait_for_nodes))
        deadline = time.monotonic() + self._options.timeout_s
        events: Events = queue.Queue()
        _background("reports", lambda: _collect_reports(control, events))
        done = threading.Event()
        try:
            while not progress.complete:
                event = self._next_event(events, deadline, progress)
                if isinstance(event, tuple):
                    passed = progress.on_node(*event)
                else:
                    if progress.has_failed(event):
                        raise self._failure(event)
                    passed = progress.on_service(event)
                    if self._options.wait_for_nodes and not self._watching and _serves_api(event):
                        self._watching = True
                        self._watch_nodes(record, events, done)
                for stage in passed:
                    self._watch.passed(stage.name, stage.title, since)
        finally:
            done.set()

    def _watch_nodes(self, record: ClusterRecord, events: Events, done: threading.Event) -> None:
        def on_node(name: str, ready: bool) -> None:
            events.put((name, ready))

        access = self._access(record)
        labels = {node.name: role_labels(node) for node in self._spec.nodes()}
        _background("nodes", lambda: follow_nodes(access, on_node, done.is_set, labels))

    def _next_event(
        self,
        events: Events,
        deadline: float,
        progress: Progress,
    ) -> ServiceReport | tuple[str, bool]:
        try:
            event = events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            sentence = f"cluster {self._spec.name!r} is not up after {self._options.timeout_s:.0f} s"
            raise ClusterError(f"{sentence}; still missing: {progress.missing()}") from None
        if isinstance(event, DaemonGoneError):
            raise ClusterError(str(event), tail(self._cluster.daemon_log))
        return event

    def _access(self, record: ClusterRecord) -> Access:
        directory = self._cluster.pki
        return Access(
            port=record.api_port,
            authority=directory / pki.certificate_file(pki.CLUSTER_CA),
            certificate=directory / pki.certificate_file(pki.ADMIN),
            key=directory / pki.key_file(pki.ADMIN),
        )

    def _failure(self, report: ServiceReport) -> ClusterError:
        how = describe_exit(report.exit_code)
        hint = "" if self._options.retain else "; --retain would keep the cluster and its logs"
        return ClusterError(
            f"{report.service} on {report.node} does not start ({how}), the end of {report.log_file} says why{hint}",
            tail(Path(report.log_file)),
        )

    def _write_kubeconfig(self, record: ClusterRecord) -> None:
        kubeconfig.add(Path(record.kubeconfig), kubeconfig_document(record))


class _Listeners:
    """The sockets on 127.0.0.1 of this machine that the cluster's processes inherit."""

    def __init__(self, spec: ClusterSpec, api_port: int) -> None:
        self._spec = spec
        self.api = checks.listen(api_port, "the API")
        self._published: list[tuple[socket.socket, int]] = []
        try:
            for publish in spec.publish:
                purpose = f"node port {publish.node_port}"
                self._published.append((checks.listen(publish.host_port, purpose), publish.node_port))
        except ClusterError:
            self.close()
            raise

    def __enter__(self) -> _Listeners:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        for listener in (self.api, *(listener for listener, _ in self._published)):
            listener.close()

    @property
    def api_port(self) -> int:
        port: int = self.api.getsockname()[1]
        return port

    def descriptors(self) -> Iterator[int]:
        yield self.api.fileno()
        for listener, _ in self._published:
            yield listener.fileno()

    def published(self) -> tuple[PublishedSocket, ...]:
        return tuple(PublishedSocket(listener.fileno(), node_port) for listener, node_port in self._published)


def stages(spec: ClusterSpec, services: Mapping[str, tuple[Service, ...]], *, wait_for_nodes: bool) -> list[Stage]:
    """What `create` waits for, by what has to be up."""
    rows = (
        ("etcd", "etcd ready", ("etcd",)),
        ("runtime", f"{_count(len(services), 'container runtime')} ready", ("containerd",)),
        ("apiserver", "API server ready", ("apiserver",)),
        ("components", "components ready", ("scheduler", "controller_manager", *config.NODE_COMPONENTS)),
    )
    found = [Stage(name, title, _named(services, wanted)) for name, title, wanted in rows]
    if wait_for_nodes:
        ready = frozenset(node.name for node in spec.nodes())
        found.append(Stage("ready", f"{_count(len(ready), 'node')} Ready", nodes=ready))
    images = _named(services, {name for name in _all_names(services) if name.startswith(config.IMAGE_SERVICE_PREFIX)})
    if images:
        found.append(Stage("images", "images loaded", images))
    return found


def _named(services: Mapping[str, tuple[Service, ...]], wanted: Collection[str]) -> frozenset[tuple[str, str]]:
    return frozenset((node, service.name) for node, rows in services.items() for service in rows if service.name in wanted)


def _all_names(services: Mapping[str, tuple[Service, ...]]) -> set[str]:
    return {service.name for rows in services.values() for service in rows}


def _serves_api(report: ServiceReport) -> bool:
    return report.service == "apiserver" and report.state == "ready"


def kubeconfig_document(record: ClusterRecord) -> dict[str, object]:
    """The kubeconfig of a cluster, complete in itself."""
    directory = ClusterPaths(record.spec.name).pki
    return config.kubeconfig(
        kubeconfig.context_name(record.spec.name),
        f"https://127.0.0.1:{record.api_port}",
        (directory / pki.certificate_file(pki.CLUSTER_CA)).read_bytes(),
        (directory / pki.certificate_file(pki.ADMIN)).read_bytes(),
        (directory / pki.key_file(pki.ADMIN)).read_bytes(),
    )


def describe_exit(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "it does not answer"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def tail(path: Path) -> str:
    """The last lines of a log; "" if there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - LOG_TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])


def _collect_reports(control: Control, events: Events) -> None:
    try:
        for report in control.follow(Follow()):
            if isinstance(report, ServiceReport):
                events.put(report)
            elif report.state != "running":
                events.put(DaemonGoneError(f"node {report.node} has ended unexpectedly"))
    except DaemonGoneError as error:
        events.put(error)
    except (OSError, ValueError):
        return  # the connection was closed on this side: the stages have passed, or creation has failed


def _background(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()


def _ensure_cni_state() -> None:
    try:
        paths.CNI_STATE.mkdir(parents=True)
    except FileExistsError:
        return
    paths.CNI_STATE_MARKER.touch()


def _daemon_environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name.startswith("COXSWAIN_")}
    return {
        "PATH": config.SEARCH_PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(PROJECT_ROOT),
        # Threads of numpy's linear algebra would not survive the forks, and nothing here multiplies matrices.
        "OPENBLAS_NUM_THREADS": "1",
        # gRPC would prepare for forks without exec, which nothing here makes, and comment on each program that is run.
        "GRPC_ENABLE_FORK_SUPPORT": "0",
        **kept,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
