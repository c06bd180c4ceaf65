"""Chats of programs whose form is small: each is known by its keys, and read by one function.

text-generation-webui, Agnai, RisuAI, Character.AI tools, AI Dungeon 2, Clover Edition, AIDCAT and AI Dungeon itself,
llama.cpp's own page, and lists of {role, content}.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from advrepl import AdvreplError
from advrepl.exchange.chat import Chat
from advrepl.exchange.values import fields, listed, text, whole

BEGIN = "<|BEGIN-VISIBLE-CHAT|>"  # what text-generation-webui has the player say before a greeting
USERS = ("user", "human", "you", "player")
MODELS = ("assistant", "model", "char", "bot", "ai", "gpt", "narrator")
ACTION = re.compile(r"^\s*> ")
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
            chat.say("user", words[0])
        about = fields(metadata.get(f"assistant_{at}"), f"{source}: metadata.assistant_{at}")
        where = f"{source}: metadata.assistant_{at}.versions"
        versions = [text(fields(each, where).get("content"), where) for each in listed(about.get("versions"), where)]
        chosen = whole(about.get("current_version_index"))
        if 0 <= chosen < len(versions):
            versions[chosen] = words[1]
            chat.say_one_of("model", versions, chosen)
        else:
            chat.say("model", words[1])
    yield chat


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
            chat.narrator = chat.narrator or text(message.get("name"), f"{where}.name")
            chat.say_one_of("model", takes, 0)
    yield chat


def _risu(data: Any, source: str) -> Iterator[Chat]:
    chats = data["data"] if isinstance(data["data"], list) else [data["data"]]
    for number, each in enumerate(chats):
        where = f"{source}: data[{number}]" if isinstance(data["data"], list) else f"{source}: data"
        found = fields(each, where)
        chat = Chat(where, title=text(found.get("name"), f"{where}.name"))
        chat.note = text(found.get("note"), f"{where}.note")
        for at, line in enumerate(listed(found.get("message"), f"{where}.message")):
            message = fields(line, f"{where}.message[{at}]")
            said = text(message.get("data"), f"{where}.message[{at}].data")
            if message.get("role") == "char" and not chat.narrator:
                chat.narrator = text(message.get("name"), f"{where}.message[{at}].name")
            chat.say("user" if message.get("role") == "user" else "model", said)
        if found.get("localLore"):
            chat.add_book({"entries": found["localLore"]}, f"{where}.localLore")
        yield chat


def _character_ai(data: Any, source: str) -> Iterator[Chat]:
    histories = listed(fields(data["histories"], f"{source}: histories").get("histories"), f"{source}: histories")
    for number, history in enumerate(histories):
        where = f"{source}: histories[{number}].msgs"
        chat = Chat(f"{source}: histories[{number}]")
        for at, each in enumerate(listed(fields(history, where).get("msgs"), where)):
            message = fields(each, f"{where}[{at}]")
            by = fields(message.get("src"), f"{where}[{at}].src")
            chat.say("user" if by.get("is_human") else "model", text(message.get("text"), f"{where}[{at}].text"))
        yield chat


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
    """AI Dungeon's own stories, as AIDCAT and the program itself write them."""
    single = isinstance(data, dict) and "stories" not in data
    stories = [data] if single else listed(data["stories"] if isinstance(data, dict) else data, f"{source}: stories")
    for number, each in enumerate(stories):
        where = source if single else f"{source}: stories[{number}]"
        found = fields(each, where)
        chat = Chat(where, title=text(found.get("title"), f"{where}: title"), roleplay=False)
        chat.memory = text(found.get("memory"), f"{where}: memory")
        chat.note = text(found.get("authorsNote"), f"{where}: authorsNote")
        name = "actions" if found.get("actions") else "actionWindow"
        for at, action in enumerate(listed(found.get(name), f"{where}: {name}")):
            said = text(fields(action, f"{where}: {name}[{at}]").get("text"), f"{where}: {name}[{at}].text")
            kind = fields(action, where).get("type")
            by_player = kind in ("do", "say") or bool(ACTION.match(said))
            chat.say("user" if by_player else "model", ACTION.sub("", said))
        if lore := found.get("worldInfo") or found.get("storyCards"):
            chat.add_book({"entries": lore}, f"{where}: worldInfo")
        yield chat


def _messages(data: Any, source: str) -> Iterator[Chat]:
    """Lists of {role, content}; what was told to the model as its system text is kept as memory."""
    holder = data if isinstance(data, dict) else {}
    name = next((each for each in ("messages", "conversations") if each in holder), "")
    chat = Chat(source, title=text(holder.get("title") or holder.get("name"), f"{source}: title"))
    for at, each in enumerate(listed(holder[name] if name else data, f"{source}: {name or 'the list'}")):
        where = f"{source}: {name or 'message'}[{at}]"
        message = fields(each, where)
        message = fields(message["message"], where) if isinstance(message.get("message"), dict) else message
        role = text(message.get("role") or message.get("from"), f"{where}.role").casefold()
        content = message.get("content", message.get("value"))
        if isinstance(content, list):  # parts, of which pictures have no text
            content = "".join(text(fields(part, where).get("text"), where) for part in content)
        said = text(content, f"{where}.content")
        if role == "system":
            chat.memory = chat.memory or said
        elif role in USERS or role in MODELS:
            chat.say("user" if role in USERS else "model", said)
    yield chat


def _is_messages(data: Any) -> bool:
    found = data
    if isinstance(data, dict):
        found = next((data[name] for name in ("messages", "conversations") if name in data), None)
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        return False
    first = found[0]["message"] if isinstance(found[0].get("message"), dict) else found[0]
    return ("role" in first and "content" in first) or ("from" in first and "value" in first)


def _is_agnai(data: Any) -> bool:
    messages = data.get("messages") if isinstance(data, dict) else None
    return isinstance(messages, list) and any(isinstance(each, dict) and "msg" in each for each in messages)


def _is_risu(data: Any) -> bool:
    return isinstance(data, dict) and data.get("type") in ("risuChat", "risuAllChats") and "data" in data


READERS: tuple[tuple[Callable[[Any], bool], Reader], ...] = (
    (_is_risu, _risu),
    (_has("internal"), _webui),
    (_has("data_visible", "data"), _webui),
    (_is_agnai, _agnai),
    (_is_messages, _messages),
    (_has("histories"), _character_ai),
    (_has("actions", "results"), _ai_dungeon_2),
    (_has("stories"), _aidcat),
    (_is_aidcat_list, _aidcat),
    (_has("actions", "title"), _aidcat),
    (_has("actionWindow"), _aidcat),
)
