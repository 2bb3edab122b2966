"""Looks at containers from the node's network: HTTP, TCP, gRPC health. Small enough to write on streams.

The texts of failures are those that Kubernetes' Unhealthy events show.
"""

import asyncio
import ssl
from collections.abc import Sequence

import grpc
import grpc.aio

from proto.gen import health_pb2 as health
from proto.gen import health_pb2_grpc as health_grpc

_BODY_LIMIT_BYTES = 10 * 1024
_HEAD_LIMIT_BYTES = 64 * 1024


class NetworkProbes:
    """Connects to pods' addresses."""

    def __init__(self) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # a probe asks whether the container answers, not who it is
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def http(
        self, host: str, port: int, path: str, scheme: str, headers: Sequence[tuple[str, str]], timeout_s: float
    ) -> tuple[bool, str]:
        secure = scheme.upper() == "HTTPS"
        path = path if path.startswith("/") else f"/{path}"
        url = f"{'https' if secure else 'http'}://{_host(host)}:{port}{path}"
        try:
            async with asyncio.timeout(timeout_s):
                return await self._get(url, host, port, path, secure, headers)
        except TimeoutError:
            return False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            return False, f'Get "{url}": {_dial_error(host, port, error)}'

    async def _get(
        self, url: str, host: str, port: int, path: str, secure: bool, headers: Sequence[tuple[str, str]]
    ) -> tuple[bool, str]:
        reader, writer = await asyncio.open_connection(host, port, ssl=self._tls if secure else None, limit=_HEAD_LIMIT_BYTES)
        try:
            given = {name.lower() for name, _ in headers}
            lines = [f"GET {path} HTTP/1.1"]
            if "host" not in given:
                lines.append(f"Host: {_host(host)}:{port}")
            if "user-agent" not in given:
                lines.append("User-Agent: kube-probe/1.36")
            if "accept" not in given:
                lines.append("Accept: */*")
            lines.extend(f"{name}: {value}" for name, value in headers)
            writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            status_line = await reader.readuntil(b"\r\n")
            words = status_line.split(None, 2)
            if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
                return False, f'Get "{url}": net/http: HTTP/1.x transport connection broken: malformed HTTP response'
            code = int(words[1])
            return (True, "") if 200 <= code < 400 else (False, f"HTTP probe failed with statuscode: {code}")
        finally:
            writer.close()

    async def tcp(self, host: str, port: int, timeout_s: float) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(timeout_s):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return False, f"dial tcp {_host(host)}:{port}: i/o timeout"
        except OSError as error:
            return False, _dial_error(host, port, error)
        writer.close()
        return True, ""

    async def grpc(self, host: str, port: int, service: str, timeout_s: float) -> tuple[bool, str]:
        address = f"{_host(host)}:{port}"
        async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = health_grpc.HealthStub(channel)  # type: ignore[no-untyped-call]
            try:
                answer = await stub.Check(health.HealthCheckRequest(service=service), timeout=timeout_s)
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                    return False, f'timeout: failed to connect service "{address}" within {timeout_s:g}s'
                return False, f"error: health rpc failed: rpc error: {error.details()}"
        if answer.status == health.HealthCheckResponse.SERVING:
            return True, ""
        name = health.HealthCheckResponse.ServingStatus.Name(answer.status)
        return False, f'service unhealthy (responded with "{name}")'


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _dial_error(host: str, port: int, error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {_host(host)}:{port}: connect: connection refused"
    if isinstance(error, EOFError | ConnectionResetError):
        return "EOF"
    if isinstance(error, OSError) and error.strerror:
        return f"dial tcp {_host(host)}:{port}: connect: {error.strerror.lower()}"
    return str(error) or type(error).__name__
