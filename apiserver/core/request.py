"""What both doors turn a call into, and what the handler chain answers with.

A door parses its wire into a `Request`, awaits `Api.handle`, and writes the `Answer` it gets to its wire. Everything between,
rules included, sees only these types, so the two doors cannot come to differ."""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from apimachinery.resources import Resource


class Verb(StrEnum):
    """What is asked of a resource, as authorization and metrics name it."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    DELETE_COLLECTION = "deletecollection"
    CONNECT = "connect"

    @property
    def mutating(self) -> bool:
        return self in _MUTATING


_MUTATING = frozenset((Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE, Verb.DELETE_COLLECTION))


class FieldValidation(StrEnum):
    """What to do about fields that the kind does not have, and keys that stand twice."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


class PatchType(StrEnum):
    """Media types of patches; those of APPLY are configurations for a server-side apply, as YAML or JSON."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


ANONYMOUS = "system:anonymous"
MASTERS = "system:masters"
"""The group of those who may do everything."""
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
"""The groups of everybody who has said, and proved, who it is, and of those who have not."""


class User(msgspec.Struct, frozen=True):
    """Who asks: a client certificate's common name and organizations, or the ServiceAccount of a token.

    uid: "" for users that no object stands for; extra: what else is known, such as the pod that a token is bound to.
    """

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Fence(msgspec.Struct, frozen=True):
    """A leader's claim: the Lease `namespace/name` names `holder`, in its term number `epoch` (leaseTransitions)."""

    namespace: str
    name: str
    holder: str
    epoch: int


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a request, parsed; what was not given has the default that the API documents.

    resource_version: "" the newest, "0" whatever is at hand, "N" not older than N (or exactly, see resource_version_match).
    limit: 0 for no limit; timeout_s: how long a watch lasts, 0 for the server's choice.
    """

    dry_run: bool = False
    field_manager: str = ""
    force: bool | None = None
    field_validation: FieldValidation = FieldValidation.IGNORE
    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_token: str = ""
    allow_bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_s: float = 0.0
    propagation_policy: str = ""
    grace_period_s: int | None = None
    orphan_dependents: bool | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    """Parameters of the streaming subresources (log, exec, ...), in their order."""


DEFAULT_OPTIONS = Options()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `content_type` is that of the body: a patch type for patches, else JSON, YAML or protobuf.

    method: of a connect, the HTTP method it came with.
    agent: what the client calls itself when it names no field manager.
    """

    verb: Verb
    resource: Resource
    user: User
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: bytes = b""
    content_type: str = "application/json"
    options: Options = DEFAULT_OPTIONS
    agent: str = ""
    fence: Fence | None = None
    form: Resource | None = None
    """The row in whose form the objects of `resource` are spoken of, when that is not their own; see `core.forms`."""
    method: str = ""

    @property
    def row(self) -> Resource:
        """The row in whose form the objects are spoken of."""
        return self.form or self.resource

    @property
    def manager(self) -> str:
        """Whom the fields that this request writes belong to."""
        return self.options.field_manager or self.agent

    @property
    def needed_verb(self) -> str:
        """The verb that the user must be allowed.

        exec, attach and portforward act on a pod whatever the method: a WebSocket always comes with GET, and who may only read
        must not get a shell by it. What is proxied is what its method says.
        """
        if self.verb is not Verb.CONNECT:
            return str(self.verb)
        if self.subresource in ("exec", "attach", "portforward"):
            return str(Verb.CREATE)
        return _METHOD_VERBS.get(self.method, str(Verb.GET if self.subresource == "log" else Verb.CREATE))


_METHOD_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "OPTIONS": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}


class Bind(msgspec.Struct, frozen=True):
    """One pod to place: its node, and annotations that are merged into the pod. `uid` "" means any pod of that name."""

    namespace: str
    name: str
    uid: str
    node: str
    annotations: dict[str, str]


class Document(msgspec.Struct, frozen=True):
    """One object (or a Status) as JSON; `revision` is 0 where there is none."""

    body: bytes
    revision: int = 0
    code: int = 200
    warnings: tuple[str, ...] = ()


class Item(Protocol):
    """One object of a list: the shared bytes of the cache, never copied or encoded again."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    @property
    def revision(self) -> int: ...


class Listing(msgspec.Struct, frozen=True):
    """A list: its objects' shared items, and the list's own metadata. `remaining` is None when it is not known."""

    resource: Resource
    items: Sequence[Item]
    revision: int
    continue_token: str = ""
    remaining: int | None = None
    warnings: tuple[str, ...] = ()


class Event(Protocol):
    """One event of a watch: `data` is the object's JSON, `line` the whole event as a line of JSON.

    `wire` is where the gRPC door keeps the event in its own form, for all watchers.
    """

    wire: bytes | None

    @property
    def type(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    @property
    def revision(self) -> int: ...

    @property
    def line(self) -> bytes: ...


class EventBatch(Protocol):
    """Events of one delivery, shared by all watchers that get them; without events it is a bookmark at `revision`."""

    wire: bytes | None

    @property
    def events(self) -> Sequence[Event]: ...

    @property
    def revision(self) -> int: ...

    @property
    def bookmark(self) -> bool: ...

    @property
    def initial_events_end(self) -> bool: ...

    @property
    def payload(self) -> bytes: ...


class Watching(msgspec.Struct, frozen=True):
    """A running watch. Whoever holds it iterates `batches` and closes them when done, or after `timeout_s` (0: never)."""

    resource: Resource
    batches: "Batches"
    timeout_s: float = 0.0
    warnings: tuple[str, ...] = ()


class Batches(Protocol):
    """The batches of a watch; iteration raises ApiError when the watch cannot go on."""

    def __aiter__(self) -> AsyncIterator[EventBatch]: ...

    async def aclose(self) -> None: ...


class Streaming(msgspec.Struct, frozen=True):
    """A text stream, such as a container's log; closing the iterator ends it at its source."""

    chunks: AsyncIterator[bytes]
    content_type: str = "text/plain"


class Connecting(msgspec.Struct, frozen=True):
    """A two-way stream that the door has to bridge: exec, attach or portforward of a pod on a node."""

    kind: str
    node: str
    namespace: str
    pod: str
    uid: str
    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False
    ports: tuple[int, ...] = ()


class Proxying(msgspec.Struct, frozen=True):
    """A request that the door has to pass on to a port of a pod or (without `pod`) of a node, by way of its kubelet.

    node: the kubelet's endpoint; port: 0 for the kubelet's own health and metrics.
    """

    node: str
    namespace: str
    pod: str
    uid: str
    port: int
    secure: bool = False


Answer: TypeAlias = Document | Listing | Watching | Streaming | Connecting | Proxying
