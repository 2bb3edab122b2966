"""Connections to the members of an etcd cluster, one channel for each, over mutual TLS.

Model. Calls go to one member, the active one. A call that fails because the member does not answer makes the next member
active; whoever made the call decides whether it may be repeated. A channel of its own for each member (rather than one
channel with several addresses) verifies each certificate against its own host name, and tells a member that is cut off apart
from the rest. Channels are built by `connect`, never at import or construction, so that a process may fork before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from aetcd import rpc  # type: ignore[import-untyped]

from apiserver.storage.etcd_wire import translate
from apiserver.storage.port import Unavailable

_RETRY_PAUSE_S = 0.1

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # etcd closes connections that ping more often than every 5 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of mutual TLS: the authority of the servers, and our own certificate and key."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files; raises OSError."""
        return grpc.ssl_channel_credentials(self.ca_file.read_bytes(), self.key_file.read_bytes(), self.cert_file.read_bytes())


class Member:
    """One etcd member: its channel and the stubs the adapter uses."""

    def __init__(self, endpoint: str, credentials: grpc.ChannelCredentials | None) -> None:
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(endpoint, credentials, options=_OPTIONS)
        self.endpoint = endpoint
        self.kv: Any = rpc.KVStub(self.channel)
        self.lease: Any = rpc.LeaseStub(self.channel)
        self.watch: Any = rpc.WatchStub(self.channel)
        self.streams: set[Any] = set()


class Endpoints:
    """The members, and which of them is active."""

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None, *, call_timeout_s: float) -> None:
        if not endpoints:
            raise ValueError("at least one etcd endpoint is needed")
        self._addresses = tuple(endpoints)
        self._tls = tls
        self._members: list[Member] = []
        self._active = 0
        self._closed = False
        self.call_timeout_s = call_timeout_s

    def connect(self) -> None:
        """Build the channels (they connect when first used), once. Raises OSError for the TLS files."""
        if self._closed:
            raise Unavailable("the storage is closed")
        if not self._members:
            credentials = self._tls.credentials() if self._tls else None
            self._members = [Member(address, credentials) for address in self._addresses]

    @property
    def active(self) -> Member:
        """The member calls go to now."""
        self.connect()
        return self._members[self._active]

    def leave(self, member: Member) -> None:
        """Make the next member active, unless somebody has already left `member`.

        Its streams are cancelled, because a member that is cut off does not end them: keep-alives take longer to notice.
        """
        if self._closed or self.active is not member or len(self._members) == 1:
            return
        self._active = (self._active + 1) % len(self._members)
        for stream in list(member.streams):
            stream.cancel()

    async def once(self, method: Callable[[Member], Callable[..., Awaitable[Any]]], request: Any) -> Any:
        """One call on the active member; raises StorageError, and leaves the member when it did not answer."""
        member = self.active
        try:
            return await method(member)(request, timeout=self.call_timeout_s)
        except grpc.aio.AioRpcError as error:
            failure = translate(error)
            if isinstance(failure, Unavailable):
                self.leave(member)
            raise failure from error
        except grpc.aio.UsageError as error:
            raise Unavailable("the storage is closed") from error

    async def read(self, method: Callable[[Member], Callable[..., Awaitable[Any]]], request: Any) -> Any:
        """A call that changes nothing: repeated on the next member until one call timeout has passed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.call_timeout_s
        while True:
            try:
                return await self.once(method, request)
            except Unavailable as error:
                if not error.uncertain or loop.time() + _RETRY_PAUSE_S >= deadline:
                    raise
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def close(self) -> None:
        """Close every channel; calls under way are cancelled."""
        self._closed = True
        members, self._members = self._members, []
        for member in members:
            await member.channel.close(None)
