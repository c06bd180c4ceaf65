"""Text with macros as pieces: what stands between braces, what inside it, and which {{if}} belongs to which {{/if}}.

Knows no macro by what it means (expand.py), apart from the three words of a block.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

MAX_DEPTH = 16  # macros inside macros; deeper ones stay as they are

BRACES = re.compile(r"\{\{(?!\{)|\}\}")
NAME = re.compile(r"\s*(//|/?[a-z_]\w*(?:[+-]\d{1,2})?)(?:\s*(?P<mark>::?)|\s+|\s*$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Macro:
    """What stood between {{ and }}, and its number among those of the text that are written the same."""

    source: str
    body: tuple["Node", ...]
    number: int

    @property
    def label(self) -> str:
        """Name the macro by its text, cut if it is long, and its number."""
        text = self.source
        if len(text) > 80:
            digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
            text = f"{text[:60]}…{digest}"
        return f"{text}#{self.number}"


Node = str | Macro
Nodes = list[Node]


def parse(text: str) -> Nodes:
    """Part a text into pieces and macros; braces without a partner are text, and so is what is nested too deep."""
    stack: list[Nodes] = [[]]
    starts: list[int] = []
    numbers: Counter[str] = Counter()
    at = too_deep = 0
    for brace in BRACES.finditer(text):
        opens = brace[0] == "{{"
        if too_deep or (opens and len(starts) == MAX_DEPTH) or (not opens and not starts):
            too_deep += (1 if opens else -1) if too_deep or opens else 0
            continue
        stack[-1].append(text[at : brace.start()])
        at = brace.end()
        if opens:
            starts.append(brace.start())
            stack.append([])
        else:
            source = text[starts.pop() : at]
            body = tuple(stack.pop())
            stack[-1].append(Macro(source, body, numbers[source]))
            numbers[source] += 1
    stack[-1].append(text[at:])
    while len(stack) > 1:
        rest = stack.pop()
        stack[-1] += ["{{", *rest]
    return [node for node in stack[0] if node != ""]


def split(nodes: Nodes, pattern: str) -> list[Nodes]:
    """Cut at a separator that stands in the text itself, not in what an inner macro becomes."""
    parts: list[Nodes] = [[]]
    for node in nodes:
        if isinstance(node, Macro):
            parts[-1].append(node)
            continue
        first, *others = re.split(pattern, node)
        parts[-1].append(first)
        parts += [[other] for other in others]
    return parts


def name_and_arguments(macro: Macro) -> tuple[str, Nodes] | None:
    """Return a macro's name in lower case and what follows it, or None where it has no name."""
    first = macro.body[0] if macro.body else ""
    if isinstance(first, Macro) or not (found := NAME.match(first)):
        return None
    # "{{user{{x}}" joins a word and a macro: that is no name.
    if found.end() == len(first) and len(macro.body) > 1 and not found["mark"] and first[-1:].strip():
        return None
    return found[1].lower(), [first[found.end() :], *macro.body[1:]]


def name_of(node: Node) -> str:
    """Return a macro's name in lower case; empty for text and where it has none."""
    named = name_and_arguments(node) if isinstance(node, Macro) else None
    return named[0] if named else ""


def if_blocks(nodes: Nodes) -> dict[int, tuple[int, int]]:
    """Find for the index of each closed {{if}} where its {{else}} (or its end) and its {{/if}} stand."""
    found: dict[int, tuple[int, int]] = {}
    opened: list[list[int]] = []
    for index, node in enumerate(nodes):
        name = name_of(node)
        if name == "if":
            opened.append([index])
        elif name == "else" and opened:
            opened[-1].append(index)
        elif name == "/if" and opened:
            start, *middle = opened.pop()
            found[start] = (middle[0] if middle else index, index)
    return found
