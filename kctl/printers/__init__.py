"""How results are written, apart from the commands that fetch them.

`output_of` reads `-o`: a format and its argument. Everything but tables goes through `document_printer`, which is given one
object (or a List) and returns text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kctl.errors import KctlError

TABLE_FORMATS = ("", "wide")
DOCUMENT_FORMATS = (
    "json",
    "yaml",
    "name",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "custom-columns",
    "custom-columns-file",
    "go-template",
    "go-template-file",
)

Printer = Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True)
class Output:
    """`-o FORMAT=ARGUMENT`."""

    format: str = ""
    argument: str = ""

    @property
    def is_table(self) -> bool:
        return self.format in TABLE_FORMATS

    @property
    def is_columns(self) -> bool:
        return self.format.startswith("custom-columns")


def output_of(text: str, *, tables: bool = True) -> Output:
    """Read `-o`; raises KctlError in kubectl's words for a format that is not known."""
    name, _, argument = text.partition("=")
    allowed = (*(("wide",) if tables else ()), *DOCUMENT_FORMATS)
    if name and name not in allowed:
        raise KctlError(
            f'unable to match a printer suitable for the output format "{text}", '
            f"allowed formats are: {','.join(sorted(allowed))}"
        )
    if name in ("template", "templatefile"):
        name = f"go-{name.replace('file', '-file')}"
    if name.startswith(("jsonpath", "go-template")) and not argument:
        raise KctlError("template format specified but no template given")
    return Output(name, argument)


def document_printer(output: Output, *, managed_fields: bool = False) -> Printer:
    """The printer of a format that is neither a table nor columns; raises KctlError for a bad template."""
    from kctl.printers import documents

    clean: Callable[[Mapping[str, Any]], Mapping[str, Any]] = (
        (lambda obj: obj) if managed_fields else documents.without_managed_fields
    )
    match output.format:
        case "json":
            return lambda obj: documents.to_json(clean(obj))
        case "yaml":
            return lambda obj: documents.to_yaml(clean(obj))
        case "name":
            return names
        case "jsonpath" | "jsonpath-file":
            return _jsonpath_printer(output, clean)
        case "go-template" | "go-template-file":
            return _go_template_printer(output, clean)
        case "jsonpath-as-json":
            return _jsonpath_json_printer(output, clean)
    raise KctlError(f"no printer for {output.format}")


def names(obj: Mapping[str, Any]) -> str:
    """`pod/web`, a line for each object."""
    items = obj["items"] if isinstance(obj.get("items"), list) else [obj]
    return "".join(f"{label_of(item)}/{(item.get('metadata') or {}).get('name', '')}\n" for item in items)


def label_of(obj: Mapping[str, Any]) -> str:
    """`pod`, `deployment.apps`: an object's kind as it stands before a slash and its name."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    kind = str(obj.get("kind", "")).lower()
    return f"{kind}.{group}" if group else kind


def read_argument_file(path: str) -> str:
    """The text of a file that `-o` names."""
    try:
        return Path(path).read_text()
    except OSError as error:
        raise KctlError(f"error reading template {path}: {error.strerror}") from error


def _template(output: Output) -> Any:
    from apimachinery import jsonpath

    text = read_argument_file(output.argument) if output.format == "jsonpath-file" else output.argument
    try:
        return jsonpath.parse(text.rstrip("\n") if output.format == "jsonpath-file" else text)
    except jsonpath.JsonPathError as error:
        raise KctlError(f"error parsing jsonpath {text}, {error}") from error


def _jsonpath_printer(output: Output, clean: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Printer:
    from apimachinery import jsonpath

    template = _template(output)

    def show(obj: Mapping[str, Any]) -> str:
        try:
            return jsonpath.render(template, clean(obj))
        except jsonpath.JsonPathError as error:
            raise KctlError(f'error executing jsonpath "{output.argument}": {error}') from error

    return show


def _go_template_printer(output: Output, clean: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Printer:
    from kctl import gotemplate

    text = read_argument_file(output.argument) if output.format == "go-template-file" else output.argument
    try:
        template = gotemplate.parse(text)
    except gotemplate.TemplateError as error:
        raise KctlError(f"error parsing template {text}, template: output: {error}") from error

    def show(obj: Mapping[str, Any]) -> str:
        try:
            return template.render(clean(obj))
        except gotemplate.TemplateError as error:
            raise KctlError(f'error executing template "{text}": template: output: {error}') from error

    return show


def _jsonpath_json_printer(output: Output, clean: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Printer:
    from apimachinery import jsonpath
    from kctl.printers import documents

    template = _template(output)
    return lambda obj: documents.to_json(jsonpath.find(template, clean(obj)))
