"""`kctl explain`: what the fields of a kind mean."""

import click

from kctl.options import command, option, switch
from kctl.session import Session


@command("explain")
@click.argument("target", metavar="RESOURCE[.FIELD...]")
@switch("--recursive", help="Show the fields of fields too, without descriptions.")
@option("--api-version", default="", help="Use this version of the API (GROUP/VERSION).")
def explain(session: Session, target: str, recursive: bool, api_version: str) -> None:
    """Describe the fields of a kind of object."""
    from kctl import explaining
    from kctl.errors import KctlError

    name, *path = target.split(".")
    if not name or not all(path):
        raise KctlError(f'"{target}" is no resource with a path of fields, such as pods.spec.containers')
    group, _, version = api_version.rpartition("/")
    wanted = ".".join(filter(None, (name, version, group)))
    resource = session.discovery.find(wanted)
    place = f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"
    listed = (session.client.get("/openapi/v3").get("paths") or {}).get(place) or {}
    address = str(listed.get("serverRelativeURL") or "")
    if not address:
        raise KctlError(f"the server has no description of {resource.api_version}")
    location, _, query = address.partition("?")
    parameters = dict(part.partition("=")[::2] for part in query.split("&") if part)
    document = session.client.get(location, parameters)
    gvk = (resource.group, resource.version, resource.kind)
    lines = list(explaining.explain(document, gvk, path, recursive=recursive))
    session.out.writelines(f"{line}\n" for line in lines)
