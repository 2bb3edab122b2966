"""Descriptions of LimitRanges and ResourceQuotas."""

from kctl.describe.common import Plain, Surroundings, heading
from kctl.describe.text import Page

SCOPES = {
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan.",
    "NotTerminating": "Matches all pods that do not have an active deadline.",
    "BestEffort": "Matches all pods that do not ask for, or limit, any resources.",
    "NotBestEffort": "Matches all pods that ask for, or limit, some resource.",
}
_LIMITS = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")


def describe_limit_range(limit_range: Plain, around: Surroundings) -> Page:
    page = Page()
    heading(page, limit_range)
    rows = []
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        lists = [item.get(name) or {} for name in _LIMITS]
        for resource in sorted({resource for quantities in lists for resource in quantities}):
            rows.append((item.get("type", ""), resource, *(quantities.get(resource, "-") for quantities in lists)))
    headers = ("Type", "Resource", "Min", "Max", "Default Request", "Default Limit", "Max Limit/Request Ratio")
    page.table(headers, rows, 0)
    return page


def describe_resource_quota(quota: Plain, around: Surroundings) -> Page:
    page, spec, status = Page(), quota.get("spec") or {}, quota.get("status") or {}
    heading(page, quota)
    scopes = sorted(spec.get("scopes") or ())
    if scopes:
        page.field("Scopes", ", ".join(scopes))
        for scope in scopes:
            if scope in SCOPES:
                page.line(f"* {SCOPES[scope]}", 1)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    page.table(("Resource", "Used", "Hard"), [(name, used.get(name, "0"), hard[name]) for name in sorted(hard)], 0)
    return page
