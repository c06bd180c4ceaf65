"""Braces: what is a macro, what is text, and which parts belong together."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.macros.parser import Macro, Node, if_blocks, name_and_arguments, name_of, parse, split

PIECES = [
    "{{",
    "}}",
    "{{{",
    "::",
    ":",
    "{{if x",
    "{{else}}",
    "{{/if}}",
    "{{random",
    "{{user}}",
    "<user>",
    "\n",
    " ",
    "a",
]


def source(node: Node) -> str:
    return node if isinstance(node, str) else node.source


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=60).map("".join))
def test_parsing_keeps_every_character(text: str) -> None:
    assert "".join(map(source, parse(text))) == text


def test_macros_written_alike_are_numbered() -> None:
    first, second = (node for node in parse("{{roll:6}} {{roll:6}}") if isinstance(node, Macro))
    assert (first.label, second.label) == ("{{roll:6}}#0", "{{roll:6}}#1")
    (long,) = parse("{{" + "x" * 100 + "}}")
    assert isinstance(long, Macro) and len(long.label) == 79


def test_names_and_arguments() -> None:
    (macro,) = parse("{{ Random ::a::{{char}}}}")
    assert isinstance(macro, Macro)
    name, arguments = name_and_arguments(macro) or ("", [])
    assert (name, [[source(node) for node in part] for part in split(arguments, "::")]) == (
        "random",
        [["a"], ["", "{{char}}", ""]],
    )
    assert [name_of(node) for node in parse("{{user{{x}}}}{{}}text")] == ["", "", ""]


def test_blocks_belong_together() -> None:
    nodes = parse("{{if a}}1{{if b}}2{{/if}}{{else}}3{{/if}}{{else}}{{if c}}")
    assert if_blocks(nodes) == {0: (5, 7), 2: (4, 4)}
