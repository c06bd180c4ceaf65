"""Macros beside SillyTavern's own engine: each text comes out alike, or differs for a reason of the table."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand
from tests.sillytavern.macro_texts import HAND_WRITTEN, generated, scrambled, wide
from tests.sillytavern.node import ask

NOW = datetime(2026, 11, 21, 16, 5, 9, tzinfo=UTC)
CHAT = [("Ann", "Hello."), ("Bob", "Good day."), ("Ann", "Is it?")]
CONTEXT = MacroContext(
    user="Ann", char="Bob", description="Bob is dry.", persona="A sailor.", mes_examples="Bob: Hm.",
    system="Be Bob.", post_history="Stay Bob.", creator_notes="For people.", depth_prompt="Deep.", version="1.2",
    greetings=("Hello.", "Go away."), original="Be original.", model="tiny", input="typed", max_context="4096",
    last_message="Is it?", last_user_message="Is it?", last_char_message="Good day.", last_message_id="2",
    now=NOW,
)  # fmt: skip
CARD = {
    "description": CONTEXT.description, "personality": "", "scenario": "", "persona": CONTEXT.persona,
    "mesExamples": CONTEXT.mes_examples, "system": CONTEXT.system, "jailbreak": CONTEXT.post_history,
    "creatorNotes": CONTEXT.creator_notes, "charDepthPrompt": CONTEXT.depth_prompt, "version": CONTEXT.version,
    "firstMessage": "Hello.", "alternateGreetings": ["Go away."],
}  # fmt: skip
SETTINGS = {
    "model": "tiny", "maxPrompt": 4096, "maxContext": 4096, "input": "typed", "original": "Be original.",
    "outlets": {"known": {"value": "Outlet."}}, "system": "Be Bob.",
}  # fmt: skip
TEXTS = [*HAND_WRITTEN, *generated(500), *scrambled(300), *wide(600)]
# Where ours differs: of which texts, or of which answers of its engine, a difference is the decided one. The table in
# docs/characters.md has the reasons.
DECIDED = {
    "three braces inside a macro": (r"(?s)\{\{[\w/.$].*\{\{\{", ""),
    "macros of the V3 specification": ("hidden_key", ""),
    "what is left of its mark for {{else}}": ("", "[\0\x1f]"),
    "a name that runs into braces": (r"\{\{\W*[\w.$]+[^\s:|{}]*\{", ""),
    "an empty comment, or its end alone": (r"\{\{\s*//", r"\{\{\s*//|//\s*\{\{"),
    "lore that an outlet names": ("outlet", ""),
    "an if without a condition, whose end closes another one": (r"\{\{\s*#?\s*if\s*\}\}", ""),
    "a block as the value of a shorthand": (r"(?s)\{\{[.$][\w-]+ ?[-+=|?!<>]+ ?.*\{\{/", ""),
    "a variable with a blank in a shorthand": (r"\{\{[.$]\w+ \w", ""),
}


def sillytavern(texts: list[str]) -> Any:
    """Return what SillyTavern's engine makes of each text, with the variables that are left."""
    chat = [{"name": name, "is_user": name == "Ann", "mes": text} for name, text in CHAT]
    names = {"user": "Ann", "char": "Bob"}
    now = NOW.isoformat()
    return ask(
        "macros.mjs", {"texts": texts, "names": names, "card": CARD, "chat": chat, "settings": SETTINGS, "now": now}
    )


@pytest.fixture(scope="module")
def theirs() -> dict[str, str]:
    found = sillytavern(TEXTS)
    assert found["version"] == "1.19.0"
    return {text: each["result"] for text, each in zip(TEXTS, found["results"], strict=True)}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_out_alike(text: str, theirs: dict[str, str]) -> None:
    ours, other = expand(text, CONTEXT, {}, "lore.1", turn="1"), theirs[text]
    decided = any(re.search(ask, text) and re.search(answer, other) for ask, answer in DECIDED.values())
    assert ours == other or decided


def test_every_macro_of_its_table_is_known(theirs: dict[str, str]) -> None:
    names = [name for name, *_ in sillytavern([])["macros"]]
    assert len(names) == 124
    unknown = set(names)
    for arguments in ("", "::a", "::a::b", "::a::b::c"):
        unknown -= {name for name in names if expand(each := f"{{{{{name}{arguments}}}}}", CONTEXT, {}, "l") != each}
    assert not unknown
