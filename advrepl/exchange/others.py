"""Chats of programs whose form is small: each is known by its keys, and read by one function.

text-generation-webui, Agnai, RisuAI, Character.AI tools, AI Dungeon 2, Clover Edition, AIDCAT and AI Dungeon itself,
and lists of {role, content}.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from advrepl import AdvreplError
from advrepl.exchange.chat import Chat, several
from advrepl.exchange.values import fields, listed, text, whole
from advrepl.story.tree import Role

BEGIN = "<|BEGIN-VISIBLE-CHAT|>"  # what text-generation-webui has the player say before a greeting
USERS = ("user", "human", "you", "player")
MODELS = ("assistant", "model", "char", "bot", "ai", "gpt", "narrator")
ACTION = re.compile(r"^\s*> ")
INLAY = re.compile(r"\{\{inlay(?:ed|eddata)?::[^{}]*\}\}")  # RisuAI's pictures
EMBEDDED = re.compile(r'<div class="idat">(.*?)</div>', re.DOTALL)  # what RisuAI's page carries for its importer
Reader = Callable[[Any, str], Iterator[Chat]]


def read(data: Any, source: str) -> Iterator[Chat] | None:
    """Read the chats of decoded JSON; None: it has none of these forms."""
    for knows, reader in READERS:
        if knows(data):
            return reader(data, source)
    return None


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda data: isinstance(data, dict) and all(key in data for key in keys)


def _is_aidcat_list(data: Any) -> bool:
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and ("actions" in first or "actionWindow" in first)


def _webui(data: Any, source: str) -> Iterator[Chat]:
    """Pairs of the player's words and the reply; newer versions keep the replies' versions beside them."""
    name = "internal" if "internal" in data else "data"
    chat, metadata = Chat(source), fields(data.get("metadata"), f"{source}: metadata")
    for at, pair in enumerate(listed(data[name], f"{source}: {name}")):
        words = [text(each, f"{source}: {name}[{at}]") for each in listed(pair, f"{source}: {name}[{at}]")]
        if len(words) != 2:
            raise AdvreplError(f"{source}: {name}[{at}] has {len(words)} texts and should have two")
        if words[0] != BEGIN:
            _with_versions(chat, "user", words[0], metadata.get(f"user_{at}"), f"{source}: metadata.user_{at}")
        about = metadata.get(f"assistant_{at}")
        _with_versions(chat, "model", words[1], about, f"{source}: metadata.assistant_{at}")
    yield chat


def _with_versions(chat: Chat, role: Role, said: str, about: Any, where: str) -> None:
    found, where = fields(about, where), f"{where}.versions"
    versions = [text(fields(each, where).get("content"), where) for each in listed(found.get("versions"), where)]
    chosen = whole(found.get("current_version_index"))
    if not 0 <= chosen < len(versions):
        versions, chosen = [said], 0
    versions[chosen] = said
    chat.say_one_of(role, versions, chosen)


def _agnai(data: Any, source: str) -> Iterator[Chat]:
    chat = Chat(source, title=text(data.get("name"), f"{source}: name"))
    for at, each in enumerate(listed(data["messages"], f"{source}: messages")):
        where = f"{source}: messages[{at}]"
        message = fields(each, where)
        takes = [text(message.get("msg"), f"{where}.msg")]
        takes += [text(take, f"{where}.retries") for take in listed(message.get("retries"), f"{where}.retries")]
        if message.get("userId"):
            chat.you = chat.you or text(message.get("handle") or message.get("name"), f"{where}.handle")
            chat.say("user", takes[0])
        else:
            chat.narrator = chat.narrator or text(message.get("handle") or message.get("name"), f"{where}.handle")
            chat.say_one_of("model", takes, 0)
    yield chat


def _risu(data: Any, source: str) -> Iterator[Chat]:
    chats = data["data"] if isinstance(data["data"], list) else [data["data"]]
    return several(chats, f"{source}: data", _risu_chat)


def _risu_chat(chat: Chat, found: dict[str, Any]) -> None:
    where = chat.source
    chat.title = text(found.get("name"), f"{where}.name")
    chat.note = text(found.get("note"), f"{where}.note")
    unnamed = set[str]()  # a group's characters, by numbers of RisuAI's own
    for at, line in enumerate(listed(found.get("message"), f"{where}.message")):
        message = fields(line, f"{where}.message[{at}]")
        said = INLAY.sub("", text(message.get("data"), f"{where}.message[{at}].data"))
        if message.get("role") == "char":
            name = text(message.get("name"), f"{where}.message[{at}].name")
            chat.narrator = chat.narrator or name
            said = f"{name}: {said}" if name and name != chat.narrator and said.strip() else said
            unnamed |= {text(message.get("saying"), f"{where}.message[{at}].saying")} if not name else set()
        chat.say("user" if message.get("role") == "user" else "model", said)
    if len(unnamed - {""}) > 1:
        chat.remarks.append(f"{len(unnamed - {''})} characters speak, whose names the file does not hold")
    if found.get("localLore"):
        chat.add_book({"entries": found["localLore"]}, f"{where}.localLore")


def risu_page(told: str) -> Any | None:
    """Return what RisuAI's page of a chat holds of it, as in its JSON; None: it is no such page."""
    found = EMBEDDED.search(told)
    if not found:
        return None
    try:
        chat = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">"))
    except ValueError:
        return None
    return {"type": "risuChat", "data": chat}


def _character_ai(data: Any, source: str) -> Iterator[Chat]:
    held = data["histories"]
    histories = listed(held.get("histories") if isinstance(held, dict) else held, f"{source}: histories")
    return several(histories, f"{source}: histories", _character_ai_chat)


def _character_ai_chat(chat: Chat, found: dict[str, Any]) -> None:
    where = f"{chat.source}.msgs"
    turns: list[tuple[Role, list[str]]] = []
    for at, each in enumerate(listed(found.get("msgs"), where)):
        message = fields(each, f"{where}[{at}]")
        by = fields(message.get("src"), f"{where}[{at}].src")
        role: Role = "user" if by.get("is_human") else "model"
        said, name = text(message.get("text"), f"{where}[{at}].text"), text(by.get("name"), f"{where}[{at}].src.name")
        if role == "user":
            chat.you = chat.you or name
        else:
            chat.narrator = chat.narrator or name
        if message.get("is_alternative") is True and turns and turns[-1][0] == role:
            turns[-1][1].append(said)
        else:
            turns.append((role, [said]))
    for role, takes in turns:
        chat.say_one_of(role, takes, 0)


def _ai_dungeon_2(data: Any, source: str) -> Iterator[Chat]:
    """AI Dungeon 2 and Clover Edition: what the player did and what came of it, in two lists."""
    chat = Chat(source, roleplay=False)
    if "story_start" in data:
        chat.say("model", text(data["story_start"], f"{source}: story_start"))
    else:
        chat.memory = text(data.get("context"), f"{source}: context")
    actions, results = (listed(data[name], f"{source}: {name}") for name in ("actions", "results"))
    for at in range(max(len(actions), len(results))):
        if at < len(actions):
            chat.say("user", ACTION.sub("", text(actions[at], f"{source}: actions[{at}]")))
        if at < len(results):
            chat.say("model", text(results[at], f"{source}: results[{at}]"))
    yield chat


def _aidcat(data: Any, source: str) -> Iterator[Chat]:
    """AI Dungeon's own stories, as AIDCAT, exporters of browsers and the program itself write them."""
    if isinstance(data, dict) and "stories" not in data:
        chat = Chat(source)
        _adventure(chat, data)
        return iter([chat])
    stories = listed(data["stories"] if isinstance(data, dict) else data, f"{source}: stories")
    return several(stories, f"{source}: stories", _adventure)


def _answered(data: Any, source: str) -> Iterator[Chat]:
    """What AI Dungeon's server answers, which scripts in browsers save: the adventure, and its summary beside it."""
    answer = data["data"]
    details = fields(
        fields(answer.get("adventureState"), f"{source}: adventureState").get("details"), f"{source}: details"
    )
    chat = Chat(f"{source}: data.adventure")
    _adventure(chat, answer["adventure"])
    summary = text(details.get("storySummary"), f"{source}: storySummary")
    chat.memory = "\n\n".join(filter(None, (chat.memory, summary)))
    yield chat


def _adventure(chat: Chat, found: dict[str, Any]) -> None:
    where = chat.source
    chat.title, chat.roleplay = text(found.get("title"), f"{where}: title"), False
    chat.memory = text(found.get("memory"), f"{where}: memory")
    chat.note = text(found.get("authorsNote"), f"{where}: authorsNote")
    name = "actions" if found.get("actions") else "actionWindow"
    for at, each in enumerate(listed(found.get(name), f"{where}: {name}")):
        action = fields(each, f"{where}: {name}[{at}]")
        if action.get("undoneAt") or action.get("deletedAt"):
            continue
        said = text(action.get("text"), f"{where}: {name}[{at}].text")
        by_player = action.get("type") in ("do", "say") or bool(ACTION.match(said))
        chat.say("user" if by_player else "model", ACTION.sub("", said))
    if lore := found.get("worldInfo") or found.get("storyCards"):
        chat.add_book({"entries": lore}, f"{where}: worldInfo")


def _messages(data: Any, source: str) -> Iterator[Chat]:
    """Lists of {role, content}; what was told to the model as its system text is kept as memory."""
    holder = data if isinstance(data, dict) else {}
    name = next((each for each in ("messages", "conversations") if each in holder), "")
    chat = Chat(source, title=text(holder.get("title") or holder.get("name"), f"{source}: title"))
    for at, each in enumerate(listed(holder[name] if name else data, f"{source}: {name or 'the list'}")):
        where = f"{source}: {name or 'message'}[{at}]"
        message = fields(each, where)
        role = text(message.get("role") or message.get("from"), f"{where}.role").casefold()
        content = message.get("content", message.get("value"))
        if isinstance(content, list):  # parts, of which pictures have no text
            content = "".join(text(fields(part, where).get("text"), where) for part in content)
        said = text(content, f"{where}.content")
        if role == "system":
            chat.memory = chat.memory or said
        elif role in USERS:
            chat.say("user", said)
        elif role in MODELS:
            chat.say("model", said)
    yield chat


def _is_messages(data: Any) -> bool:
    found = data
    if isinstance(data, dict):
        found = next((data[name] for name in ("messages", "conversations") if name in data), None)
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        return False
    first = found[0]
    return ("role" in first and "content" in first) or ("from" in first and "value" in first)


def _is_agnai(data: Any) -> bool:
    messages = data.get("messages") if isinstance(data, dict) else None
    return isinstance(messages, list) and any(isinstance(each, dict) and "msg" in each for each in messages)


def _is_risu(data: Any) -> bool:
    return isinstance(data, dict) and data.get("type") in ("risuChat", "risuAllChats") and "data" in data


def _is_answer(data: Any) -> bool:
    held = data.get("data") if isinstance(data, dict) else None
    return isinstance(held, dict) and isinstance(held.get("adventure"), dict)


READERS: tuple[tuple[Callable[[Any], bool], Reader], ...] = (
    (_is_risu, _risu),
    (_has("internal"), _webui),
    (_has("data_visible", "data"), _webui),
    (_is_agnai, _agnai),
    (_is_messages, _messages),
    (_has("histories"), _character_ai),
    (_has("actions", "results"), _ai_dungeon_2),
    (_has("stories"), _aidcat),
    (_is_answer, _answered),
    (_is_aidcat_list, _aidcat),
    (_has("actions", "title"), _aidcat),
    (_has("actionWindow"), _aidcat),
)
