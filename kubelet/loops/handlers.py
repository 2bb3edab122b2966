"""Running the actions that probes and hooks name: commands in the container, requests to the pod."""

import asyncio
from collections.abc import Sequence

from apimachinery.kinds import Container, ExecAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction
from kubelet.core.probes import resolve_port
from kubelet.ports import CommandTimeoutError, ProbeRunner, Runtime, RuntimeFailureError

_HOOK_TIMEOUT_S = 600.0


class Handlers:
    """Looks once, or acts once; what went wrong comes back as text, never as an exception."""

    def __init__(self, runtime: Runtime, network: ProbeRunner) -> None:
        self._runtime = runtime
        self._network = network

    async def probe(
        self, probe: Probe, container: Container, container_id: str, pod_ip: str, timeout_s: float
    ) -> tuple[bool, str]:
        """Run a probe once."""
        if probe.exec is not None:
            return await self._command(container_id, probe.exec.command, timeout_s)
        if probe.http_get is not None:
            return await self._http(probe.http_get, container, pod_ip, timeout_s)
        if probe.tcp_socket is not None:
            return await self._tcp(probe.tcp_socket, container, pod_ip, timeout_s)
        if probe.grpc is not None:
            return await self._network.grpc(pod_ip, probe.grpc.port, probe.grpc.service, timeout_s)
        return True, ""

    async def hook(
        self,
        handler: LifecycleHandler,
        container: Container,
        container_id: str,
        pod_ip: str,
        timeout_s: float = _HOOK_TIMEOUT_S,
    ) -> tuple[bool, str]:
        """Run a lifecycle hook to its end, or until the timeout."""
        if handler.sleep is not None:
            await asyncio.sleep(min(handler.sleep.seconds, timeout_s))
            return True, ""
        if handler.exec is not None:
            return await self._exec_hook(handler.exec, container_id, timeout_s)
        if handler.http_get is not None:
            return await self._http(handler.http_get, container, pod_ip, timeout_s)
        if handler.tcp_socket is not None:
            return await self._tcp(handler.tcp_socket, container, pod_ip, timeout_s)
        return True, ""

    async def _exec_hook(self, action: ExecAction, container_id: str, timeout_s: float) -> tuple[bool, str]:
        good, text = await self._command(container_id, action.command, timeout_s)
        return good, text

    async def _command(self, container_id: str, command: Sequence[str], timeout_s: float) -> tuple[bool, str]:
        try:
            result = await self._runtime.run_command(container_id, command, timeout_s)
        except CommandTimeoutError as error:
            return False, f"command timed out: {error}"
        except RuntimeFailureError as error:
            return False, str(error)
        output = (result.stdout + result.stderr)[:1024].decode(errors="replace")
        return result.exit_code == 0, output

    async def _http(self, action: HTTPGetAction, container: Container, pod_ip: str, timeout_s: float) -> tuple[bool, str]:
        try:
            port = resolve_port(action.port, container.ports)
        except ValueError as error:
            return False, str(error)
        headers = [(header.name, header.value) for header in action.http_headers]
        host = action.host or pod_ip
        return await self._network.http(host, port, action.path or "/", action.scheme or "HTTP", headers, timeout_s)

    async def _tcp(self, action: TCPSocketAction, container: Container, pod_ip: str, timeout_s: float) -> tuple[bool, str]:
        try:
            port = resolve_port(action.port, container.ports)
        except ValueError as error:
            return False, str(error)
        return await self._network.tcp(action.host or pod_ip, port, timeout_s)
