"""What one call of kctl works with: the flags that choose a server, and all that follows from them, made when asked for."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from kctl.errors import KctlError

if TYPE_CHECKING:
    from apimachinery.clock import Clock
    from kctl.discovery import Discovery
    from kctl.kubeconfig import Connection
    from kctl.rest import RestClient
    from kctl.tables import Tables


@dataclass
class Session:
    """Flags of every command in `flags` (by parameter name); the rest is lazy."""

    flags: dict[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    after_dashes: int | None = None
    """How many of the arguments stood behind `--`; None when there was none."""

    @property
    def out(self) -> TextIO:
        return sys.stdout

    @property
    def err(self) -> TextIO:
        return sys.stderr

    def say(self, text: str) -> None:
        """One line of result."""
        self.out.write(f"{text}\n")

    def note(self, text: str) -> None:
        """One line about what is going on, apart from the result."""
        self.out.flush()
        self.err.write(f"{text}\n")
        self.err.flush()

    @cached_property
    def connection(self) -> "Connection":
        from kctl import kubeconfig
        from kctl.durations import parse_duration

        given = {key: value for key, value in self.flags.items() if value is not None}
        timeout = given.pop("request_timeout", "0")
        return kubeconfig.connection(
            kubeconfig.Flags(**given, request_timeout_s=parse_duration(timeout, "request-timeout")), self.environment
        )

    @cached_property
    def client(self) -> "RestClient":
        from kctl.rest import RestClient

        return RestClient(self.connection)

    @cached_property
    def discovery(self) -> "Discovery":
        from kctl.discovery import Discovery

        return Discovery(self.client)

    @cached_property
    def tables(self) -> "Tables":
        from kctl.tables import Tables

        return Tables(self.client, self.discovery)

    @cached_property
    def clock(self) -> "Clock":
        from apimachinery.clock import SystemClock

        return SystemClock()

    @property
    def namespace(self) -> str:
        return self.connection.namespace

    def namespace_of(self, metadata: Mapping[str, Any]) -> str:
        """Where an object of a manifest goes; raises KctlError when that contradicts an explicit --namespace."""
        own = str(metadata.get("namespace") or "")
        if own and self.connection.namespace_given and own != self.namespace:
            raise KctlError(
                f'the namespace from the provided object "{own}" does not match the namespace "{self.namespace}". '
                f"You must pass '--namespace={own}' to perform this operation."
            )
        return own or self.namespace

    def read_stdin(self) -> str:
        return sys.stdin.read()
