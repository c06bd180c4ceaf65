"""The jinja environment that chat templates are written for, as transformers 5 offers it, in a sandbox.

Does not know stories or messages (template.py does).
"""

import json
from datetime import datetime
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

# What a renderer passes besides messages; a template may ask whether it is none, which an undefined value is not.
NOTHING_MORE: dict[str, Any] = {"tools": None, "documents": None}


class Generation(Extension):
    """Leave `{% generation %}` out: it only marks what an assistant has said, for training."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Return what stands inside, in a scope of its own, as a call block has one."""
        scope = nodes.Scope(lineno=next(parser.stream).lineno)
        scope.body = list(parser.parse_statements(("name:endgeneration",), drop_needle=True))
        return scope


def compiled(source: str) -> Template:
    """Return a template ready to be rendered; raises jinja2.TemplateError for one that cannot be read."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(source)


def _refuse(message: str) -> Any:
    raise TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja2's own escapes what HTML would read."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
