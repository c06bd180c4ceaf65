"""Stories of KoboldAI (v1, and v2 of United) and of Kobold Lite: one text in chunks, parted here into turns.

Values that are pickles are passed over: they are never read.
"""

import json
import re
from collections.abc import Container
from typing import Any

from advrepl.exchange.chat import Chat
from advrepl.exchange.values import fields, text, whole
from advrepl.story.injections import NOTE
from advrepl.story.saves import Save
from advrepl.story.tree import Story

STORY, ADVENTURE, CHAT, INSTRUCT = 1, 2, 3, 4  # Lite's opmode
INPUT, OUTPUT = "{{[INPUT]}}", "{{[OUTPUT]}}"
IMAGE = re.compile(r"\[<\|(?:p|h|d)\|.*?\|(?:p|h|d)\|>\]", re.DOTALL)
ACTION = re.compile(r"(?:^|\n)\s*> (.+?)(?:\n|$)")
MARKS = re.compile(r"\{\{\[(INPUT|OUTPUT|SYSTEM)(?:_END)?\]\}\}")
SPEAKER = re.compile(r"(?:^|\n)([^\n:]{1,40}):")
MOST_SPEAKERS = 8
PARAGRAPHS = 600  # characters of a turn in a story that has no turns
NOTE_FORM = "[Author's note: <|>]"


def is_story(data: Any) -> bool:
    """Tell whether this is a story of one of them."""
    return isinstance(data, dict) and "actions" in data and "prompt" in data and "memory" in data


def read(data: dict[str, Any], source: str) -> Chat:
    """Read a story."""
    chat = Chat(source, roleplay=False)
    settings = fields(data.get("savedsettings"), f"{source}: savedsettings")
    chunks = [text(data.get("prompt"), f"{source}: prompt"), *_actions(data, source)]
    told = IMAGE.sub("", "".join(chunks)).replace("\r\n", "\n")
    chat.memory = text(data.get("memory"), f"{source}: memory")
    chat.note = text(data.get("authorsnote") or data.get("authornote"), f"{source}: authorsnote")
    chat.title = text(data.get("story_name") or data.get("title"), f"{source}: title")
    _part(chat, told, whole(settings.get("opmode")), settings)
    for name in ("worldinfo", "worldinfo_v2"):
        if data.get(name):
            chat.add_book(data[name] if name == "worldinfo_v2" else {"worldinfo": data[name]}, f"{source}: {name}")
    if pickled := sum(isinstance(value, str) and value.startswith("base64:") for value in data.values()):
        chat.remarks.append(f"{pickled} pickled values left out")
    return chat


def _actions(data: dict[str, Any], source: str) -> list[str]:
    """The chunks after the prompt: a list in v1, an object of objects by their numbers in v2."""
    actions = data["actions"]
    if isinstance(actions, list):
        return [text(each, f"{source}: actions[{at}]") for at, each in enumerate(actions)]
    numbered = fields(fields(actions, f"{source}: actions").get("actions"), f"{source}: actions.actions")
    told = ((int(key), value) for key, value in numbered.items() if key.isdecimal() and len(key) < 9)
    ordered = sorted(told, key=lambda each: each[0])  # "1" and "01" are one number
    where = f"{source}: actions.actions"
    return [text(fields(each, f"{where}[{at}]").get("Selected Text"), f"{where}[{at}]") for at, each in ordered]


def _part(chat: Chat, told: str, mode: int, settings: dict[str, Any]) -> None:
    starts = {_tag(settings, "instruct_starttag"): "user", _tag(settings, "instruct_endtag"): "model"}
    if MARKS.search(told):
        _by_marks(chat, told, MARKS, {"INPUT": "user", "OUTPUT": "model", "SYSTEM": "system"})
    elif mode == INSTRUCT and all(tag.strip() for tag in starts) and any(tag in told for tag in starts):
        roles = {tag.strip(): role for tag, role in starts.items()}
        tags = re.compile("(" + "|".join(map(re.escape, roles)) + ")")
        _by_marks(chat, told, tags, roles)
    elif mode == CHAT and (names := _names(settings, told)):
        chat.roleplay = True
        chat.you, chat.narrator = names[0], names[1]
        lines = re.compile("(?:^|\n)(" + "|".join(map(re.escape, names)) + "):")
        _by_marks(chat, told, lines, {name: "user" if name == names[0] else "model" for name in names}, set(names[2:]))
    elif mode == ADVENTURE or ACTION.search(told):
        _by_actions(chat, told)
    else:
        for paragraph in _paragraphs(told):
            chat.say("model", paragraph)


def _tag(settings: dict[str, Any], name: str) -> str:
    """A tag as it stands in the text; Lite keeps its line ends as a backslash and an n."""
    return str(settings.get(name) or "").replace("\\n", "\n")


def _names(settings: dict[str, Any], told: str) -> list[str]:
    """The player's name and those of the others; if none is set, of whoever speaks. Lite parts them by its own mark."""
    you, others = settings.get("chatname"), settings.get("chatopponent")
    if not isinstance(you, str) or not you:
        return []
    names = others.split("||$||") if isinstance(others, str) and others else SPEAKER.findall(told)
    rest = [name for name in dict.fromkeys(names) if name and name != you]
    return [you, *rest] if 0 < len(rest) <= MOST_SPEAKERS else []


def _by_marks(
    chat: Chat, told: str, marks: "re.Pattern[str]", roles: dict[str, Any], labelled: Container[str] = ()
) -> None:
    at, role, label = 0, "model", ""
    for found in [*marks.finditer(told), None]:
        said = told[at : found.start() if found else len(told)]
        if role == "system":
            chat.memory = "\n\n".join(filter(None, (chat.memory, said.strip())))
        elif said.strip():
            chat.say("user" if role == "user" else "model", label + said.lstrip() if label else said)
        if found:
            at, role = found.end(), roles.get(found[1], "")
            label = f"{found[1]}: " if found[1] in labelled else ""


def _by_actions(chat: Chat, told: str) -> None:
    at = 0
    for found in ACTION.finditer(told):
        chat.say("model", told[at : found.start()])
        chat.say("user", found[1])
        at = found.end()
    chat.say("model", told[at:])


def _paragraphs(told: str) -> list[str]:
    found, held = [], ""
    for line in told.split("\n"):
        held += line + "\n"
        if len(held) >= PARAGRAPHS:
            found.append(held)
            held = ""
    return [*found, held]


def write(save: Save) -> str:
    """Return the path that is read as a story of Kobold Lite, with marks between the turns."""
    scenario, story = save.scenario, Story(save.turns, save.head)
    chunks = [_chunk(turn.role, turn.text) for turn in story.path_turns()]
    note = scenario.injections.get(NOTE)
    told = {
        "gamestarted": True,
        "prompt": chunks[0] if chunks else "",
        "memory": scenario.memory,
        "authorsnote": note.text if note else "",
        "anotetemplate": NOTE_FORM,
        "actions": chunks[1:],
        "actions_metadata": {},
        "worldinfo": [],
        "wifolders_d": {},
        "wifolders_l": [],
        "title": save.title,
        "savedsettings": {"opmode": INSTRUCT, "chatname": scenario.you, "chatopponent": scenario.narrator},
    }
    return json.dumps(told, ensure_ascii=False, indent=1)


def _chunk(role: str, said: str) -> str:
    plain = MARKS.sub(lambda found: found[0].replace("{{[", "{{ ["), said)
    return f"\n{INPUT if role == 'user' else OUTPUT}\n{plain}"
