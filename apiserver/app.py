"""The composition root: which parts there are, how they are joined, in which order they start and stop.

Start: caches follow the storage → synced → custom resources are served → bootstrap → webhooks and policies count, aggregated
API servers are looked after → doors open → READY. Stop: doors take nothing new, watches end, what was accepted is finished →
background tasks end → connections and the storage are closed.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from apimachinery.clock import Clock, SystemClock
from apimachinery.resources import (
    MUTATING_WEBHOOK_CONFIGURATIONS,
    SERVICES,
    TABLE,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
    Resource,
    ResourceTable,
)
from apiserver import tls
from apiserver.adapters import GrpcNodes
from apiserver.aggregation import Aggregation, ProxyClient
from apiserver.aggregation.servers import Reach
from apiserver.backends import HttpsBackends
from apiserver.bootstrap import bootstrap
from apiserver.cache import WatchCache
from apiserver.chain import Api
from apiserver.config import (
    ApiServerConfiguration,
    KubeletClientConfig,
    LimitsConfig,
    RequestHeaderConfig,
    ServiceAccountConfig,
    StorageConfig,
)
from apiserver.conversions import converter_of
from apiserver.core.aggregation.identity import published
from apiserver.core.allocation import address_range, address_text, port_range
from apiserver.core.indexing import index_for
from apiserver.core.keys import KeySpace
from apiserver.core.service_account_tokens import Policy
from apiserver.doors.grpc_door import GrpcDoor
from apiserver.doors.health import Check
from apiserver.doors.openid import KEYS_PATH, OpenId, openid
from apiserver.doors.rest import RestDoor
from apiserver.extensions import Extensions
from apiserver.flow import Lines
from apiserver.identity import NoTokens
from apiserver.loops import repair_forever
from apiserver.metrics import Metrics
from apiserver.ports import Authorizer, Backends, Nodes, Tokens
from apiserver.registry.admission import Admission
from apiserver.registry.admission_policies import ValidatingPolicies
from apiserver.registry.applying import Applies
from apiserver.registry.authorizing import RoleAuthorizer
from apiserver.registry.connecting import Connections
from apiserver.registry.evictions import Evictions
from apiserver.registry.mutating_policies import MutatingPolicies
from apiserver.registry.objects import Objects
from apiserver.registry.parameter_access import ParameterAccess
from apiserver.registry.pods import Pods
from apiserver.registry.privileges import Privileges
from apiserver.registry.quotas import Quotas
from apiserver.registry.reading import Reading
from apiserver.registry.reviews import Reviews
from apiserver.registry.scales import Scales
from apiserver.registry.service_accounts import Accounts
from apiserver.registry.services import Allocator
from apiserver.registry.store import ObjectStore
from apiserver.registry.token_authentication import ServiceAccountTokens
from apiserver.registry.token_requests import TokenRequests
from apiserver.registry.webhook_metrics import WebhookMetrics
from apiserver.registry.webhooks import Webhooks
from apiserver.storage.compactor import compact_forever
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.etcd_endpoints import TlsFiles
from apiserver.storage.measured import MeasuredStorage
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Storage, StorageError
from apiserver.storage.revisions import Revisions
from apiserver.strategy import STRATEGIES
from component_base import notify, run
from component_base.signing import Signer, Verifier, public_keys
from component_base.tasks import forever

CLUSTER_DNS_OFFSET = 9
"""The cluster's name server has the tenth address of the service network; the API server the first."""
LAST_REQUESTS_S = 0.3
HEALTH_TIMEOUT_S = 2.0


class TokenKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What tokens of ServiceAccounts are made and judged with; see `config.ServiceAccountConfig`.

    keys_url: "" for this server's own.
    """

    policy: Policy
    signer: Signer
    verifier: Verifier
    keys_url: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What shapes the server's behaviour, apart from where it listens and stores."""

    prefix: str = "/registry"
    service_cidr: str = "10.96.0.0/16"
    node_port_range: str = "30000-32767"
    advertise_address: str = "172.31.255.2"
    advertise_port: int = 6443
    event_ttl_s: float = 3600.0
    default_toleration_s: int = 5
    watch_history_changes: int = 8_192
    limits: LimitsConfig = LimitsConfig()
    tokens: TokenKeys | None = None
    proxy_client: ProxyClient | None = None
    """Who this server is to aggregated API servers."""
    authentication: Mapping[str, str] = {}
    """What extension API servers read to recognise clients; see `core.aggregation.identity.published`."""


class Assembly:
    """An API server without doors: everything behind `Api.handle`, on a given storage."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        nodes: Nodes,
        *,
        clock: Clock,
        rng: random.Random,
        backends: Backends | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.storage = storage = MeasuredStorage(storage, self.metrics.observe_storage, clock)
        self._revisions = Revisions(storage.current_revision)
        self.table = table = ResourceTable(TABLE.rows)
        self.nodes = nodes
        self.clock = clock
        self.rng = rng
        self.keys = keys = KeySpace(settings.prefix)
        self.caches: dict[Resource, WatchCache] = {row: self._new_cache(row) for row in table.stored}
        first = address_range(settings.service_cidr).first
        self.service_address = address_text(first)
        self.allocator = self._new_allocator(reserved=(self.service_address, address_text(first + CLUSTER_DNS_OFFSET)))
        reading = Reading(storage, self.caches, keys)
        store = ObjectStore(storage, keys, reading)
        authorizer = RoleAuthorizer(reading)
        connections = Connections(store, nodes, clock, rng)
        self.backends = backends or HttpsBackends(connections.serving, nodes)
        self.webhooks = webhooks = self._new_webhooks(reading, authorizer)
        strategies = dict(STRATEGIES)
        objects = Objects(
            store,
            strategies,
            Admission(reading, settings.default_toleration_s, Accounts(reading, rng) if settings.tokens else None),
            {SERVICES: self.allocator},
            Quotas(store, clock),
            Privileges(authorizer, ParameterAccess(table, reading, authorizer.decide)),
            webhooks,
            clock=clock,
            rng=rng,
            event_ttl_s=settings.event_ttl_s,
        )
        applies = Applies(objects)
        given = settings.tokens
        self.tokens: Tokens = NoTokens()
        token_requests = TokenRequests(None, None, reading, webhooks, clock, rng)
        if given is not None:
            self.tokens = ServiceAccountTokens(given.policy, given.verifier, reading, clock)
            token_requests = TokenRequests(given.policy, given.signer, reading, webhooks, clock, rng)
        self.api = Api(
            authorizer=authorizer,
            lines=_lines(settings.limits),
            reading=reading,
            objects=objects,
            applies=applies,
            pods=Pods(store, webhooks, clock),
            evictions=Evictions(store, objects, webhooks, clock),
            scales=Scales(store, objects, applies),
            connections=connections,
            reviews=Reviews(authorizer, self.tokens),
            token_requests=token_requests,
            webhooks=webhooks,
            metrics=self.metrics,
            clock=clock,
        )
        reach = Reach(connections, nodes, settings.proxy_client)
        self.aggregation = Aggregation(self.api, table, reading, reach, clock=clock, rng=rng)
        self.extensions = Extensions(
            table=table,
            caches=self.caches,
            strategies=strategies,
            store=store,
            new_cache=lambda family: self._new_cache(family.indexed, family.normalized),
            converter=lambda definition: converter_of(definition, self.backends, rng),
            on_change=self.aggregation.table_changed,
            clock=clock,
        )
        self.metrics.before_exposition(self._sample)

    def openid(self) -> OpenId:
        """What the server says about its keys."""
        keys, settings = self.settings.tokens, self.settings
        if keys is None:
            return OpenId()
        here = f"https://{settings.advertise_address}:{settings.advertise_port}{KEYS_PATH}"
        return openid(keys.policy.issuers[0], keys.keys_url or here, keys.verifier)

    def _new_allocator(self, reserved: tuple[str, ...]) -> Allocator:
        settings = self.settings
        return Allocator(
            self.storage,
            self.keys,
            addresses=address_range(settings.service_cidr, reserved),
            ports=port_range(settings.node_port_range),
            network=settings.service_cidr,
            rng=self.rng,
        )

    def _new_webhooks(self, reading: Reading, authorizer: Authorizer) -> Webhooks:
        return Webhooks(
            reading,
            self.backends,
            validating=self.caches[VALIDATING_WEBHOOK_CONFIGURATIONS],
            mutating=self.caches[MUTATING_WEBHOOK_CONFIGURATIONS],
            policies=ValidatingPolicies(reading, self.caches, table=self.table, authorizer=authorizer),
            mutating_policies=MutatingPolicies(reading, self.caches, table=self.table, authorizer=authorizer),
            table=self.table,
            authorizer=authorizer,
            metrics=WebhookMetrics(self.metrics.registry),
            clock=self.clock,
            rng=self.rng,
        )

    def _new_cache(self, row: Resource, normalize: Callable[[bytes], bytes] | None = None) -> WatchCache:
        return WatchCache(
            self.storage,
            self.keys.collection(row),
            index=index_for(row),
            rng=self.rng,
            history_limit=self.settings.watch_history_changes,
            on_waited=self.metrics.read_wait(row),
            current_revision=self._revisions.current,
            normalize=normalize,
        )

    def checks(self) -> dict[str, Check]:
        """What /healthz and /readyz ask, by name."""
        return {"etcd": self._storage_answers, "watch-cache": self._caches_synced}

    async def _storage_answers(self) -> str | None:
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                await self.storage.current_revision()
        except (StorageError, TimeoutError):
            return "the storage does not answer"
        return None

    async def _caches_synced(self) -> str | None:
        behind = [row.plural for row, cache in self.caches.items() if not cache.synced.is_set()]
        return f"not synced: {', '.join(behind)}" if behind else None

    def _sample(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.in_flight.labels("readOnly").set(self.api.lines.in_flight(mutating=False))
        self.metrics.in_flight.labels("mutating").set(self.api.lines.in_flight(mutating=True))
        for row, cache in self.caches.items():
            self.metrics.cache_revision.labels(row.group, row.plural).set(cache.revision)
            self.metrics.watchers.labels(row.group, row.plural).set(cache.watcher_count)
        self.metrics.unavailable_api_services.clear()
        for name in self.aggregation.unavailable():
            self.metrics.unavailable_api_services.labels(name).set(1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Caches, bootstrap and background work; the body runs once all of it stands. Closes the storage at the end.

        What the body raises leaves as it is; so does what ends a background task, after the body has been cancelled.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(forever(cache.run(), row.plural), name=f"cache/{row.qualified}")
                    for row, cache in self.caches.items()
                ]
                for name, work in (
                    ("compact", compact_forever(self.storage)),
                    ("repair", repair_forever(self.allocator)),
                    ("extensions", self.extensions.run(self.api)),
                ):
                    tasks.append(group.create_task(forever(work, name), name=name))
                try:
                    for cache in list(self.caches.values()):
                        await cache.synced.wait()
                    await self.extensions.ready.wait()
                    settings = self.settings
                    await bootstrap(
                        self.api,
                        service_address=self.service_address,
                        advertise_address=settings.advertise_address,
                        port=settings.advertise_port,
                        accounts=settings.tokens is not None,
                        authentication=settings.authentication,
                    )
                    self.webhooks.open()
                    self.aggregation.start()
                    tasks.append(group.create_task(forever(self.aggregation.run(), "aggregation"), name="aggregation"))
                    yield
                    await self.api.drain()
                finally:
                    for task in tasks:
                        task.cancel()
        except BaseExceptionGroup as group_error:
            if len(group_error.exceptions) > 1:
                raise
            raise group_error.exceptions[0] from None
        finally:
            await self.backends.close()
            await self.nodes.close()
            await self.storage.close()
            await self._revisions.close()


class Doors:
    """Both doors of an assembly on their sockets."""

    def __init__(self, assembly: Assembly, *, last_requests_s: float = 0.0) -> None:
        self.rest = RestDoor(
            assembly.api,
            assembly.table,
            assembly.nodes,
            assembly.checks(),
            assembly.tokens,
            assembly.aggregation,
            clock=assembly.clock,
            rng=assembly.rng,
            openid=assembly.openid(),
            last_requests_s=last_requests_s,
        )
        self.grpc = GrpcDoor(assembly.api, assembly.table, assembly.aggregation.ask)
        self.grpc_port = 0

    async def open(
        self, sockets: Sequence[socket.socket], grpc_address: str, grpc_port: int, *, cert: Path, key: Path, client_ca: Path
    ) -> None:
        """Begin to serve; raises OSError when an address cannot be had or a file cannot be read."""
        files = {"certificate": cert, "key": key, "client_ca": client_ca}
        pem = {name: _read(path) for name, path in files.items()}
        self.grpc_port = await self.grpc.start(grpc_address, grpc_port, **pem)
        await self.rest.start(sockets, tls.serving(cert, key, client_ca))

    async def close(self) -> None:
        """Take nothing new, end the watches, finish what was accepted."""
        await asyncio.gather(self.rest.stop(), self.grpc.stop())


def token_keys(config: ServiceAccountConfig) -> TokenKeys:
    """The keys in the files; raises OSError, and KeyFileError for what is no key."""
    signer = Signer(Path(config.signing_key_file).read_bytes())
    further = [key for path in config.key_files for key in public_keys(Path(path).read_bytes())]
    policy = Policy(
        issuers=(config.issuer,),
        audiences=tuple(config.api_audiences) or (config.issuer,),
        seconds_max=config.max_token_expiration_seconds,
        extend=config.extend_token_expiration,
    )
    return TokenKeys(policy=policy, signer=signer, verifier=Verifier((signer.public_key, *further)), keys_url=config.jwks_uri)


def listening_socket(address: str, port: int) -> socket.socket:
    """A socket that listens on address:port (0: any port)."""
    return socket.create_server((address, port), backlog=1024, reuse_port=False)


async def serve(config: ApiServerConfiguration, stop: asyncio.Event) -> None:
    """Serve until `stop`."""
    settings = Settings(
        prefix=config.storage.prefix,
        service_cidr=config.service_cidr,
        node_port_range=config.node_port_range,
        advertise_address=config.advertise_address,
        advertise_port=config.rest.port,
        event_ttl_s=float(config.event_ttl_seconds),
        default_toleration_s=config.default_toleration_seconds,
        limits=config.limits,
        tokens=token_keys(config.service_account) if config.service_account is not None else None,
        proxy_client=_proxy_client(config.request_header),
        authentication=_authentication(config),
    )
    sockets = [listening_socket(config.rest.address, config.rest.port)]
    sockets += [_inherited(number) for number in config.rest.listen_fds]
    assembly = Assembly(
        settings, _storage(config.storage), _nodes(config.kubelet_client), clock=SystemClock(), rng=random.SystemRandom()
    )
    doors = Doors(assembly, last_requests_s=LAST_REQUESTS_S)
    files = config.tls
    async with assembly.running():
        try:
            await doors.open(
                sockets,
                config.grpc.address,
                config.grpc.port,
                cert=Path(files.cert_file),
                key=Path(files.key_file),
                client_ca=Path(files.client_ca_file),
            )
            notify.ready()
            await stop.wait()
        finally:
            await doors.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The process: `--config FILE`."""
    return run.main("apiserver", ApiServerConfiguration, serve, argv)


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _inherited(number: int) -> socket.socket:
    inherited = socket.socket(fileno=number)
    inherited.setblocking(False)
    return inherited


def _lines(limits: LimitsConfig) -> Lines:
    return Lines(
        reads_in_flight=limits.reads_in_flight,
        reads_waiting=limits.reads_waiting,
        writes_in_flight=limits.writes_in_flight,
        writes_waiting=limits.writes_waiting,
    )


def _proxy_client(config: RequestHeaderConfig) -> ProxyClient | None:
    return ProxyClient(Path(config.cert_file), Path(config.key_file)) if config.cert_file else None


def _authentication(config: ApiServerConfiguration) -> Mapping[str, str]:
    headers = config.request_header
    request_header_ca = _read(Path(headers.ca_file)).decode() if headers.ca_file else ""
    return published(_read(Path(config.tls.client_ca_file)).decode(), request_header_ca, headers.allowed_names)


def _storage(config: StorageConfig) -> Storage:
    if config.backend == "memory":
        return MemoryStorage()
    files = TlsFiles(Path(config.ca_file), Path(config.cert_file), Path(config.key_file)) if config.ca_file else None
    return EtcdStorage(config.endpoints, tls=files)


def _nodes(config: KubeletClientConfig) -> Nodes:
    return GrpcNodes(
        ca=Path(config.ca_file).read_bytes(),
        certificate=Path(config.cert_file).read_bytes(),
        key=Path(config.key_file).read_bytes(),
    )
