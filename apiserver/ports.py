"""What the handler chain needs from outside beyond storage, and what may be put in its place."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from typing import Protocol

from apimachinery.kinds import TokenReviewStatus
from apiserver.core.access import Decision, Question, Rules
from apiserver.core.backends import Backend as Backend
from apiserver.core.request import Request, User
from proto.gen import node_pb2


class Authorizer(Protocol):
    """Decides whether a user may do what a request asks."""

    def authorize(self, request: Request) -> None:
        """Return when it is allowed; raises ApiError (403) when not."""
        ...

    def authorize_path(self, user: User, path: str, verb: str = "get") -> None:
        """The same for a path that names no resource (/version, /metrics); raises ApiError (403)."""
        ...

    def decide(self, question: Question) -> Decision:
        """What would become of somebody's request; reviews ask."""
        ...

    def rules(self, user: User, namespace: str) -> Rules:
        """What a user may do in a namespace, as far as that can be listed."""
        ...


class Tokens(Protocol):
    """Knows whose a bearer token is."""

    def review(self, token: str, audiences: Sequence[str]) -> TokenReviewStatus:
        """Whose it is, and for which of the audiences it is good; not authenticated for a token that is nobody's."""
        ...


class Nodes(Protocol):
    """The kubelets, each reached at `host:port`. Whatever goes wrong is raised as ApiError; streams end when closed."""

    def logs(self, endpoint: str, request: node_pb2.LogsRequest) -> AsyncGenerator[bytes, None]: ...

    def execute(
        self, endpoint: str, kind: str, inputs: AsyncIterable[node_pb2.StreamInput]
    ) -> AsyncIterator[node_pb2.StreamOutput]:
        """Run (`kind` exec) or join (attach) a process; the last output carries its exit code."""
        ...

    def forward(
        self, endpoint: str, inputs: AsyncIterable[node_pb2.PortForwardData]
    ) -> AsyncIterator[node_pb2.PortForwardData]: ...

    async def close(self) -> None: ...


class BackendError(Exception):
    """A backend that could not be asked, or whose answer is no good; its text is a sentence that names the URL."""


class Backends(Protocol):
    """The HTTPS servers that the API server asks: webhooks of admission and of conversion."""

    async def post(self, backend: Backend, body: bytes, *, timeout_s: float) -> bytes:
        """Send JSON, return the body of a 200; raises BackendError, for the lack of an answer after `timeout_s` too.

        A backend may be asked twice when a connection ends before it has answered.
        """
        ...

    async def close(self) -> None: ...
