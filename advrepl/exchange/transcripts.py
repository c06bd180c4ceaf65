"""Chats as plain text: each turn under or behind the name of whoever speaks."""

import re

from advrepl.exchange.chat import Chat, speakers
from advrepl.exchange.others import MODELS, USERS

# A speaker's name at the beginning of a line.
LINE = re.compile(r"^([^\s:#*>\[{\"'][^:\n]{0,40}):[ \t]+(?=\S)", re.MULTILINE)
# Names that have a line of their own: RisuAI's, before which come two line ends, and Marinara's, with the time.
RISU = re.compile(r"(?:\A|\n\n)--([^\n]{1,60})\n")
MARINARA = re.compile(r"(?:\A|\n)\n\[([^\n\]]{1,60})\] \([^\n()]*\d[^\n()]*\)\n|\n\[(Thinking)\]\n")
MARINARA_HEAD = re.compile(r"Chat: ([^\n]*)\nDate: [^\n]*\n─+\n")
ASIDE = ("System", "")  # what Marinara tells so is no turn; nor are thoughts, which nobody says
MOST_SPEAKERS = 8


def read(told: str, source: str) -> list[Chat]:
    """Return the chat in a text; none, if nobody's name stands there as in one that is known."""
    told = told.replace("\r\n", "\n")
    if head := MARINARA_HEAD.match(told):
        chat = Chat(source, title=head[1])
        return _by_headings(chat, told[head.end() - 1 :], MARINARA)
    return _by_headings(Chat(source), told, RISU) if told.startswith("--") else _by_lines(told, source)


def _by_headings(chat: Chat, told: str, heading: "re.Pattern[str]") -> list[Chat]:
    """Both call the player what he is called there: "User" in Marinara's, and the second who speaks in RisuAI's."""
    every = [(each, (each[1] or "").strip()) for each in heading.finditer(told)]
    names = [name for name in dict.fromkeys(name for _, name in every) if name not in ASIDE]
    often = speakers((name, "") for _, name in every)
    # Who speaks but once may be a line of the story that looks so.
    found = [each for each, name in every if name in ASIDE or name in names[:2] or often[name] > 1]
    if len(names) < 2:
        return []
    you = next((name for name in names if name.casefold() in USERS), names[1])
    rest = [name for name in names if name != you]
    chat.you, chat.narrator = "" if you.casefold() in USERS else you, rest[0]
    for mark, after in zip(found, [*found[1:], None], strict=True):
        name, said = (mark[1] or "").strip(), told[mark.end() : after.start() if after else len(told)]
        if name not in ASIDE:
            label = "" if name in (you, rest[0], "Narrator") else f"{name}: "
            chat.say("user" if name == you else "model", label + said.lstrip() if label else said)
    return [chat]


def _by_lines(told: str, source: str) -> list[Chat]:
    """Lines that begin with a name: the player is who is called so, else whoever speaks first."""
    found = list(LINE.finditer(told))
    every = speakers((each[1].strip(), "") for each in found)
    names = {name: count for name, count in every.items() if count > 1 or name.casefold() in (*USERS, *MODELS)}
    if len(names) == 1 and any(name.casefold() in USERS for name in names):
        names = every  # short: who else speaks does so once
    if not 1 < len(names) <= MOST_SPEAKERS or told[: found[0].start()].strip():
        return []
    marks = [each for each in found if each[1].strip() in names]
    called = next((name for name in names if name.casefold() in USERS), "")
    you = called or marks[0][1].strip()
    rest = [name for name in names if name != you]
    chat = Chat(source, you="" if called else you, narrator=rest[0])
    chat.memory = re.sub(r"^system:\s*", "", told[: marks[0].start()], flags=re.IGNORECASE)
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        name, said = mark[1].strip(), told[mark.end() : after.start() if after else len(told)]
        label = "" if name in (you, rest[0]) else f"{name}: "
        chat.say("user" if name == you else "model", label + said)
    return [chat]
