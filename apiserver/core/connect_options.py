"""What exec, attach, portforward and proxy are asked with, as the objects that admission sees: their query, by their kind.

Source: the API reference of PodExecOptions, PodAttachOptions, PodPortForwardOptions and the *ProxyOptions.
"""

from collections.abc import Sequence

from apimachinery.kinds.base import Base, Int32
from apiserver.core.parameters import parse_boolean, parse_integer
from apiserver.core.paths import PROXY
from apiserver.core.request import Request

_OUR_PARAMETERS = ("stdin", "stdout", "stderr", "tty", "container", "command", "ports", "port")


class StreamOptions(Base):
    """core/v1.PodExecOptions, and PodAttachOptions, which has no command."""

    kind: str
    api_version: str
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""
    command: list[str] = []


class PortForwardOptions(Base):
    """core/v1.PodPortForwardOptions"""

    kind: str
    api_version: str
    ports: list[Int32] = []


class ProxyOptions(Base):
    """core/v1.PodProxyOptions, ServiceProxyOptions and NodeProxyOptions"""

    kind: str
    api_version: str
    path: str = ""


ConnectOptions = StreamOptions | PortForwardOptions | ProxyOptions


def options_of(request: Request) -> ConnectOptions:
    """The options that a request's query stands for; raises ApiError (400) for a port that is no number."""
    pairs = request.options.parameters
    first = dict(reversed(pairs))
    if request.subresource == PROXY:
        return ProxyOptions(kind=f"{request.resource.kind}ProxyOptions", api_version="v1", path=first.get("path", ""))
    if request.subresource == "portforward":
        texts = [text for key, value in pairs if key in ("ports", "port") for text in value.split(",")]
        ports = [number for text in texts if (number := parse_integer("ports", text, None)) is not None]
        return PortForwardOptions(kind="PodPortForwardOptions", api_version="v1", ports=ports)
    return StreamOptions(
        kind="PodExecOptions" if request.subresource == "exec" else "PodAttachOptions",
        api_version="v1",
        stdin=parse_boolean(first.get("stdin")),
        stdout=parse_boolean(first.get("stdout")),
        stderr=parse_boolean(first.get("stderr")),
        tty=parse_boolean(first.get("tty")),
        container=first.get("container", ""),
        command=[value for key, value in pairs if key == "command"],
    )


def parameters_of(options: StreamOptions | PortForwardOptions, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The query that stands for other options; what `pairs` holds beyond them stays."""
    rest = [(key, value) for key, value in pairs if key not in _OUR_PARAMETERS]
    if isinstance(options, PortForwardOptions):
        return (*rest, *(("ports", str(port)) for port in options.ports))
    flags = ("stdin", "stdout", "stderr", "tty")
    given = [(flag, "true") for flag in flags if getattr(options, flag)]
    if options.container:
        given.append(("container", options.container))
    return (*rest, *given, *(("command", word) for word in options.command))
