"""Braces: what is a macro, what is text, and which tags belong together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.macros.parser import MAX_DEPTH, Macro, Node, Nodes, macros_of, parse
from advrepl.macros.scopes import around_else, dedented, pairs

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
PIECES += ["{{.x", "{{$y = ", "++", "{{//", "/", "#", "{{setvar::x::"]


def source(node: Node) -> str:
    return node if isinstance(node, str) else node.source


def the(text: str) -> Macro:
    (macro,) = parse(text)
    assert isinstance(macro, Macro)
    return macro


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=60).map("".join))
def test_parsing_keeps_every_character(text: str) -> None:
    nodes = parse(text)
    assert "".join(map(source, nodes)) == text
    for macro in macros_of(nodes):
        assert macro.source.startswith("{{") and macro.source.endswith("}}")
        for argument in macro.arguments:
            assert "".join(map(source, argument.nodes)) == macro.source[argument.start : argument.end]


def test_macros_written_alike_are_numbered() -> None:
    first, second = (node for node in parse("{{roll:6}} {{roll:6}}") if isinstance(node, Macro))
    assert (first.label, second.label) == ("{{roll:6}}#0", "{{roll:6}}#1")
    assert len(the("{{x " + "x" * 100 + "}}").label) == 79


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("{{ Random ::a::{{char}}!}}", "random", ["a", "{{char}}!"]),
        ("{{roll 2d6}}", "roll", ["2d6"]),
        ("{{setvar x::y}}", "setvar", ["x::y"]),
        ("{{x:}}", "x", [""]),
        ("{{x::}}", "x", [""]),
        ("{{x:: a \n:: b}}", "x", ["a", "b"]),
        ("{{x}}", "x", []),
        ("{{user's}}", "user", []),
        ("{{//note}}", "//", ["note"]),
        ("{{x::{{y::a::b}}::c}}", "x", ["{{y::a::b}}", "c"]),
        ("{{.x = a::b }}", ".", ["a::b"]),
        ("{{$x-y++}}", "$", []),
    ],
)
def test_names_and_arguments(text: str, name: str, arguments: list[str]) -> None:
    macro = the(text)
    assert (macro.name, [text[each.start : each.end] for each in macro.arguments]) == (name, arguments)


@pytest.mark.parametrize("text", ["{{}}", "{{ 5 }}", "{{имя}}", "a }} b", "{{user", "{{.5}}", "{{user{{"])
def test_braces_that_are_no_macro_are_text(text: str) -> None:
    assert parse(text) == (text,)


def test_what_is_nested_too_deep_is_text() -> None:
    inner = "{{x::" * (MAX_DEPTH + 3) + "}}" * (MAX_DEPTH + 3)
    assert len(list(macros_of(parse(inner)))) == MAX_DEPTH


def test_variables_have_operators() -> None:
    for text, operator in [("{{.x}}", ""), ("{{.x++}}", "++"), ("{{.x--}}", "--"), ("{{.x ??= 1}}", "??=")]:
        assert (the(text).variable, the(text).operator) == ("x", operator)
    assert [the(f"{{{{.x {operator} 1}}}}").operator for operator in ("=", "==", "<", "<=", "||", "-=")] == [
        *("=", "==", "<", "<=", "||", "-=")
    ]


def test_tags_belong_together() -> None:
    nodes = parse("{{if a}}1{{if b}}2{{/if}}{{else}}3{{/if}}{{else}}{{if c}}{{/x}}")
    assert pairs(nodes, lambda macro: True) == {0: 7, 2: 4}
    inside = nodes[1:7]
    assert around_else(inside) == (inside[:4], inside[5:])
    assert around_else(("a",)) == (("a",), ())
    assert [macro.closing for macro in macros_of(parse("{{/if}}{{ / if }}{{///}}{{// x}}{{#if x}}{{/.x}}"))] == [
        *(True, True, True, False, False, False)
    ]


def test_a_block_is_dedented_by_its_first_line() -> None:
    assert dedented("\n  # A\n    b\n c\n") == "# A\n  b\nc"
    assert dedented("  a ") == "a"
    assert dedented("") == ""


def joined(nodes: Nodes) -> str:
    return "".join(map(source, nodes))


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_else_parts_what_stands_there(text: str) -> None:
    nodes = parse(text)
    before, after = around_else(nodes)
    assert text.startswith(joined(before)) and text.endswith(joined(after))
