"""The part of the Redis protocol (RESP2) that the guestbook needs, and a pool of connections that speak it.

A connection is borrowed for one pipeline of commands and returned only when every reply was read; after any error it is
closed. An idle connection that has become readable was closed by the other side (nothing else may arrive there), so it is
thrown away instead of being tried: a restarted Redis costs no failed request, and no command is ever sent twice.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import select
import socket
import threading

Reply = str | int | list[str] | None


class RedisError(Exception):
    """Redis cannot be reached, or refused a command."""


def encode(*arguments: str) -> bytes:
    """One command as RESP: an array of bulk strings."""
    parts = [argument.encode() for argument in arguments]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Connection:
    """One authenticated connection; not shared between threads."""

    def __init__(self, host: str, port: int, password: str, timeout_s: float) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise RedisError(f"cannot connect to {host}:{port}: {error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")
        if password:
            try:
                self.ask([("AUTH", password)])
            except RedisError:
                self.close()
                raise

    def ask(self, commands: list[tuple[str, ...]]) -> list[Reply]:
        """Send the commands together and return their replies; raises RedisError when one was refused or a reply is missing."""
        try:
            self._socket.sendall(b"".join(encode(*command) for command in commands))
            return [self._reply() for _ in commands]
        except (OSError, ValueError) as error:
            raise RedisError(f"the conversation with Redis broke off: {error}") from error

    def stale(self) -> bool:
        """Whether an idle connection was closed by Redis."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def _reply(self) -> Reply:
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise RedisError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(f"Redis refused: {rest.decode(errors='replace')}")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b"*":
            return [str(self._reply()) for _ in range(int(rest))]
        raise RedisError(f"not a reply that the guestbook asks for: {line[:40]!r}")

    def _bulk(self, length: int) -> str | None:
        if length < 0:
            return None
        data = self._reader.read(length + 2)
        if len(data) != length + 2:
            raise RedisError("Redis closed the connection")
        return data[:-2].decode(errors="replace")


class Pool:
    """Idle connections to one Redis, at most `idle_max` of them; safe to use from several threads."""

    def __init__(self, host: str, port: int, password: str, timeout_s: float, idle_max: int = 8) -> None:
        self._address = (host, port, password, timeout_s)
        self._idle_max = idle_max
        self._lock = threading.Lock()
        self._idle: list[Connection] = []

    def ask(self, *commands: tuple[str, ...]) -> list[Reply]:
        """Replies to a pipeline of commands, over an idle connection or a new one; raises RedisError."""
        connection = self._borrow()
        try:
            replies = connection.ask(list(commands))
        except RedisError:
            connection.close()
            self.clear()  # what one connection ran into, its siblings of the same age are about to
            raise
        with self._lock:
            if len(self._idle) < self._idle_max:
                self._idle.append(connection)
                return replies
        connection.close()
        return replies

    def clear(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _borrow(self) -> Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return Connection(*self._address)
            if not connection.stale():
                return connection
            connection.close()
