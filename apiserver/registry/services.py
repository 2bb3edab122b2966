"""Service addresses and node ports: given out once only, whatever the number of API servers.

Design. Every address and port that is given out has a key of its own in storage (a reservation), created with a
compare-and-swap: of any number of API servers exactly one gets it. No shared bitmap, so no hot key, and a free number costs one
write. The order of a write of a Service is

    reserve → write the Service, guarded by the reservation's revision → give back what the Service does not hold (any more)

so that at each moment every number that a stored Service holds is reserved for it. A crash between two steps leaves a
reservation too many, never one too few; `repair` removes those. It may even remove one whose Service is about to be written:
the guard then refuses that write, and the client tries again. So repair needs no lock either; it waits for a second look only
to spare clients the retry. The reservations live in storage and so survive restarts.

Source: the Kubernetes page "Service" (type, clusterIP, nodePort); the wording of refusals is Kubernetes'.
"""

import logging
import random
from collections.abc import AsyncIterator, Iterable

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import ApiError, FieldError
from apimachinery.kinds import Service, ServicePort
from apimachinery.kinds.object import Object
from apimachinery.resources import SERVICES
from apiserver.core.allocation import CLUSTER_IPS, NODE_PORTS, Range, address_number, address_text
from apiserver.core.keys import KeySpace
from apiserver.failures import storage_error
from apiserver.registry.current import as_current, readable
from apiserver.storage import port

log = logging.getLogger(__name__)

BLIND_TRIES = 4
HEADLESS = "None"


class Owner(msgspec.Struct, frozen=True):
    """The value of a reservation: the Service that it is for."""

    namespace: str
    name: str
    uid: str


Held = frozenset[tuple[str, int]]
"""Numbers of a Service, each with its kind (CLUSTER_IPS or NODE_PORTS)."""


def held_by(service: Service | None) -> Held:
    """What a Service as written in storage holds."""
    if service is None:
        return frozenset()
    addresses = service.spec.cluster_ips or [service.spec.cluster_ip]
    numbers = {(CLUSTER_IPS, number) for text in addresses if (number := address_number(text)) is not None}
    return frozenset(numbers | {(NODE_PORTS, each.node_port) for each in service.spec.ports if each.node_port})


class Allocator:
    """Reserves and gives back; also the `Reservations` of the Service resource."""

    def __init__(
        self, storage: port.Storage, keys: KeySpace, *, addresses: Range, ports: Range, network: str, rng: random.Random
    ) -> None:
        self.ranges = {CLUSTER_IPS: addresses, NODE_PORTS: ports}
        self.network = network
        self._storage = storage
        self._keys = keys
        self._rng = rng
        self._suspects: set[tuple[bytes, int]] = set()

    def begin(self) -> "ServiceReservation":
        return ServiceReservation(self)

    async def reserve(self, kind: str, number: int, owner: Owner) -> port.Guard | None:
        """Take a number; None when it is taken by another Service."""
        key = self._key(kind, number)
        try:
            return port.Guard(key, await self._storage.create(key, codec.encode(owner)))
        except port.KeyExists as error:
            taken = msgspec.json.decode(error.current.value, type=Owner)
            return port.Guard(key, error.current.mod_revision) if taken == owner else None
        except port.StorageError as error:
            raise storage_error(error, SERVICES, owner.name) from error

    async def is_free(self, kind: str, number: int) -> bool:
        return await self._storage.get(self._key(kind, number)) is None

    async def candidates(self, kind: str) -> AsyncIterator[int]:
        """Numbers to try: a few blindly, then all that are not known to be taken."""
        blind = self.ranges[kind].candidates((), self._rng)
        for _, number in zip(range(BLIND_TRIES), blind, strict=False):
            yield number
        prefix = self._keys.reservations(kind)
        page = await self._storage.list(prefix)
        taken = {self._number(kind, item.key) for item in page.items}
        for number in self.ranges[kind].candidates(taken, self._rng):
            yield number

    async def give_back(self, kind: str, number: int, uid: str) -> None:
        """Free a number if it is reserved for the Service with this uid; what fails here is left to `repair`."""
        key = self._key(kind, number)
        try:
            found = await self._storage.get(key)
            if found is not None and msgspec.json.decode(found.value, type=Owner).uid == uid:
                await self._storage.delete(key, expected_revision=found.mod_revision)
        except port.StorageError as error:
            fields = {"kind": kind, "number": number, "error": str(error)}
            log.warning("a reservation could not be given back yet", extra=fields)

    async def repair(self) -> None:
        """Free reservations that no Service has held in two looks running, and reserve what a Service holds without one.

        While there is a Service that cannot be read nothing is freed, for nobody knows what it holds.
        """
        reserved: list[tuple[str, port.KeyValue]] = []
        for kind in self.ranges:
            page = await self._storage.list(self._keys.reservations(kind))
            reserved += [(kind, item) for item in page.items]
        services, all_readable = await self._services()
        held = {(kind, number, each.metadata.uid) for each in services for kind, number in held_by(each)}
        suspects = set()
        for kind, item in reserved if all_readable else ():
            if self._holder(kind, item) not in held:
                suspects.add((item.key, item.mod_revision))
        for key, revision in suspects & self._suspects:
            try:
                await self._storage.delete(key, expected_revision=revision)
                log.info("freed a reservation that no service holds", extra={"key": key.decode()})
            except (port.Conflict, port.KeyMissing):
                continue  # somebody else was faster
        self._suspects = suspects - self._suspects
        for each in services:
            owner = Owner(each.metadata.namespace, each.metadata.name, each.metadata.uid)
            for kind, number in held_by(each):
                if number in self.ranges[kind] and await self.reserve(kind, number, owner) is None:
                    log.error("a service holds a number of another", extra={"service": f"{owner.namespace}/{owner.name}"})

    async def _services(self) -> tuple[list[Service], bool]:
        """The Services that can be read, and whether that is all of them."""
        page = await self._storage.list(self._keys.collection(SERVICES))
        found = list(readable(Service, map(as_current, page.items)))
        return found, len(found) == len(page.items)

    def _holder(self, kind: str, item: port.KeyValue) -> tuple[str, int, str] | None:
        """What a reservation is of and whose; None for one that cannot be read, which is nobody's."""
        try:
            return kind, self._number(kind, item.key), msgspec.json.decode(item.value, type=Owner).uid
        except (msgspec.MsgspecError, ValueError):
            return None

    def _key(self, kind: str, number: int) -> bytes:
        text = address_text(number) if kind == CLUSTER_IPS else str(number)
        return self._keys.reservations(kind) + text.encode()

    def _number(self, kind: str, key: bytes) -> int:
        text = key.rpartition(b"/")[2].decode()
        return (address_number(text) or 0) if kind == CLUSTER_IPS else int(text)


class ServiceReservation:
    """The numbers of one write of one Service; see `objects.Reservation`."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self._guards: dict[tuple[str, int], port.Guard] = {}
        self._before: Held = frozenset()
        self._uid = ""
        self._dry_run = False

    async def prepare(self, new: Object, old: Object | None, *, dry_run: bool) -> tuple[port.Guard, ...]:
        """See `objects.Reservation.prepare`."""
        if not isinstance(new, Service) or not (old is None or isinstance(old, Service)):
            raise TypeError("only Services have addresses and node ports")
        self._dry_run = dry_run
        self._uid = new.metadata.uid
        self._before = held_by(old)
        if old is not None:
            keep_allocated(new, old)
        await self._address(new)
        await self._node_ports(new)
        held = held_by(new)
        return tuple(guard for number, guard in self._guards.items() if number in held)

    async def written(self, data: bytes, *, removed: bool) -> None:
        """See `objects.Reservation.written`."""
        try:
            service = codec.decode(Service, data)
        except ApiError:
            return  # one that could not be read has been removed; `repair` finds what it held
        self._uid = service.metadata.uid
        held = held_by(service)
        await self._free((self._before | set(self._guards) | held) - (frozenset() if removed else held))

    async def failed(self) -> None:
        """See `objects.Reservation.failed`."""
        await self._free(self._guards)

    async def _free(self, numbers: Iterable[tuple[str, int]]) -> None:
        if not self._dry_run:
            for kind, number in numbers:
                await self._allocator.give_back(kind, number, self._uid)

    async def _address(self, service: Service) -> None:
        spec = service.spec
        if spec.type == "ExternalName":
            return
        if spec.cluster_ips and not spec.cluster_ip:
            spec.cluster_ip = spec.cluster_ips[0]
        if not spec.cluster_ip:
            spec.cluster_ip = address_text(await self._choose(CLUSTER_IPS, service))
        elif spec.cluster_ip != HEADLESS:
            await self._take_address(service, spec.cluster_ip)
        if not spec.cluster_ips:
            spec.cluster_ips = [spec.cluster_ip]

    async def _take_address(self, service: Service, text: str) -> None:
        number = address_number(text)
        if number is None:
            return  # validation says what is wrong with it
        if number not in self._allocator.ranges[CLUSTER_IPS]:
            network = self._allocator.network
            detail = f"the provided IP ({text}) is not in the valid range. The range of valid IPs is {network}"
            raise _refused_address(service, text, detail)
        if not await self._take(CLUSTER_IPS, number, service):
            raise _refused_address(service, text, "provided IP is already allocated")

    async def _node_ports(self, service: Service) -> None:
        spec = service.spec
        wanted = spec.type == "NodePort" or (
            spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
        )
        for index, each in enumerate(spec.ports):
            if each.node_port and (wanted or spec.type == "LoadBalancer"):
                await self._take_node_port(service, index, each.node_port)
        if wanted:
            for each in spec.ports:
                if not each.node_port:
                    each.node_port = _shared_port(spec.ports, each) or await self._choose(NODE_PORTS, service)

    async def _take_node_port(self, service: Service, index: int, number: int) -> None:
        valid = self._allocator.ranges[NODE_PORTS]
        path = f"spec.ports[{index}].nodePort"
        if number not in valid:
            detail = f"provided port is not in the valid range. The range of valid ports is {valid.first}-{valid.last}"
            raise errors.invalid("Service", service.metadata.name, [FieldError.invalid(path, number, detail)])
        if not await self._take(NODE_PORTS, number, service):
            wrong = FieldError.invalid(path, number, "provided port is already allocated")
            raise errors.invalid("Service", service.metadata.name, [wrong])

    async def _take(self, kind: str, number: int, service: Service) -> bool:
        if (kind, number) in self._before or (kind, number) in self._guards:
            return True
        if self._dry_run:
            return await self._allocator.is_free(kind, number)
        guard = await self._allocator.reserve(kind, number, _owner(service))
        if guard is not None:
            self._guards[kind, number] = guard
        return guard is not None

    async def _choose(self, kind: str, service: Service) -> int:
        chosen = {number for reserved, number in held_by(service) if reserved == kind}
        for reserved, number in self._guards:
            if reserved == kind and number not in chosen:
                return number  # taken in an earlier try of this write
        async for number in self._allocator.candidates(kind):
            if number not in chosen and await self._take(kind, number, service):
                return number
        what = "a service IP" if kind == CLUSTER_IPS else "a nodePort"
        raise errors.internal(f"failed to allocate {what}: range is full")


def keep_allocated(new: Service, old: Service) -> None:
    """An update that says nothing about numbers keeps those of the stored Service; one that changes the type sheds them."""
    if _has_address(old):
        if not _has_address(new):
            if new.spec.cluster_ip == old.spec.cluster_ip:
                new.spec.cluster_ip, new.spec.cluster_ips = "", []
        elif not new.spec.cluster_ip:
            new.spec.cluster_ip = new.spec.cluster_ips[0] if new.spec.cluster_ips else old.spec.cluster_ip
        if _has_address(new) and new.spec.cluster_ip == old.spec.cluster_ip and not new.spec.cluster_ips:
            new.spec.cluster_ips = list(old.spec.cluster_ips)
    known = {(each.protocol, each.port): each.node_port for each in old.spec.ports if each.node_port}
    if not known:
        return
    if not _has_node_ports(new):
        for each in new.spec.ports:
            if each.node_port == known.get((each.protocol, each.port)):
                each.node_port = None
        return
    used = {(each.protocol, each.node_port) for each in new.spec.ports if each.node_port}
    for each in new.spec.ports:
        before = known.get((each.protocol, each.port))
        if not each.node_port and before and (each.protocol, before) not in used:
            each.node_port = before


def _shared_port(ports: list[ServicePort], wanted: ServicePort) -> int | None:
    """The node port of the same port over another protocol, as DNS wants it."""
    taken = {each.node_port for each in ports if each.protocol == wanted.protocol}
    same = (each.node_port for each in ports if each.port == wanted.port and each.protocol != wanted.protocol)
    return next((number for number in same if number and number not in taken), None)


def _has_address(service: Service) -> bool:
    return service.spec.type != "ExternalName"


def _has_node_ports(service: Service) -> bool:
    return service.spec.type in ("NodePort", "LoadBalancer")


def _owner(service: Service) -> Owner:
    return Owner(service.metadata.namespace, service.metadata.name, service.metadata.uid)


def _refused_address(service: Service, text: str, detail: str) -> errors.ApiError:
    message = f'Invalid value: ["{text}"]: failed to allocate IP {text}: {detail}'
    wrong = FieldError("spec.clusterIPs", errors.Cause.INVALID, message)
    return errors.invalid("Service", service.metadata.name, [wrong])
