"""Conversations of llama.cpp's own page: a header and its messages, each with the one before it, so takes and futures.

Reads the JSON lines that it writes, and the JSON that it wrote before.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from advrepl.exchange.chat import Chat, several
from advrepl.exchange.values import fields, listed, text
from advrepl.story.tree import Role

ROLES: dict[str, Role] = {"user": "user", "assistant": "model"}


def is_session(line: Any) -> bool:
    """Tell whether this line begins a conversation."""
    return isinstance(line, dict) and line.get("type") == "session"


def is_conversation(data: Any) -> bool:
    """Tell whether this is a conversation in one object, or a list of such."""
    first = data[0] if isinstance(data, list) and data else data
    return isinstance(first, dict) and "conv" in first and "messages" in first


def read_lines(lines: Iterable[Any], source: str) -> Iterator[Chat]:
    """Read the conversations in lines, the first of which begins one."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if is_session(line):
            found.append({"conv": line, "messages": []})
        elif isinstance(line, dict) and line.get("type") == "message":
            found[-1]["messages"].append(line.get("message"))
    return several(found, f"{source}: conversation", _conversation)


def read(data: Any, source: str) -> Iterator[Chat]:
    """Read the conversations of JSON."""
    return several(data if isinstance(data, list) else [data], f"{source}: conversation", _conversation)


def _conversation(chat: Chat, found: dict[str, Any]) -> None:
    about = fields(found.get("conv"), f"{chat.source}.conv")
    chat.title = text(about.get("name"), f"{chat.source}.name")
    places: dict[str, int | None] = {}  # a message -> the turn that it ends at, or that of the one before it
    behind: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    before, ids = "", set[str]()
    for at, each in enumerate(listed(found.get("messages"), f"{chat.source}.messages")):
        message = fields(each, f"{chat.source}.messages[{at}]")
        name = text(message.get("id"), f"{chat.source}.messages[{at}].id") or f"#{at}"
        if name in ids:
            continue
        parent = text(message.get("parent"), f"{chat.source}.messages[{at}].parent") if "parent" in message else before
        behind.setdefault(parent, []).append((name, message))
        ids.add(name)
        before = name
    roots = [name for name in behind if name not in ids]
    waiting = [(None, *each) for root in reversed(roots) for each in reversed(behind[root])]
    while waiting:  # no recursion: a conversation is as deep as it is long
        parent_turn, name, message = waiting.pop()
        places[name] = turn = _turn(chat, parent_turn, message, f"{chat.source}: message {name}")
        waiting += [(turn, *each) for each in reversed(behind.get(name, ()))]
    if (lost := len(ids) - len(places)) > 0:
        chat.remarks.append(f"messages that follow none: {lost} left out")
    head = places.get(text(about.get("currNode"), f"{chat.source}.currNode"))
    if head is not None:
        chat.story.goto(head)


def _turn(chat: Chat, parent: int | None, message: dict[str, Any], where: str) -> int | None:
    """Add a message; what is none of a story (tools, pictures alone) lets the next one follow the one before."""
    role = message.get("role")
    content = message.get("content")
    if isinstance(content, list):  # parts, of which pictures have no text
        content = "".join(text(fields(part, where).get("text"), where) for part in content)
    said = text(content, f"{where}.content")
    if role == "system":
        chat.memory = chat.memory or said
    if not isinstance(role, str) or role not in ROLES:
        return parent
    thoughts = text(message.get("reasoningContent") or message.get("thinking"), f"{where}.reasoningContent")
    added = chat.add(parent, ROLES[role], said, thoughts)
    return parent if added is None else added
