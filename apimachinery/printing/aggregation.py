"""The table of APIServices."""

from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, condition, name_of


def api_service_cells(api_service: Plain, now: datetime) -> list[Cell]:
    service = (api_service.get("spec") or {}).get("service")
    where = f"{service.get('namespace') or ''}/{service.get('name') or ''}" if service else "Local"
    return [name_of(api_service), where, _available(api_service), age(api_service, now)]


def _available(api_service: Plain) -> str:
    """`True`, `False (ServiceNotFound)`, `Unknown` before it has been looked at."""
    found = condition(api_service, "Available") or {}
    status = found.get("status") or "Unknown"
    reason = found.get("reason")
    return f"{status} ({reason})" if status != "True" and reason else status


API_SERVICE = TableShape(
    (
        NAME,
        Column("Service", description="Where its servers are; Local for what this server serves itself."),
        Column("Available", description="Whether requests for it are served now, and why not."),
        AGE,
    ),
    api_service_cells,
)
