"""Configuration: versioned YAML files into frozen, validated Structs.

A file says `apiVersion: coxswain.dev/v1` and a `kind`, the Struct's name. Keys are camelCase; an unknown key, a missing
one and a wrong type are refused with the file and the path. The blocks that several components share stand here.
"""

from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

API_VERSION = "coxswain.dev/v1"


class ConfigError(Exception):
    """The file cannot be used; the message says which file, where and why."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A block of a configuration file."""


class Configuration(Section, frozen=True, kw_only=True):
    """A whole file; the class' name is its `kind`."""

    api_version: str
    kind: str


class ClientConnection(Section, frozen=True):
    """How a component reaches the API servers: gRPC `host:port` endpoints and its own certificate."""

    endpoints: list[str]
    ca_file: str
    cert_file: str
    key_file: str


class LeaderElectionConfig(Section, frozen=True):
    """Who this candidate is, and the times of the lease."""

    identity: str
    lease_duration_seconds: float = 6.0
    renew_deadline_seconds: float = 4.0
    retry_period_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not self.lease_duration_seconds > self.renew_deadline_seconds > self.retry_period_seconds > 0:
            raise ValueError("leaseDurationSeconds > renewDeadlineSeconds > retryPeriodSeconds > 0 must hold")


class HealthConfig(Section, frozen=True):
    """Where health and metrics are served, plain HTTP on loopback; port 0 turns it off."""

    address: str = "127.0.0.1"
    port: int = 0


ConfigurationT = TypeVar("ConfigurationT", bound=Configuration)


def load(path: str | Path, cls: type[ConfigurationT]) -> ConfigurationT:
    """The configuration in a file; raises ConfigError."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}") from error
    return parse(text, cls, where=str(path))


def parse(text: str, cls: type[ConfigurationT], where: str = "configuration") -> ConfigurationT:
    """The configuration in a text; raises ConfigError that starts with `where`."""
    try:
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {error}") from error
    try:
        config = msgspec.convert(plain, cls)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error
    if (config.api_version, config.kind) != (API_VERSION, cls.__name__):
        raise ConfigError(
            f"{where}: expected apiVersion {API_VERSION} and kind {cls.__name__}, found {config.api_version} {config.kind}"
        )
    return config
