"""Tables of what governs others: roles and bindings, budgets, classes, certificate requests."""

from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of, wide
from apimachinery.times import human_duration


def role_cells(role: Plain, now: datetime) -> list[Cell]:
    return [name_of(role), (role.get("metadata") or {}).get("creationTimestamp") or ""]


def binding_cells(binding: Plain, now: datetime) -> list[Cell]:
    reference = binding.get("roleRef") or {}
    by_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in binding.get("subjects") or ():
        name = subject.get("name") or ""
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace') or ''}/{name}"
        by_kind.setdefault(subject.get("kind") or "", []).append(name)
    return [
        name_of(binding),
        f"{reference.get('kind') or ''}/{reference.get('name') or ''}",
        age(binding, now),
        ", ".join(by_kind["User"]),
        ", ".join(by_kind["Group"]),
        ", ".join(by_kind["ServiceAccount"]),
    ]


def budget_cells(budget: Plain, now: datetime) -> list[Cell]:
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        name_of(budget),
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        int(status.get("disruptionsAllowed") or 0),
        age(budget, now),
    ]


def priority_class_cells(priority: Plain, now: datetime) -> list[Cell]:
    return [
        name_of(priority),
        int(priority.get("value") or 0),
        bool(priority.get("globalDefault")),
        age(priority, now),
        priority.get("preemptionPolicy") or "PreemptLowerPriority",
    ]


def runtime_class_cells(runtime: Plain, now: datetime) -> list[Cell]:
    return [name_of(runtime), runtime.get("handler", ""), age(runtime, now)]


def certificate_request_state(request: Plain) -> str:
    """`Pending`, `Approved,Issued`, `Denied`, `Approved,Failed`."""
    status = request.get("status") or {}
    kinds = {each.get("type") for each in status.get("conditions") or ()}
    words = ["Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"]
    if "Failed" in kinds:
        words.append("Failed")
    if status.get("certificate"):
        words.append("Issued")
    return ",".join(words)


def certificate_request_cells(request: Plain, now: datetime) -> list[Cell]:
    spec = request.get("spec") or {}
    duration_s = spec.get("expirationSeconds")
    return [
        name_of(request),
        age(request, now),
        spec.get("signerName") or "<none>",
        spec.get("username", ""),
        "<none>" if duration_s is None else human_duration(duration_s),
        certificate_request_state(request),
    ]


ROLE = TableShape((NAME, Column("Created At", description="When it was created.")), role_cells)

BINDING = TableShape(
    (
        NAME,
        Column("Role", description="The role that it gives."),
        AGE,
        wide("Users", "Users who get it."),
        wide("Groups", "Groups that get it."),
        wide("ServiceAccounts", "Service accounts that get it."),
    ),
    binding_cells,
)

BUDGET = TableShape(
    (
        NAME,
        Column("Min Available", description="Pods that must stay available."),
        Column("Max Unavailable", description="Pods that may be unavailable."),
        Column("Allowed Disruptions", "integer", description="Pods that may be moved away now."),
        AGE,
    ),
    budget_cells,
)

PRIORITY_CLASS = TableShape(
    (
        NAME,
        Column("Value", "integer", description="The priority of its pods."),
        Column("Global-Default", "boolean", description="Whether pods without a class have this one."),
        AGE,
        Column("PreemptionPolicy", description="Whether its pods may take the place of lesser ones."),
    ),
    priority_class_cells,
)

RUNTIME_CLASS = TableShape(
    (NAME, Column("Handler", description="What the runtime calls its configuration."), AGE), runtime_class_cells
)

CERTIFICATE_REQUEST = TableShape(
    (
        NAME,
        AGE,
        Column("SignerName", description="Who is asked to sign."),
        Column("Requestor", description="Who asks."),
        Column("RequestedDuration", description="For how long."),
        Column("Condition", description="What has become of it."),
    ),
    certificate_request_cells,
)
