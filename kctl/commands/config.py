"""`kctl config`: contexts, clusters and users of kubeconfig files. No server is asked."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from kctl import configuring
from kctl.configuring import ConfigFile, Configuration
from kctl.errors import AggregateError, KctlError
from kctl.options import command, group, option, switch
from kctl.printers import document_printer, output_of
from kctl.session import Session


@group("config")
def config() -> None:
    """Show and change kubeconfig files."""


@command("view")
@option("-o", "--output", default="yaml", help="yaml, json or jsonpath=T.")
@switch("--raw", help="Show secrets and certificates too.")
@switch("--flatten", help="Put the content of files that are named into the document.")
@switch("--minify", help="Only what the current context needs.")
@switch("--merge", default=True, help="Accepted for kubectl's sake: files are always shown together.")
def view(session: Session, output: str, raw: bool, flatten: bool, minify: bool, merge: bool) -> None:
    """Show the kubeconfig files as one."""
    known = _load(session)
    context = session.flags.get("context") or known.current_context
    shown = configuring.view(known, raw=raw, flatten=flatten, only=context if minify else None)
    session.out.write(document_printer(output_of(output, tables=False))(shown))


@command("get-contexts")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@option("-o", "--output", default="", help="name")
@switch("--no-headers", help="Leave headers out.")
def get_contexts(session: Session, names: tuple[str, ...], output: str, no_headers: bool) -> None:
    """List contexts."""
    from kctl.printers.table import Writer

    if output not in ("", "name"):
        raise KctlError("output must be one of '' or 'name'")
    known = _load(session)
    contexts = {name: body for name, (body, _) in sorted(known.entries("contexts").items())}
    missing: list[KctlError] = [KctlError(f"context {name} not found") for name in names if name not in contexts]
    shown = [name for name in (sorted(names) or contexts) if name in contexts]
    if output == "name":
        for name in shown:
            session.say(name)
    else:
        rows = [] if no_headers else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
        for name in shown:
            mark = "*" if name == known.current_context else ""
            body = contexts[name]
            rows.append([mark, name, body.get("cluster", ""), body.get("user", ""), body.get("namespace", "")])
        Writer(session.out).write(rows)
    if missing:
        raise AggregateError(missing)


@command("current-context")
def current_context(session: Session) -> None:
    """Show the current context."""
    name = _load(session).current_context
    if not name:
        raise KctlError("current-context is not set")
    session.say(name)


@command("use-context")
@click.argument("context_name", metavar="CONTEXT")
def use_context(session: Session, context_name: str) -> None:
    """Make a context the current one."""
    known = _load(session)
    if context_name not in known.entries("contexts"):
        raise KctlError(f'no context exists with the name: "{context_name}"')
    _save([known.use(context_name)])
    session.say(f'Switched to context "{context_name}".')


@command("set-context")
@click.argument("context_name", required=False, default="", metavar="[CONTEXT]")
@switch("--current", help="Change the current context.")
@option("--cluster", "cluster_name", default=None, help="The context's cluster.")
@option("--user", "user_name", default=None, help="The context's user.")
@option("--namespace", "namespace_name", default=None, help="The context's namespace.")
def set_context(
    session: Session,
    context_name: str,
    current: bool,
    cluster_name: str | None,
    user_name: str | None,
    namespace_name: str | None,
) -> None:
    """Make or change a context."""
    known = _load(session)
    if bool(context_name) == current:
        raise KctlError(
            "you cannot specify both a context name and --current"
            if current
            else "you must specify a non-empty context name or --current"
        )
    name = context_name or known.current_context
    if not name:
        raise KctlError("no current context is set")
    given = {"cluster": cluster_name, "user": user_name, "namespace": namespace_name}
    file, new = known.put("contexts", name, {key: value or None for key, value in given.items() if value is not None})
    _save([file])
    session.say(f'Context "{name}" {"created" if new else "modified"}.')


@command("set-cluster")
@click.argument("name")
@option("--server", "address", default=None, help="Where the API server is.")
@option("--certificate-authority", "authority", default=None, help="File with the certificates to trust.")
@switch("--embed-certs", help="Put the file's content into the kubeconfig.")
@option("--insecure-skip-tls-verify", "insecure", default="", bare="true", help="Trust any certificate.")
@option("--tls-server-name", "server_name", default=None, help="Name to expect in the certificate.")
@option("--proxy-url", default=None, help="A proxy to go through.")
def set_cluster(
    session: Session,
    name: str,
    address: str | None,
    authority: str | None,
    embed_certs: bool,
    insecure: str,
    server_name: str | None,
    proxy_url: str | None,
) -> None:
    """Make or change a cluster."""
    trusting = insecure.lower() == "true"
    if trusting and authority:
        raise KctlError("you cannot specify a certificate authority and insecure mode at the same time")
    if embed_certs and not authority:
        raise KctlError("you must specify a --certificate-authority to embed")
    known = _load(session)
    file = known.file_of("clusters", name)
    given = {"server": address, "tls-server-name": server_name, "proxy-url": proxy_url}
    changes: dict[str, Any] = {key: value.rstrip("/") or None for key, value in given.items() if value is not None}
    if insecure:
        changes["insecure-skip-tls-verify"] = trusting or None
    if trusting:
        changes |= {"certificate-authority": None, "certificate-authority-data": None}
    if authority is not None:
        changes |= {**_file("certificate-authority", authority, embed_certs, file), "insecure-skip-tls-verify": None}
    _save([known.put("clusters", name, changes)[0]])
    session.say(f'Cluster "{name}" set.')


@command("set-credentials")
@click.argument("name")
@option("--client-certificate", "certificate", default=None, help="File with the client certificate.")
@option("--client-key", "key", default=None, help="File with the client key.")
@switch("--embed-certs", help="Put the files' content into the kubeconfig.")
@option("--token", "bearer", default=None, help="Bearer token.")
@option("--username", default=None, help="Name for basic authentication.")
@option("--password", default=None, help="Password for basic authentication.")
def set_credentials(
    session: Session,
    name: str,
    certificate: str | None,
    key: str | None,
    embed_certs: bool,
    bearer: str | None,
    username: str | None,
    password: str | None,
) -> None:
    """Make or change a user."""
    if bearer and (username or password):
        raise KctlError(
            "you cannot specify more than one authentication method at the same time: --token, --username/--password"
        )
    if embed_certs and not (certificate or key):
        raise KctlError("you must specify a --client-certificate or --client-key to embed")
    known = _load(session)
    file = known.file_of("users", name)
    changes: dict[str, Any] = {}
    for field, path in (("client-certificate", certificate), ("client-key", key)):
        if path is not None:
            changes |= _file(field, path, embed_certs, file)
    if bearer is not None:
        changes |= {"token": bearer or None, "tokenFile": None, "username": None, "password": None}
    if username is not None or password is not None:
        changes |= {"token": None, "tokenFile": None}
        changes |= {field: text or None for field, text in (("username", username), ("password", password)) if text is not None}
    _save([known.put("users", name, changes)[0]])
    session.say(f'User "{name}" set.')


@command("rename-context")
@click.argument("context_name", metavar="CONTEXT")
@click.argument("new_name")
def rename_context(session: Session, context_name: str, new_name: str) -> None:
    """Give a context another name."""
    _save(configuring.rename_context(_load(session), context_name, new_name))
    session.say(f'Context "{context_name}" renamed to "{new_name}".')


@command("set")
@click.argument("property_name")
@click.argument("value")
@switch("--set-raw-bytes", help="The value is bytes in base64.")
def set_property(session: Session, property_name: str, value: str, set_raw_bytes: bool) -> None:
    """Set one value: current-context, or SECTION.NAME.FIELD."""
    if property_name.endswith("-data") and not set_raw_bytes:
        value = base64.b64encode(value.encode()).decode()
    _save(configuring.set_property(_load(session), property_name, value))
    session.say(f'Property "{property_name}" set.')


@command("unset")
@click.argument("property_name")
def unset(session: Session, property_name: str) -> None:
    """Unset one value: current-context, SECTION, SECTION.NAME or SECTION.NAME.FIELD."""
    _save(configuring.set_property(_load(session), property_name, None))
    session.say(f'Property "{property_name}" unset.')


def _lister(name: str, section: str, text: str) -> click.Command:
    @command(name, help=text)
    def made(session: Session) -> None:
        session.say("NAME")
        for entry in sorted(_load(session).entries(section)):
            session.say(entry)

    return made


def _deleter(name: str, section: str, text: str) -> click.Command:
    argument = "context_name" if section == "contexts" else "entry"

    @command(name, help=text)
    @click.argument(argument, metavar="NAME")
    def made(session: Session, **given: str) -> None:
        (entry,) = given.values()
        known = _load(session)
        current = known.current_context
        file = configuring.delete(known, section, entry)
        if section == "contexts" and entry == current:
            session.note('warning: this removed your active context, use "kctl config use-context" to select a different one')
        _save([file])
        session.say(f"deleted {configuring.SECTIONS[section]} {entry} from {file.path}")

    return made


def _load(session: Session) -> Configuration:
    return configuring.load(session.flags.get("kubeconfig") or "", session.environment)


def _save(files: Sequence[ConfigFile]) -> None:
    for file in files:
        configuring.save(file)


def _file(field: str, path: str, embed: bool, file: ConfigFile) -> dict[str, Any]:
    """The entry's fields for a file: its place, or its content."""
    if not path:
        return {field: None}
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise KctlError(f"could not stat {field} file {path}: {error.strerror}") from error
    if embed:
        return {field: None, f"{field}-data": base64.b64encode(content).decode()}
    return {field: configuring.relative(path, file), f"{field}-data": None}


for _command in (
    view,
    get_contexts,
    current_context,
    use_context,
    set_context,
    set_cluster,
    set_credentials,
    rename_context,
    set_property,
    unset,
    _lister("get-clusters", "clusters", "List clusters."),
    _lister("get-users", "users", "List users."),
    _deleter("delete-context", "contexts", "Delete a context."),
    _deleter("delete-cluster", "clusters", "Delete a cluster."),
    _deleter("delete-user", "users", "Delete a user."),
):
    config.add_command(_command)
