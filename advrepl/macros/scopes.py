"""Which tags of a text belong together, {{if x}} and {{/if}}, {{setvar::x}} and {{/setvar}}, and where {{else}} cuts.

Does not know what a macro becomes (table.py).
"""

from collections import defaultdict
from collections.abc import Callable

from advrepl.macros.parser import Macro, Nodes


def pairs(nodes: Nodes, takes_block: Callable[[Macro], bool]) -> dict[int, int]:
    """Find for the index of each tag that begins a block the index of the tag that ends it."""
    found: dict[int, int] = {}
    opened: dict[str, list[int]] = defaultdict(list)
    for index, node in enumerate(nodes):
        if not isinstance(node, Macro):
            continue
        if not node.closing:
            if takes_block(node):
                opened[node.name].append(index)
        elif opened[node.name]:
            found[opened[node.name].pop()] = index
    return found


def around_else(nodes: Nodes) -> tuple[Nodes, Nodes]:
    """Cut what an {{if}} holds at its own {{else}}; the second part is empty where there is none."""
    depth = 0
    for index, node in enumerate(nodes):
        if not isinstance(node, Macro):
            continue
        if node.name == "if" and node.closing:
            depth -= 1
        elif node.name == "if" and len(node.arguments) == 1:
            depth += 1
        elif node.name == "else" and depth == 0:
            return nodes[:index], nodes[index + 1 :]
    return nodes, ()


def dedented(text: str) -> str:
    """Strip the text of a block, and take from each line as much indentation as its first line has."""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = _indent(first)
    if indent:
        lines = [line[indent:] if _indent(line) >= indent else line.lstrip() for line in lines]
    return "\n".join(lines).strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
