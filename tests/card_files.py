"""Files that carry cards, made byte by byte and without the code that is tested."""

import base64
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from advrepl import AdvreplError

V2 = {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Ada", "description": "An engineer ☕"}}
V3 = {"spec": "chara_card_v3", "spec_version": "3.0", "data": {"name": "Ada", "description": "An engineer ☕"}}

# Cards with all fields.
WHOLE_V1: dict[str, Any] = {
    "name": "Ada",
    "description": "An engineer",
    "personality": "curious",
    "scenario": "A tea room",
    "first_mes": "Hello.",
    "mes_example": "<START>\n{{user}}: Hi",
}
WHOLE_V2: dict[str, Any] = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "fav": True,
    "data": {
        **WHOLE_V1,
        "creator_notes": "n",
        "system_prompt": "{{original}} Be brief.",
        "post_history_instructions": "Stay calm.",
        "alternate_greetings": ["Good evening.", "You again?"],
        "tags": ["science"],
        "creator": "me",
        "character_version": "1.1",
        "character_book": {"entries": [{"keys": ["tea"], "content": "Hot.", "x": 1}], "extensions": {"a": 1}},
        "extensions": {"someone/else": {"deep": [1, 2.5, None]}},
        "unheard_of": "kept",
    },
}


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(kind + body) if crc is None else crc
    return len(body).to_bytes(4, "big") + kind + body + crc.to_bytes(4, "big")


HEAD = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]))
PIXELS = chunk(b"IDAT", zlib.compress(b"\0\x7f"))
END = chunk(b"IEND", b"")


def b64(card: object) -> bytes:
    return base64.b64encode(json.dumps(card).encode())


def text(card: object, keyword: bytes = b"chara") -> bytes:
    return chunk(b"tEXt", keyword + b"\0" + b64(card))


def ztxt(card: object, keyword: bytes = b"chara") -> bytes:
    return chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(b64(card)))


def itxt(card: object, keyword: bytes = b"chara", packed: bool = False) -> bytes:
    body = zlib.compress(b64(card)) if packed else b64(card)
    return chunk(b"iTXt", keyword + b"\0" + bytes([packed]) + b"\0en\0Figur\0" + body)


def charx(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, body in members.items():
            # A fixed date: the bytes become names of tests, which must be the same in each worker.
            archive.writestr(zipfile.ZipInfo(name), body, method)
    return file.getvalue()


def survives(read: Callable[[], object]) -> None:
    """Success or an error for the player; anything else fails the test."""
    try:
        read()
    except AdvreplError as error:
        assert "\n" not in str(error)


def v2(**data: object) -> dict[str, Any]:
    """A V2 card with these fields of the character."""
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Ada", "description": "d", **data}}
