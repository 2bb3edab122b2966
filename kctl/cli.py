"""The command line's root: which commands there are, and how a failure ends.

A command's module is imported when the command is called, so that `kctl version --client` pays for nothing else.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kctl.errors import KctlError
from kctl.options import Command, Option, server_options
from kctl.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETION_VARIABLE = "_KCTL_COMPLETE"
"""The variable through which a shell's completion script says what it wants to know."""

COMMANDS: dict[str, tuple[str, str]] = {
    "annotate": ("kctl.commands.metadata:annotate", "Set or remove annotations of objects"),
    "api-resources": ("kctl.commands.info:api_resources", "List the kinds of objects the server has"),
    "api-versions": ("kctl.commands.info:api_versions", "List the versions of the API the server has"),
    "apply": ("kctl.commands.apply:apply", "Make the cluster match manifests"),
    "attach": ("kctl.commands.execute:attach", "Attach to a running container"),
    "auth": ("kctl.commands.auth:auth", "Ask what is allowed, and who we are"),
    "autoscale": ("kctl.commands.autoscale:autoscale", "Let the number of pods follow what they use"),
    "certificate": ("kctl.commands.certificate:certificate", "Approve or deny certificate signing requests"),
    "cluster": ("kctl.commands.cluster:cluster", "Create, list and delete local clusters"),
    "cluster-info": ("kctl.commands.cluster_info:cluster_info", "Show where the cluster is reached"),
    "completion": ("kctl.commands.completion:completion", "Print a shell's completion script"),
    "config": ("kctl.commands.config:config", "Show and change kubeconfig files"),
    "cordon": ("kctl.commands.nodes:cordon", "Keep new pods away from a node"),
    "cp": ("kctl.commands.copy:copy", "Copy files to and from containers"),
    "create": ("kctl.commands.create:create", "Create objects from manifests or from options"),
    "debug": ("kctl.commands.debug:debug", "Look into a pod or a node with a container of one's own"),
    "delete": ("kctl.commands.delete:delete", "Delete objects"),
    "describe": ("kctl.commands.describe:describe", "Show an object, its parts and its events for people"),
    "diff": ("kctl.commands.diff:diff", "Show what an apply would change"),
    "drain": ("kctl.commands.drain:drain", "Empty a node for maintenance"),
    "edit": ("kctl.commands.edit:edit", "Edit objects in an editor"),
    "events": ("kctl.commands.events:events", "Show events"),
    "exec": ("kctl.commands.execute:execute", "Run a command in a container"),
    "explain": ("kctl.commands.explain:explain", "Describe the fields of a kind of object"),
    "expose": ("kctl.commands.expose:expose", "Make a Service for the pods behind an object"),
    "get": ("kctl.commands.get:get", "List objects"),
    "label": ("kctl.commands.metadata:label", "Set or remove labels of objects"),
    "logs": ("kctl.commands.logs:logs", "Print what containers have written"),
    "patch": ("kctl.commands.patch:patch", "Change parts of objects"),
    "port-forward": ("kctl.commands.port_forward:port_forward", "Forward local ports to a pod"),
    "proxy": ("kctl.commands.proxy:proxy", "Serve the cluster's API on a local port"),
    "replace": ("kctl.commands.replace:replace", "Replace objects by manifests"),
    "rollout": ("kctl.commands.rollout:rollout", "Follow, undo and restart rollouts"),
    "run": ("kctl.commands.run:run", "Run an image in a pod"),
    "scale": ("kctl.commands.scale:scale", "Set how many replicas run"),
    "set": ("kctl.commands.set:set_group", "Set parts of objects: image, env, resources and others"),
    "taint": ("kctl.commands.taint:taint", "Set or remove taints of nodes"),
    "top": ("kctl.commands.top:top", "Show what nodes and pods use"),
    "uncordon": ("kctl.commands.nodes:uncordon", "Let new pods on a node again"),
    "version": ("kctl.commands.info:version", "Show the versions of client and server"),
    "wait": ("kctl.commands.wait:wait", "Wait until objects meet a condition"),
    "why": ("kctl.commands.why:why", "Explain what the scheduler decided, node by node"),
}


class LazyGroup(click.Group):
    """Imports the module of a command when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), attribute)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The commands' names, without importing any; options after a dash."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f'unknown command "{args[0]}" for "kctl"', ctx)
        return super().resolve_command(ctx, args)


@click.pass_context
def _root(ctx: click.Context) -> None:
    """kctl speaks to Kubernetes clusters, and makes local ones."""
    ctx.ensure_object(Session)


root = LazyGroup(
    name="kctl",
    callback=_root,
    params=server_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="kctl speaks to Kubernetes clusters, and makes local ones.",
)


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say and return the exit code; every failure is printed here."""
    try:
        root.main(list(arguments), prog_name="kctl", complete_var=COMPLETION_VARIABLE, standalone_mode=False, obj=Session())
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stdout.write(f"{error.format_message()}\n")
        return 0
    except click.UsageError as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as error:
        sys.stderr.write(f"error: {error.format_message()}\n")
        return 1
    except KctlError as error:
        return _failure(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on; let the interpreter's last flush pass
        return 141
    return 0


def main() -> int:
    """The `kctl` program."""
    return run(sys.argv[1:])


def _usage(error: click.UsageError) -> int:
    path = error.ctx.command_path if error.ctx else "kctl"
    sys.stderr.write(f"error: {error.format_message()}\nSee '{path} --help' for usage.\n")
    return 1


def _failure(error: KctlError) -> int:
    text = error.text()
    sys.stdout.flush()
    if text:
        sys.stderr.write(f"{text}\n")
    return error.exit_code


__all__ = ["COMMANDS", "Command", "Option", "main", "root", "run"]
