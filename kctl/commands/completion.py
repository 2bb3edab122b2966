"""`kctl completion SHELL`: the script that makes a shell ask kctl what may follow."""

import click
from click.shell_completion import get_completion_class

from kctl.cli import COMPLETION_VARIABLE, root
from kctl.errors import KctlError
from kctl.options import command
from kctl.session import Session

SHELLS = ("bash", "zsh", "fish")


@command("completion")
@click.argument("shell", nargs=-1, metavar="bash|zsh|fish")
def completion(session: Session, shell: tuple[str, ...]) -> None:
    """Print the completion script of a shell: `source <(kctl completion bash)`."""
    if not shell:
        raise KctlError("Shell not specified.\nSee 'kctl completion -h' for help and examples")
    if len(shell) > 1:
        raise KctlError("Too many arguments. Expected only the shell type.\nSee 'kctl completion -h' for help and examples")
    kind = get_completion_class(shell[0]) if shell[0] in SHELLS else None
    if kind is None:
        raise KctlError(f"Unsupported shell type \"{shell[0]}\".\nSee 'kctl completion -h' for help and examples")
    session.say(kind(root, {}, "kctl", COMPLETION_VARIABLE).source())
