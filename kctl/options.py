"""Commands and options that take their arguments the way kubectl's do, on top of click.

click's rules differ in four points, evened out before it parses: a switch may be given a value (`--wait=false`), an option
may stand without its value (`--dry-run` for `--dry-run=client`), a short option may have an equals sign (`-o=json`), and the
options that choose a server may stand before or behind the command. What stands behind `--` is counted in the session.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from kctl.errors import KctlError
from kctl.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


class Option(click.Option):
    """An option; `bare` is its value when it stands without one."""

    def __init__(self, *args: Any, bare: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bare = bare

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from kctl import completing

        return super().shell_complete(ctx, incomplete) or completing.words(ctx, str(self.name), incomplete)


class Words(click.types.StringParamType):
    """Text for which the shell may offer what the cluster has."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from kctl import completing

        return completing.words(ctx, str(param.name), incomplete)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value not in (None, False, ()):
        ctx.ensure_object(Session).flags[str(param.name)] = value


def server_options() -> list[click.Parameter]:
    """The options every command has; their values go into the session."""
    rows: tuple[tuple[tuple[str, ...], str], ...] = (
        (("--kubeconfig",), "Path of the kubeconfig file to use."),
        (("--context",), "The kubeconfig's context to use."),
        (("--cluster",), "The kubeconfig's cluster to use."),
        (("--user",), "The kubeconfig's user to use."),
        (("-n", "--namespace"), "The namespace to work in."),
        (("-s", "--server"), "Address of the API server."),
        (("--token",), "Bearer token to authenticate with."),
        (("--certificate-authority",), "File with the certificates to trust."),
        (("--client-certificate",), "File with the client certificate."),
        (("--client-key",), "File with the client key."),
        (("--tls-server-name",), "Name to expect in the server's certificate."),
        (("--request-timeout",), "How long one request may take (1s, 2m); 0 sets no limit."),
    )
    options: list[click.Parameter] = [
        Option([*names], help=text, expose_value=False, callback=_remember, hidden=names[-1] != "--namespace")
        for names, text in rows
    ]
    options.append(
        Option(
            ["--insecure-skip-tls-verify"],
            is_flag=True,
            default=None,
            expose_value=False,
            callback=_remember,
            hidden=True,
            help="Trust any certificate.",
        )
    )
    options += [
        Option([flag, name], expose_value=False, callback=_remember, hidden=True, multiple=multiple, help=text)
        for flag, name, multiple, text in (
            ("--as", "impersonate", False, "The user to act as; a ServiceAccount as system:serviceaccount:NAMESPACE:NAME."),
            ("--as-group", "impersonate_groups", True, "With --as: a group to act as a member of."),
            ("--as-uid", "impersonate_uid", False, "With --as: the uid to act with."),
            ("--as-user-extra", "impersonate_extra", True, "With --as: KEY=VALUE, what else is known of the user."),
        )
    ]
    options.append(Option(["-v", "--v"], expose_value=False, hidden=True, help="Accepted for kubectl's sake."))
    return options


class Command(click.Command):
    """A command that takes the server's options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 120})
        super().__init__(*args, **kwargs)
        for param in self.params:
            if isinstance(param, click.Argument) and param.type is click.STRING:
                param.type = Words()
        taken = {name for param in self.params for name in param.opts}
        self.params += [option for option in server_options() if not taken.intersection(option.opts)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args, behind = _split_at_dashes(args)
        if isinstance(ctx.obj, Session) or ctx.obj is None:
            ctx.ensure_object(Session).after_dashes = None if behind is None else len(behind)
        args, switches = rewrite(self.params, args)
        rest = super().parse_args(ctx, args if behind is None else [*args, "--", *behind])
        ctx.params.update(switches)
        return rest


class Group(click.Group):
    """A command whose first argument is a command of its own."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise KctlError(f"unknown command \"{args[0]}\"\nSee '{ctx.command_path} -h' for help and examples")
        return super().resolve_command(ctx, args)


def group(name: str) -> Callable[[Callable[..., Any]], Group]:
    """Make a function, of which only the docstring counts, a group of commands."""

    def decorate(function: Callable[..., Any]) -> Group:
        made: Group = click.group(name, cls=Group, context_settings={"help_option_names": ["-h", "--help"]})(function)
        return made

    return decorate


def rewrite(params: Sequence[click.Parameter], args: Sequence[str]) -> tuple[list[str], dict[str, bool]]:
    """The arguments as click takes them, and the switches that were given a value; raises click.UsageError."""
    by_name = {name: param for param in params if isinstance(param, click.Option) for name in param.opts}
    result: list[str] = []
    switches: dict[str, bool] = {}
    for arg in args:
        name, equals, value = arg.partition("=")
        option = by_name.get(name) if arg.startswith("-") else None
        if option is None:
            result.append(arg)
        elif not equals:
            bare = getattr(option, "bare", None)
            result.append(arg if bare is None else f"{option.opts[-1]}={bare}")
        elif option.is_flag and option.name:
            if value.lower() not in _TRUTHS:
                raise click.UsageError(f'invalid argument "{value}" for "{name}" flag: expected true or false')
            switches[option.name] = _TRUTHS[value.lower()]
        elif name.startswith("--"):
            result.append(arg)
        else:
            result += [name, value]
    return result, switches


def _split_at_dashes(args: Sequence[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in args:
        return list(args), None
    place = list(args).index("--")
    return list(args[:place]), list(args[place + 1 :])


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """A click option of our class."""
    return click.option(*names, cls=Option, **settings)


def switch(*names: str, help: str, default: bool = False) -> Callable[[Any], Any]:
    """An option that is on or off."""
    return click.option(*names, cls=Option, is_flag=True, default=default, help=help)


def command(name: str, **settings: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command; it receives the Session first, then its parameters by name."""

    def decorate(function: Callable[..., Any]) -> Command:
        made: Command = click.command(name, cls=Command, **settings)(click.pass_obj(function))
        return made

    return decorate
