"""Tables of the small kinds: configuration, namespaces, service accounts, events, leases; and the one for all others."""

from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of, since, wide


def generic_cells(obj: Plain, now: datetime) -> list[Cell]:
    return [name_of(obj), age(obj, now)]


def config_map_cells(config_map: Plain, now: datetime) -> list[Cell]:
    count = len(config_map.get("data") or {}) + len(config_map.get("binaryData") or {})
    return [name_of(config_map), count, age(config_map, now)]


def secret_cells(secret: Plain, now: datetime) -> list[Cell]:
    return [name_of(secret), secret.get("type", ""), len(secret.get("data") or {}), age(secret, now)]


def service_account_cells(account: Plain, now: datetime) -> list[Cell]:
    return [name_of(account), len(account.get("secrets") or ()), age(account, now)]


def namespace_cells(namespace: Plain, now: datetime) -> list[Cell]:
    return [name_of(namespace), (namespace.get("status") or {}).get("phase", ""), age(namespace, now)]


def lease_cells(lease: Plain, now: datetime) -> list[Cell]:
    return [name_of(lease), (lease.get("spec") or {}).get("holderIdentity") or "", age(lease, now)]


def event_times(event: Plain) -> tuple[str, str, int]:
    """When an event was first and last seen (RFC 3339, "" when unknown) and how often."""
    first = event.get("firstTimestamp") or event.get("eventTime") or ""
    last, count = event.get("lastTimestamp") or first, int(event.get("count") or 1)
    series = event.get("series")
    if series:
        last, count = series.get("lastObservedTime") or last, int(series.get("count") or count)
    return first, last, count


def event_source(event: Plain) -> str:
    """`kubelet, node-1`: who reported an event, and from where."""
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return ", ".join(filter(None, (component, host)))


def event_cells(event: Plain, now: datetime) -> list[Cell]:
    first, last, count = event_times(event)
    target = event.get("involvedObject") or {}
    kind = str(target.get("kind", "")).lower()
    return [
        since(last, now),
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{target['name']}" if target.get("name") else kind,
        target.get("fieldPath", ""),
        event_source(event),
        str(event.get("message", "")).strip(),
        since(first, now),
        count,
        name_of(event),
    ]


def new_event_cells(event: Plain, now: datetime) -> list[Cell]:
    """The same of an event in its newer form, which names fields otherwise."""
    older = {
        "involvedObject": event.get("regarding"),
        "message": event.get("note", ""),
        "reportingComponent": event.get("reportingController"),
        "source": event.get("deprecatedSource"),
        "count": event.get("deprecatedCount"),
        "firstTimestamp": event.get("deprecatedFirstTimestamp"),
        "lastTimestamp": event.get("deprecatedLastTimestamp"),
    }
    return event_cells({**event, **older}, now)


GENERIC = TableShape((NAME, AGE), generic_cells)

CONFIG_MAP = TableShape((NAME, Column("Data", "integer", description="How many entries it holds."), AGE), config_map_cells)

SECRET = TableShape(
    (
        NAME,
        Column("Type", description="What it is for."),
        Column("Data", "integer", description="How many entries it holds."),
        AGE,
    ),
    secret_cells,
)

SERVICE_ACCOUNT = TableShape(
    (NAME, Column("Secrets", "integer", description="How many secrets it names."), AGE), service_account_cells
)

NAMESPACE = TableShape((NAME, Column("Status", description="Whether it is in use or going away."), AGE), namespace_cells)

LEASE = TableShape((NAME, Column("Holder", description="Who holds it."), AGE), lease_cells)

EVENT = TableShape(
    (
        Column("Last Seen", description="How long ago it last happened."),
        Column("Type", description="Normal or Warning."),
        Column("Reason", description="What happened, in one word."),
        Column("Object", description="What it happened to."),
        wide("Subobject", "The part of the object."),
        wide("Source", "Who reported it."),
        Column("Message", description="What happened."),
        wide("First Seen", "How long ago it first happened."),
        wide("Count", "How often it happened.", "integer"),
        Column("Name", format="name", priority=1, description="The event's own name."),
    ),
    event_cells,
)

NEW_EVENT = TableShape(EVENT.columns, new_event_cells)
