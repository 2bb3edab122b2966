"""`kctl proxy`: the cluster's API on a local port, with the user's credentials."""

from kctl.options import command, option
from kctl.session import Session


@command("proxy")
@option("-p", "--port", type=int, default=8001, help="The port to listen on; 0 for any free one.")
@option("--address", default="127.0.0.1", help="The address to listen on.")
@option("--api-prefix", default="/", help="Serve the API below this path.")
@option("--accept-paths", default="^.*", help="Regular expressions of paths to pass on.")
@option("--reject-paths", default="^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach", help="Of paths to refuse.")
@option("--reject-methods", default="^$", help="Of methods to refuse.")
@option("--accept-hosts", default=r"^localhost$,^127\.0\.0\.1$,^\[::1\]$", help="Of hosts that requests may name.")
def proxy(
    session: Session,
    port: int,
    address: str,
    api_prefix: str,
    accept_paths: str,
    reject_paths: str,
    reject_methods: str,
    accept_hosts: str,
) -> None:
    """Serve the cluster's API on a local port, until interrupted."""
    from kctl import proxying

    chosen = proxying.Filter(accept_paths, reject_paths, reject_methods, accept_hosts)
    chosen.check()

    def say(text: str) -> None:
        session.say(text)
        session.out.flush()

    proxying.run(session.client, address, port, api_prefix, chosen, say)
