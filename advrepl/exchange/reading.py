"""Read chats of other programs: the form of a file is found by looking into it, never by its name.

Does not write anything.
"""

import json
from pathlib import Path
from typing import Any

from advrepl import AdvreplError, regular
from advrepl.cards import kinds
from advrepl.exchange import kobold, llama_cpp, others, sillytavern, transcripts
from advrepl.exchange.chat import Chat, whole_ones

MOST_BYTES = 256 << 20
KNOWN = (
    "chats of SillyTavern, Marinara, KoboldAI, text-generation-webui, llama.cpp, Agnai, RisuAI, AI Dungeon, Clover, "
    "or lines 'Name: text'"
)


def read(path: Path) -> list[Chat]:
    """Return the chats of a file; AdvreplError, which names file and field, for what is none or too large."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise AdvreplError(f"{path} has {size >> 20} MB, the limit is {MOST_BYTES >> 20}: it is no chat")
        data = regular.read(path, MOST_BYTES)
    except OSError as error:
        raise AdvreplError(f"{path} cannot be read: {error.strerror}") from error
    return parse(data, str(path))


def parse(data: bytes, source: str) -> list[Chat]:
    """Return the chats in a file's bytes; raises AdvreplError as `read` does."""
    if data.startswith(b"PK\x03\x04"):  # as Marinara writes all chats at once
        raise AdvreplError(f"{source} is an archive: unpack it, and give the folder that comes out")
    try:
        told = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise AdvreplError(f"{source} is no text: known are {KNOWN}") from None
    try:
        chats = whole_ones(_of_lines(told, source) or _of_json(told, source) or _of_text(told, source))
    except RecursionError:
        raise AdvreplError(f"{source} is no chat: its brackets have no end") from None
    if not chats:
        raise AdvreplError(f"{source} is no chat that is known here: known are {KNOWN}")
    return chats


def _of_lines(told: str, source: str) -> list[Chat]:
    """JSON lines: SillyTavern's and those like them, llama.cpp's."""
    raw = [line for line in told.split("\n") if line.strip()]
    if not raw or not raw[0].lstrip().startswith("{"):
        return []
    lines = [_decoded(line) for line in raw]
    found = [line for line in lines if line is not None]
    if found and llama_cpp.is_session(found[0]):
        return list(llama_cpp.read_lines(found, source))
    if any(map(sillytavern.is_message, found)) or (len(raw) > 1 and found and sillytavern.is_header(found[0])):
        return [sillytavern.read(found, len(lines) - len(found), source)]
    return list(others.read(found, source) or ()) if len(found) > 1 else []


def _of_json(told: str, source: str) -> list[Chat]:
    if told.lstrip()[:1] not in ("{", "["):
        return []
    try:
        data = json.loads(told)
    except ValueError as error:
        if _decoded(told.lstrip().partition("\n")[0]) is not None:  # lines that are whole, and of no form
            return []
        raise AdvreplError(f"{source} is damaged: {error}") from None
    if isinstance(data, dict) and "schema" in data and "turns" in data:
        raise AdvreplError(f"{source} is a story of advrepl already: put it into the folder of your stories")
    return _chats(data, source) or _refused(data, source)


def _chats(data: Any, source: str) -> list[Chat]:
    if llama_cpp.is_conversation(data):
        return list(llama_cpp.read(data, source))
    if kobold.is_story(data):
        return [kobold.read(data, source)]
    if isinstance(data, list) and any(map(sillytavern.is_message, data)):
        return [sillytavern.read(data, 0, source)]
    return list(others.read(data, source) or ())


def _refused(data: Any, source: str) -> list[Chat]:
    """No chats, if it is nothing else that is known; AdvreplError, which says what takes it, if it is."""
    is_lore = isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "keys" in data[0]
    held = {"entries": data} if is_lore else data
    if isinstance(held, dict):
        kinds.refuse_as_chat(held, source)
    return []


def _decoded(line: str) -> dict[str, Any] | None:
    """The object in a line; None if there is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _of_text(told: str, source: str) -> list[Chat]:
    if (page := others.risu_page(told)) is not None:
        return list(others.read(page, source) or ())
    return transcripts.read(told, source)
