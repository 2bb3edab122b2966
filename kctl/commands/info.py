"""`kctl version`, `api-resources`, `api-versions`: about client and server themselves."""

import platform
from importlib import metadata
from typing import Any

import click

from kctl.errors import KctlError
from kctl.options import command, option, switch
from kctl.session import Session

UNINSTALLED_VERSION = "0.0.0"


@command("version")
@switch("--client", help="The client's version only; no server is asked.")
@option("-o", "--output", default="", type=click.Choice(["", "json", "yaml"]), help="json or yaml.")
def version(session: Session, client: bool, output: str) -> None:
    """Show the versions of client and server."""
    own = client_version()
    server = None if client else session.client.get("/version")
    if output:
        from kctl.printers import Output, document_printer

        shown: dict[str, Any] = {"clientVersion": own}
        if server is not None:
            shown["serverVersion"] = server
        session.out.write(document_printer(Output(output))(shown))
        return
    session.say(f"Client Version: {own['gitVersion']}")
    if server is not None:
        session.say(f"Server Version: {server.get('gitVersion', '<unknown>')}")


def client_version() -> dict[str, str]:
    """What `/version` would say if the client were a server."""
    try:
        number = metadata.version("coxswain")
    except metadata.PackageNotFoundError:
        number = UNINSTALLED_VERSION  # run from a source tree
    major, minor, *_ = [*number.split("."), "0"]
    return {
        "compiler": platform.python_implementation(),
        "gitVersion": f"v{number}",
        "goVersion": "",
        "major": major,
        "minor": minor,
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


@command("api-resources")
@switch("--no-headers", help="Leave headers out.")
@switch("--cached", help="Accepted for kubectl's sake.")
@option("--api-group", default=None, help="Only this group.")
@option("--namespaced", type=bool, default=None, help="Only those in namespaces (true) or outside them (false).")
@option("--verbs", default="", help="Only those that have all of these verbs.")
@option("--categories", default="", help="Only those in all of these categories.")
@option("--sort-by", default="", type=click.Choice(["", "name", "kind"]), help="name or kind, instead of groups.")
@option("-o", "--output", default="", help="wide or name.")
def api_resources(
    session: Session,
    no_headers: bool,
    cached: bool,
    api_group: str | None,
    namespaced: bool | None,
    verbs: str,
    categories: str,
    sort_by: str,
    output: str,
) -> None:
    """List the kinds of objects the server has."""
    from kctl.printers.table import Writer

    if output not in ("", "wide", "name"):
        raise KctlError(f"--output {output} is not available")
    wanted, within = set(filter(None, verbs.split(","))), set(filter(None, categories.split(",")))
    orders = {"name": lambda each: each.plural, "kind": lambda each: each.kind}
    rows = [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", *(["VERBS", "CATEGORIES"] if output else [])]]
    rows = [] if no_headers or output == "name" else rows
    for each in sorted(session.discovery.preferred(), key=orders.get(sort_by, lambda each: (each.group, each.plural))):
        if api_group not in (None, each.group) or namespaced not in (None, each.namespaced):
            continue
        if not wanted <= set(each.verbs) or not within <= set(each.categories):
            continue
        if output == "name":
            rows.append([each.qualified])
            continue
        scope = str(each.namespaced).lower()
        extra = [",".join(sorted(each.verbs)), ",".join(each.categories)] if output else []
        rows.append([each.plural, ",".join(each.short_names), each.api_version, scope, each.kind, *extra])
    Writer(session.out).write(rows)
    if problem := session.discovery.unanswered():
        raise KctlError(problem)


@command("api-versions")
def api_versions(session: Session) -> None:
    """List the versions of the API the server has, as group/version."""
    for version in sorted(session.discovery.versions()):
        session.say(version)
