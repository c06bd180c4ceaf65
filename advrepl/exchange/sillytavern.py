"""SillyTavern's chats: a header and a message a line, each message with its swipes.

Reads those of 1.12 to 1.19 and older ones, and what Chub and Marinara write; writes what 1.19 reads. A message's swipes
are the takes of a turn; what followed a swipe that is not read has no place there.
"""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from advrepl import AdvreplError
from advrepl.exchange.chat import UNNAMED, Chat
from advrepl.exchange.values import fields, listed, text, whole
from advrepl.story.injections import NOTE
from advrepl.story.saves import Save
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Story

HEADER = ("user_name", "character_name", "chat_metadata")
OWN = "advrepl"  # our own key in the header's metadata: the scenario


def is_header(line: Any) -> bool:
    """Tell whether this is the first line of a chat."""
    return isinstance(line, dict) and "mes" not in line and any(key in line for key in (*HEADER, "name"))


def is_message(line: Any) -> bool:
    """Tell whether this is a message."""
    return isinstance(line, dict) and "mes" in line and ("is_user" in line or "name" in line)


def read(lines: Sequence[Any], broken: int, source: str) -> Chat:
    """Read a chat from its lines, decoded; `broken`: how many were no JSON, and are counted only."""
    header = lines[0] if lines and is_header(lines[0]) else {}
    chat = Chat(source)
    metadata = fields(header.get("chat_metadata"), f"{source}: chat_metadata of line 1")
    chat.you = text(header.get("user_name"), f"{source}: user_name of line 1")
    chat.narrator = text(header.get("character_name") or header.get("name"), f"{source}: character_name of line 1")
    chat.note = text(metadata.get("note_prompt"), f"{source}: chat_metadata.note_prompt")
    chat.note_depth = whole(metadata.get("note_depth"), chat.note_depth)
    chat.scenario = _own(metadata, source)
    hidden = wordless = 0
    for number, line in enumerate(lines, 1):
        if not is_message(line):
            continue
        if line.get("is_system"):
            hidden += 1
            continue
        turns = len(chat.story.turns)
        _message(chat, line, f"{source}: message {number}")
        wordless += len(chat.story.turns) == turns
    if broken:
        chat.remarks.append(f"{broken} broken {'line' if broken == 1 else 'lines'} left out")
    if hidden:
        chat.remarks.append(f"{hidden} hidden {'message' if hidden == 1 else 'messages'} left out")
    if wordless:
        chat.remarks.append(f"{wordless} {'message' if wordless == 1 else 'messages'} without words left out")
    return chat


def _message(chat: Chat, line: dict[str, Any], where: str) -> None:
    name = text(line.get("name"), f"{where}.name")
    role = "user" if line.get("is_user") else "model"
    if role == "user" and chat.you in UNNAMED:
        chat.you = name
    if role == "model" and chat.narrator in UNNAMED:
        chat.narrator = name
    said = _words(line.get("mes"), f"{where}.mes")
    swipes = [_words(each, f"{where}.swipes") for each in listed(line.get("swipes"), f"{where}.swipes")]
    chosen = whole(line.get("swipe_id"))
    if not 0 <= chosen < len(swipes):
        swipes, chosen = [said, *(swipe for swipe in swipes if swipe != said)], 0
    if said in swipes:  # Marinara numbers them anew when one is deleted, and not the one that is shown
        chosen = chosen if swipes[chosen] == said else swipes.index(said)
    swipes[chosen] = said  # as SillyTavern shows it, where an edit has changed the one and not the other
    thoughts = [""] * len(swipes)
    for at, info in enumerate(listed(line.get("swipe_info"), f"{where}.swipe_info")[: len(swipes)]):
        thoughts[at] = _reasoning(info)
    thoughts[chosen] = _reasoning(line) or thoughts[chosen]
    is_told = role == "user" or line.get("role") == "narrator"  # Marinara's game master, beside its characters
    label = "" if is_told or chat.scenario or name in (*UNNAMED, chat.narrator) else f"{name}: "
    chat.say_one_of(role, [label + swipe for swipe in swipes], chosen, thoughts)  # type: ignore[arg-type]


def _words(value: Any, where: str) -> str:
    """A message's text, which Chub puts into an object."""
    return text(value.get("message") if isinstance(value, dict) else value, where)


def _reasoning(holder: Any) -> str:
    if not isinstance(holder, dict):
        return ""
    extra = holder.get("extra")
    found = extra.get("reasoning") if isinstance(extra, dict) else None
    found = found or holder.get("reasoning_content")  # Marinara's
    return found if isinstance(found, str) else ""


def _own(metadata: dict[str, Any], source: str) -> Scenario | None:
    if OWN not in metadata:
        return None
    try:
        return msgspec.convert(metadata[OWN], Scenario)
    except msgspec.ValidationError as error:
        raise AdvreplError(f"{source}: chat_metadata.{OWN} of line 1: {error}") from error


def write(save: Save) -> str:
    """Return the path that is read, with all takes of its turns, as a chat."""
    scenario, story = save.scenario, Story(save.turns, save.head, save.futures)
    metadata: dict[str, Any] = {OWN: msgspec.to_builtins(scenario)}
    if note := scenario.injections.get(NOTE):
        metadata |= {"note_prompt": note.text, "note_interval": 1, "note_depth": note.depth, "note_position": 1}
    names = {"user": scenario.you, "model": scenario.narrator}
    header = {"user_name": scenario.you, "character_name": scenario.narrator, "create_date": save.created}
    lines: list[dict[str, Any]] = [header | {"chat_metadata": metadata}]
    for index in story.path:
        turn, takes = story.turns[index], story.siblings(index)
        line = {
            "name": names[turn.role],
            "is_user": turn.role == "user",
            "is_system": False,
            "send_date": save.updated or save.created,
            "mes": turn.text,
            "extra": _extra(turn.thoughts),
        }
        # Takes by another speaker, where the model goes on by itself in one and the player answers in another, are
        # branches there, which SillyTavern keeps in files of their own.
        same = [take for take in takes if story.turns[take].role == turn.role]
        if len(same) > 1:
            line |= {
                "swipe_id": same.index(index),
                "swipes": [story.turns[take].text for take in same],
                "swipe_info": [
                    {"send_date": line["send_date"], "extra": _extra(story.turns[take].thoughts)} for take in same
                ],
            }
        lines.append(line)
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


def _extra(thoughts: str) -> dict[str, str]:
    return {"reasoning": thoughts} if thoughts else {}
