"""Go's text templates, as far as `-o go-template` needs them: written apart from Go, after its documentation.

    parse('{{range .items}}{{.metadata.name}}{{"\\n"}}{{end}}').render(obj)

Text is taken as it stands; between `{{` and `}}` stand actions: pipelines, variables, if, range, with, define and template.
Values are plain JSON. Source: the documentation of Go's package text/template.
"""

from collections.abc import Mapping
from typing import Any

from kctl.gotemplate.nodes import TemplateError
from kctl.gotemplate.parsing import parse_text
from kctl.gotemplate.running import Running


class Template:
    """A parsed template."""

    def __init__(self, text: str) -> None:
        self._body, self._defined = parse_text(text)

    def render(self, data: Mapping[str, Any]) -> str:
        """The text for an object; raises TemplateError."""
        return Running(self._defined).run(self._body, data)


def parse(text: str) -> Template:
    """Raises TemplateError for a text that is no template."""
    return Template(text)


__all__ = ["Template", "TemplateError", "parse"]
