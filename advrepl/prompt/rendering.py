"""The jinja environment that chat templates are written for, as transformers 5 offers it, in a sandbox.

Runs in a process of its own (template_runner.py), as a template may loop for ever or fill the memory. Does not know
stories or messages (template.py does).
"""

import json
import sys
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY = 512 << 20  # bytes of address space, of which Python and jinja take about 60 MB
LONGEST = 1 << 22  # characters of a rendered conversation; a context of a million tokens holds as many
LONGEST_ERROR = 200


class Generation(Extension):
    """Leave `{% generation %}` out: it only marks what an assistant has said, for training."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Return what stands inside, in a scope of its own, as a call block has one."""
        scope = nodes.Scope(lineno=next(parser.stream).lineno)
        scope.body = list(parser.parse_statements(("name:endgeneration",), drop_needle=True))
        return scope


@lru_cache(maxsize=8)
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


def answer(request: dict[str, Any]) -> dict[str, str]:
    """Render what is asked for: {"text": …}; {"unreadable": …} for a source, {"refused": …} for messages."""
    try:
        template = compiled(request["source"])
    except Exception as error:  # jinja2's own, or whatever a hostile source does to its parser
        return {"unreadable": _told(error)}
    try:
        text = template.render(messages=request["messages"], **request["more"])
    except MemoryError:
        return {"unreadable": "it takes too much memory"}
    except Exception as error:  # whatever the template's own expressions may raise
        return {"refused": _told(error)}
    return {"text": text} if len(text) <= LONGEST else {"unreadable": "what it writes has no end"}


def _told(error: Exception) -> str:
    return str(error)[:LONGEST_ERROR] or type(error).__name__


def main() -> None:
    """Answer requests, one a line as JSON, until there are no more."""
    with suppress(ImportError, ValueError, OSError):  # Windows has none; template_runner.py watches the memory too
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
