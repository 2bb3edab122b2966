"""What the commands that write have in common: dry runs, validation, and saying what was done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kctl.errors import KctlError
from kctl.options import Option
from kctl.printers import document_printer, output_of
from kctl.session import Session

_VALIDATION = {"true": "Strict", "strict": "Strict", "": "Strict", "warn": "Warn", "false": "Ignore", "ignore": "Ignore"}


@dataclass(frozen=True)
class Writing:
    """How to write: `dry_run` is none, client or server; `validation` what a server does with unknown fields."""

    dry_run: str = "none"
    validation: str = "Strict"
    output: str = ""
    field_manager: str = ""

    @property
    def pretending(self) -> bool:
        """Nothing is to be sent at all."""
        return self.dry_run == "client"

    @property
    def query(self) -> dict[str, str]:
        """The request's query."""
        asked = {"fieldManager": self.field_manager}
        if self.dry_run == "server":
            asked["dryRun"] = "All"
        return asked

    @property
    def validating_query(self) -> dict[str, str]:
        """The query of a request that carries a manifest."""
        return {**self.query, "fieldValidation": self.validation}

    @property
    def suffix(self) -> str:
        return {"client": " (dry run)", "server": " (server dry run)"}.get(self.dry_run, "")


def writing(dry_run: str, validate: str = "", output: str = "", field_manager: str = "kctl") -> Writing:
    """From the options' texts; raises KctlError."""
    if dry_run not in ("none", "client", "server"):
        raise KctlError(f'Invalid dry-run value ({dry_run}). Must be "none", "server", or "client".')
    if validate.lower() not in _VALIDATION:
        raise KctlError(f'invalid - validate option "{validate}"')
    output_of(output, tables=False)
    return Writing(dry_run, _VALIDATION[validate.lower()], output, field_manager)


def dry_run_option(function: Any) -> Any:
    """`--dry-run[=client|server|none]`"""
    return _decorated(function, Option(["--dry-run"], default="none", bare="client", help="none, client or server."))


def validate_option(function: Any) -> Any:
    """`--validate[=strict|warn|ignore]`"""
    text = "What to do with unknown fields: strict, warn or ignore."
    return _decorated(function, Option(["--validate"], default="strict", bare="strict", help=text))


def field_manager_option(function: Any) -> Any:
    """`--field-manager=NAME`; empty: the command's own"""
    return _decorated(function, Option(["--field-manager"], default="", help="Who is to own the fields that are written."))


def output_option(function: Any) -> Any:
    return _decorated(function, Option(["-o", "--output"], default="", help="json, yaml, name or jsonpath=T."))


def report(session: Session, how: Writing, obj: Mapping[str, Any], title: str, verb: str) -> None:
    """Say what was done to an object, or show it when `-o` asks for that."""
    if not how.output:
        session.say(f"{title} {verb}{how.suffix}")
        return
    if how.output == "name":
        session.say(title)
        return
    session.out.write(document_printer(output_of(how.output, tables=False))(obj))


def _decorated(function: Any, option: Option) -> Any:
    if not hasattr(function, "__click_params__"):
        function.__click_params__ = []
    function.__click_params__.append(option)
    return function
