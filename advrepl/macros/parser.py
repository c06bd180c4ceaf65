"""Text with macros as a tree: what stands between braces, its name or variable, and its arguments.

The grammar is SillyTavern's: `{{name}}`, `{{name argument}}`, `{{name:argument}}`, `{{name::a::b}}`, `{{.x += 1}}`,
`{{/name}}`, `{{// note}}`, with flags before the name, and macros inside arguments. Braces that begin or end nothing
are text, which is why no parser generator fits. Knows no macro by what it means (table.py), nor which tags belong
together (scopes.py).
"""

import hashlib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from msgspec import Struct

MAX_DEPTH = 40  # macros inside macros; deeper ones stay as they are

VARIABLES = (".", "$")  # of the chat, and global ones

MARKS = re.compile(r"\{\{(?!\{)|\}\}|::")
# Names are ASCII, and what is glued to one ("user's") is lost, as in SillyTavern.
HEAD = re.compile(
    r"(?P<flags>(?:\s|[!?~#>]|/(?!/))*)"
    r"(?:(?P<comment>//)"
    r"|(?P<scope>[.$])\s*(?P<variable>[a-zA-Z](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?|(?=\}\}))\s*"
    r"(?:(?P<operator>\?\?=?|\|\|=?|[-+!=<>]=|[<>=](?!=))|(?P<step>\+\+|--)?\s*(?=(?:[a-zA-Z][a-zA-Z0-9_-]*\s*)?\}\}))"
    r"|(?P<name>[a-zA-Z][a-zA-Z0-9_-]*+)[^\s:|{}]*+(?=[\s:|}])\s*(?P<separator>::?)?)"
)


class Argument(Struct, frozen=True):
    """What stands between separators, without the blanks around it; `start` and `end` count from the macro's braces."""

    start: int
    end: int
    nodes: "Nodes"


class Macro(Struct, frozen=True):
    """What stood between {{ and }}, and its number among those of the text that are written the same."""

    source: str
    name: str  # in lower case; of a variable "." or "$"
    flags: str
    arguments: tuple[Argument, ...]
    number: int
    variable: str = ""
    operator: str = ""  # of a variable, with its value as the argument

    @property
    def closing(self) -> bool:
        """Say whether it ends a block: {{/if}}, and {{///}} for a comment."""
        if self.name == "//" and self.arguments:
            return self.source[self.arguments[0].start] == "/"
        return "/" in self.flags and self.name not in VARIABLES

    @property
    def label(self) -> str:
        """Name the macro by its text, cut if it is long, and its number."""
        text = self.source
        if len(text) > 80:
            digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
            text = f"{text[:60]}…{digest}"
        return f"{text}#{self.number}"


Node = str | Macro
Nodes = tuple[Node, ...]


class _Open:
    """A macro whose end has not been found yet, or the whole text; places count from the start of the text."""

    def __init__(self, start: int, head: re.Match[str] | None) -> None:
        self.start, self.head = start, head
        self.cuts: list[int] = []  # where its separators stand
        self.inner: list[tuple[int, Macro]] = []


@lru_cache(maxsize=512)  # the lore of a book is told again and again
def parse(text: str) -> Nodes:
    """Part a text into pieces and macros; braces without a partner are text, and so is what is nested too deep."""
    stack = [_Open(0, None)]
    numbers: Counter[str] = Counter()
    at = too_deep = 0
    for mark in MARKS.finditer(text):
        if mark.start() < at:
            continue
        if mark[0] == "{{":
            if too_deep or len(stack) > MAX_DEPTH:
                too_deep += 1
            elif head := HEAD.match(text, mark.end()):
                at = head.end()
                stack.append(_Open(mark.start(), head))
        elif mark[0] == "}}" and too_deep:
            too_deep -= 1
        elif not too_deep:
            _cut_or_close(text, stack, mark, numbers)
    inner = [each for opened in stack for each in opened.inner]
    return tuple(_nodes(text, 0, len(text), inner))


def _cut_or_close(text: str, stack: list[_Open], mark: re.Match[str], numbers: Counter[str]) -> None:
    """Note where the innermost macro is cut by a separator, or that it ends."""
    opened, head = stack[-1], stack[-1].head
    if head is None:
        return
    if mark[0] == "::":
        if head["separator"] == "::":
            opened.cuts.append(mark.start())
        return
    stack.pop()
    source = text[opened.start : mark.end()]
    stack[-1].inner.append((opened.start, _macro(text, opened, head, mark.start(), numbers[source])))
    numbers[source] += 1


def _macro(text: str, opened: _Open, head: re.Match[str], end: int, number: int) -> Macro:
    name = head["comment"] or head["scope"] or head["name"].lower()
    ranges = list(zip([head.end(), *(cut + 2 for cut in opened.cuts)], [*opened.cuts, end], strict=True))
    arguments = []
    for first, last in ranges:
        part = text[first:last]
        first, last = last - len(part.lstrip()), first + len(part.rstrip())
        nodes = tuple(_nodes(text, first, last, opened.inner))
        arguments.append(Argument(first - opened.start, max(first, last) - opened.start, nodes))
    if not (head["operator"] or head["separator"] or (name not in VARIABLES and arguments[0].nodes)):
        arguments = []
    return Macro(
        text[opened.start : end + 2],
        name,
        head["flags"],
        tuple(arguments),
        number,
        head["variable"] or "",
        head["operator"] or head["step"] or "",
    )


def _nodes(text: str, start: int, end: int, inner: Sequence[tuple[int, Macro]]) -> Iterator[Node]:
    """The pieces of text[start:end] and the macros among `inner` that stand there, in order."""
    for place, macro in islice(inner, bisect_left(inner, start, key=lambda each: each[0]), None):
        if place >= end:
            break
        if place > start:
            yield text[start:place]
        yield macro
        start = place + len(macro.source)
    if end > start:
        yield text[start:end]


def macros_of(nodes: Nodes) -> Iterator[Macro]:
    """Find all macros of a text, also those inside others."""
    for node in nodes:
        if isinstance(node, Macro):
            yield node
            for argument in node.arguments:
                yield from macros_of(argument.nodes)
