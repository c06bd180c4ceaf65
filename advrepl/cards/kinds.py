"""Tell what a file is that is no character card, and which command takes it.

Does not know how a card is read (read.py).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from advrepl import AdvreplError, paths, program
from advrepl.cards.spec import LISTS, OTHER_NAMES, TEXTS

# What only characters have; lorebooks and presets have names and descriptions as well.
OF_CHARACTERS = {*TEXTS, *LISTS, *OTHER_NAMES, "data"} - {"name", "description"}
SPOKEN = {"first_mes", "mes_example", "char_name", "char_greeting"}  # what only characters have, in no other way
LOREBOOK, CHAT, PRESET = "a lorebook", "a chat", "a preset of sampling parameters"
# What a file is that has all of these fields; the first that fits.
MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (LOREBOOK, ("lorebookVersion",)),
    (CHAT, ("chat_metadata",)),
    (CHAT, ("user_name", "character_name")),
    (CHAT, ("gamestarted", "actions")),
    (CHAT, ("visible", "internal")),
    (CHAT, ("data_visible",)),
    (CHAT, ("messages",)),
    (CHAT, ("histories",)),
    (LOREBOOK, ("entries",)),
    ("a template of prompts", ("input_sequence", "output_sequence")),
    ("a template of prompts", ("story_string",)),
    ("a template of prompts", ("prefix", "suffix", "separator")),
    ("a system prompt", ("name", "content")),
    ("a set of prompts", ("prompts", "prompt_order")),
    ("a set of quick replies", ("qrList",)),
    ("a set of quick replies", ("quickReplySlots",)),
    ("a script of regular expressions", ("findRegex", "replaceString")),
    ("a list of personas", ("personas", "persona_descriptions")),
    ("a theme", ("main_text_color",)),
    ("a theme", ("movingUIState",)),
)
SAMPLERS = {"temp", "temperature", "top_p", "top_k", "rep_pen", "repetition_penalty", "min_p", "typical_p", "tfs"}


def refuse_others(found: Mapping[str, Any], source: str) -> None:
    """Raise AdvreplError, which begins with the source, for what is known to be no character."""
    if kind := _kind(found):
        raise AdvreplError(f"{source} is {kind}, not a character{_remedy(kind, source)}")


def refuse_as_chat(found: Mapping[str, Any], source: str) -> None:
    """Raise AdvreplError, which begins with the source, for what is known to be something else than a chat."""
    kind = _kind(found)
    if not kind and (str(found.get("spec")).startswith("chara") or found.keys() & SPOKEN):
        raise AdvreplError(f"{source} is a character, not a chat: `{program.command('play', source)}` plays it")
    if kind and kind != CHAT:
        raise AdvreplError(f"{source} is {kind}, not a chat{_remedy(kind, source)}")


def refuse_chats(data: bytes, source: str) -> None:
    """Raise AdvreplError for a chat of one JSON object a line, as SillyTavern writes them."""
    first, _, rest = data.partition(b"\n")
    if not (first.startswith(b"{") and rest.strip()):
        return
    try:
        found = msgspec.json.decode(first)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # ValueError: no UTF-8
        return
    if isinstance(found, dict) and (_kind(found) == CHAT or {"mes", "is_user"} <= found.keys()):
        raise AdvreplError(f"{source} is {CHAT}, not a character{_remedy(CHAT, source)}")


def _kind(found: Mapping[str, Any]) -> str:
    if (
        str(found.get("spec")).startswith("lorebook")
        or found.get("type") in ("risu", "risuModule")
        or found.get("kind") == "memory"
    ):
        return LOREBOOK
    if found.get("kind") == "chat" or found.get("type") == "risuChat":
        return CHAT
    if found.keys() >= {"schema", "turns", "scenario"}:
        return "a story of this program"
    if found.keys() & OF_CHARACTERS:
        return ""
    if len(found.keys() & SAMPLERS) > 1:
        return PRESET
    return next((kind for kind, marks in MARKS if all(mark in found for mark in marks)), "")


def _remedy(kind: str, source: str) -> str:
    if kind == LOREBOOK:
        return f": `{program.command('play', '--lore', source)}` adds it to a story, and so does /lore in one"
    if kind == CHAT:
        return f": `{program.command('saves', 'import', source)}` takes it"
    if kind == PRESET:
        return f": copy it into {paths.presets_folder()}, then /preset and --preset take it by its name"
    if kind.startswith("a story"):
        return f": put it into {paths.saves_folder(None)}, then `{program.command('resume')}` lists it"
    if kind == "a system prompt":
        return ": /memory TEXT tells the model what it says"
    if "prompts" in kind:
        return ": prompts are spelled as the model wants them; --format chooses another spelling"
    return ": --you NAME says who you are" if "personas" in kind else ", and nothing here takes it"
