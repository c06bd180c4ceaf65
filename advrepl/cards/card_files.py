"""Find the JSON of a character card in the bytes of a file, and put it into a picture.

Knows the chunks of PNG and APNG, and the zips of CHARX and Backyard. Every size in a file is checked before it is used.
Does not know the text of a card (text.py) or what it says (read.py), and decodes no picture.
"""

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from advrepl import AdvreplError, regular
from advrepl.cards.foreign import from_backyard
from advrepl.cards.kinds import refuse_chats
from advrepl.cards.text import CARD_LIMIT, MB, parse_card_text

FILE_LIMIT = 64 * MB
CHUNK_LIMIT = CARD_LIMIT * 4 // 3 + 1024  # a card in base64, with its padding
PICTURE_LIMIT = 32 * MB
MAX_MEMBERS = 10_000  # files in a zip
MAX_CHUNKS = 200_000  # of a PNG; one with the usual 8 KB chunks has 8,000 at the limit of a file
MAX_COPIES = 8  # chunks of one picture with a card in them that are looked at

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORDS = ("ccv3", "chara")  # what carries a card, the better first
LORE = "naidata"  # what carries a lorebook of NovelAI
TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")
OTHER_PICTURES = {b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP"}
MODULE = b"o\0"  # begins a .risum file, whose bytes are then put for others
DIRECTORY_ENTRY = b"PK\x01\x02"  # begins each entry of a zip's central directory
# What zipfile raises for damaged archives, from Python 3.11 to 3.13. NotImplementedError: it says so of versions and
# flags that it does not know. ValueError: names that are not UTF-8, places before the start of the file.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


class Chunk(Struct, frozen=True):
    """Where a chunk of a PNG lies in the file."""

    kind: bytes
    start: int  # of its length field
    end: int  # behind its checksum


class Copy(Struct, frozen=True):
    """A text chunk that says it carries a card."""

    keyword: str
    kind: bytes
    body: bytes  # behind the keyword, still packed
    crc_ok: bool


def load_bytes(path: Path) -> bytes:
    """Read a file that is at most as long as a card may be; raise AdvreplError with its name if that fails."""
    try:
        if path.exists() and not path.is_file():
            raise AdvreplError(f"{path} is no file: name the card itself")
        with regular.opened(path) as file:
            data = file.read(FILE_LIMIT + 1)
    except FileNotFoundError:
        raise AdvreplError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise AdvreplError(f"{path} cannot be read ({error})") from error
    if len(data) > FILE_LIMIT:
        raise AdvreplError(f"{path} has more than {FILE_LIMIT // MB} MB, too much for a character card")
    return data


def unpack(data: bytes, source: str) -> tuple[dict[str, Any], list[str]]:
    """Find the card's object in the bytes of its file; the notes say what was odd about the file.

    Raises AdvreplError, which begins with the source, for a file without a card that can be read.
    """
    if len(data) > FILE_LIMIT:
        raise AdvreplError(f"{source} has more than {FILE_LIMIT // MB} MB, too much for a character card")
    refuse_chats(data, source)
    try:
        if data.startswith(SIGNATURE):
            return _from_png(data)
        if is_zip(data):
            with _zip(data) as archive:
                return _from_zip(archive)
        for magic, kind in OTHER_PICTURES.items():
            if data.startswith(magic):
                raise AdvreplError(f"this is a {kind} picture, and only PNG pictures carry cards: ask for the PNG")
        if data.startswith(MODULE):
            raise AdvreplError("it is a module of RisuAI: in RisuAI, export its lorebook, which /lore takes")
        return parse_card_text(data)
    except AdvreplError as error:
        raise AdvreplError(f"{source} holds no card that can be read: {error}") from error


def is_text(data: bytes) -> bool:
    """Say whether a file is neither a picture nor an archive."""
    return not is_zip(data) and not data.startswith((SIGNATURE, MODULE, *OTHER_PICTURES))


def is_zip(data: bytes) -> bool:
    """Say whether a file is a zip, which may stand behind a JPEG picture, as some programs write CHARX."""
    return data.startswith(b"PK\x03\x04") or (data.startswith(b"\xff\xd8\xff") and DIRECTORY_ENTRY in data)


# PNG


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """Find the chunks of a PNG up to IEND, or to the first that does not fit into the file."""
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            return
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        chunk = Chunk(data[at + 4 : at + 8], at, end)
        yield chunk
        if chunk.kind == b"IEND":
            return
        at = end
    raise AdvreplError(f"the picture has more than {MAX_CHUNKS:,} chunks")


def _keyword(data: bytes, chunk: Chunk, wanted: Sequence[str] = KEYWORDS) -> str:
    """The keyword of a text chunk if it is one of these, else nothing."""
    if chunk.kind not in TEXT_KINDS:
        return ""
    start = data[chunk.start + 8 : min(chunk.start + 88, chunk.end - 4)]  # keywords have 79 letters at most
    word = start.split(b"\0")[0].decode("latin-1").strip().lower()
    return word if word in wanted else ""


def _copies(data: bytes, wanted: Sequence[str] = KEYWORDS) -> tuple[list[Copy], list[str]]:
    found: list[Copy] = []
    last, number = b"", 0
    for chunk in png_chunks(data):
        last = chunk.kind
        if not (keyword := _keyword(data, chunk, wanted)):
            continue
        number += 1
        if number <= MAX_COPIES:
            body = data[chunk.start + 8 : chunk.end - 4]
            crc_ok = zlib.crc32(chunk.kind + body) == int.from_bytes(data[chunk.end - 4 : chunk.end], "big")
            found.append(Copy(keyword, chunk.kind, body.partition(b"\0")[2], crc_ok))
    notes = [] if last == b"IEND" else ["the picture is cut short"]
    if number > MAX_COPIES:
        notes.append(f"of {number:,} chunks with cards, the first {MAX_COPIES} were looked at")
    return found, notes


def _from_png(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """The best copy of the card: a right checksum before a wrong one, ccv3 before chara, then the first."""
    copies, notes = _copies(data)
    copies = copies or _copies(data, [LORE])[0]
    if not copies:
        end = "is cut short before its card" if notes else "has no card in it (no chara or ccv3 text)"
        raise AdvreplError(f"the picture {end}")
    copies.sort(key=lambda copy: (not copy.crc_ok, copy.keyword != KEYWORDS[0]))
    card: dict[str, Any] | None = None
    failed = ""
    for copy in copies:
        try:
            other, odd = _read_copy(copy)
        except AdvreplError as error:
            failed = f"its {copy.keyword} chunk cannot be read: {error}"
            notes.append(failed)
            continue
        if card is None:
            card, taken = other, copy.keyword
            notes += odd if copy.crc_ok else [f"the checksum of the {taken} chunk is wrong", *odd]
        elif field := _difference(card, other):
            notes.append(f"two copies of the card disagree in {field}: the {taken} chunk that came first was taken")
    if card is None:
        raise AdvreplError(failed)
    return card, notes


def _read_copy(copy: Copy) -> tuple[dict[str, Any], list[str]]:
    text = _chunk_text(copy)
    notes = []
    if text.lstrip().startswith(b"{"):
        notes.append(f"the {copy.keyword} chunk holds bare JSON, not base64")
    else:
        try:
            packed = b"".join(text.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
            text = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except ValueError:
            raise AdvreplError("it is not base64") from None
    card, odd = parse_card_text(text)
    return card, notes + odd


def _chunk_text(copy: Copy) -> bytes:
    packed, text = copy.kind == b"zTXt", copy.body
    if copy.kind == b"zTXt":
        text = text[1:]  # the method, of which there is only one
    elif copy.kind == b"iTXt":
        packed = text[:1] == b"\1"
        text = b"\0".join(text[2:].split(b"\0", 2)[2:])  # behind the language and the translated keyword
    if packed:
        unzip = zlib.decompressobj()
        try:
            text = unzip.decompress(text, CHUNK_LIMIT + 1)
        except zlib.error:
            raise AdvreplError("its compressed text is damaged") from None
    if len(text) > CHUNK_LIMIT:
        raise AdvreplError(f"it unpacks to more than the {CARD_LIMIT // MB} MB that a card may have")
    return text


def _difference(card: dict[str, Any], other: dict[str, Any]) -> str:
    """The first field in which two copies disagree; what only one of them has is no disagreement."""
    left, right = (found["data"] if isinstance(found.get("data"), dict) else found for found in (card, other))
    own = ("spec", "spec_version", "character_book")  # differ between V2 and V3 by design
    return next((key for key in left if key in right and key not in own and left[key] != right[key]), "")


def embed(picture: bytes, cards: Mapping[str, bytes]) -> bytes:
    """Put JSON under keywords before the end of a PNG; the old card chunks go, all others stay byte by byte."""
    if not picture.startswith(SIGNATURE):
        raise AdvreplError("the picture is no PNG, and only PNG pictures carry cards: convert it first")
    new = b"".join(_text_chunk(keyword, base64.b64encode(text)) for keyword, text in cards.items())
    out = bytearray(SIGNATURE)
    chunk = Chunk(b"", 0, len(SIGNATURE))
    for chunk in png_chunks(picture):
        if chunk.kind == b"IEND":
            out += new
        if not _keyword(picture, chunk):
            out += picture[chunk.start : chunk.end]
    if chunk.kind != b"IEND" and cards:
        raise AdvreplError("the picture is cut short: take a whole one")
    return bytes(out + picture[chunk.end :])


def _text_chunk(keyword: str, text: bytes) -> bytes:
    return png_chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Write a chunk of a PNG, with its length and its checksum."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def plain_picture() -> bytes:
    """Draw a small gray picture, for cards that have none."""
    width, height = 64, 96
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"  # 8 bits of gray
    rows = b"".join(b"\0" + bytes([64 + row]) * width for row in range(height))
    return SIGNATURE + b"".join(
        (png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b""))
    )


# CHARX and pictures beside the card


def _zip(data: bytes) -> zipfile.ZipFile:
    # Each entry of the directory begins so, and zipfile makes an object of each before it can be asked.
    if (count := data.count(DIRECTORY_ENTRY)) > MAX_MEMBERS:
        raise AdvreplError(f"the archive has {count:,} files; {MAX_MEMBERS:,} is the most")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except ZIP_ERRORS as error:
        raise AdvreplError(f"the archive is damaged ({error})") from error


def _from_zip(archive: zipfile.ZipFile) -> tuple[dict[str, Any], list[str]]:
    """The card of a CHARX, or the character of a Backyard archive (.byaf)."""
    names = archive.namelist()
    if "card.json" not in names and "manifest.json" in names:
        return from_backyard(lambda name: parse_card_text(_member(archive, name, CARD_LIMIT))[0])
    return parse_card_text(_member(archive, "card.json", CARD_LIMIT))


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise AdvreplError(f"the archive has no {name}") from None
    # Only deflate can be unpacked a bounded piece at a time.
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise AdvreplError(f"{name} in the archive is encrypted or packed in an unusual way")
    try:
        with archive.open(entry) as file:
            body = file.read(limit + 1)
    except ZIP_ERRORS as error:
        raise AdvreplError(f"{name} in the archive is damaged ({error})") from error
    if len(body) > limit:
        raise AdvreplError(f"{name} in the archive has more than {limit // MB} MB")
    return body


def read_asset(data: bytes, uri: str) -> bytes | None:
    """Return the file that an asset's `uri` names, in the archive `data` or in itself; None where there is none."""
    if inside := re.fullmatch(r"embedd?ed://(.+)", uri):  # the specification spells it with one d
        if not is_zip(data):
            return None
        with _zip(data) as archive, suppress(AdvreplError):  # a story can be played without its picture
            return _member(archive, inside[1].lstrip("/"), PICTURE_LIMIT)
    if (found := re.match(r"data:image/[\w.+-]+;base64,", uri)) and len(uri) <= PICTURE_LIMIT:
        try:
            return base64.b64decode(uri[found.end() :])
        except ValueError:
            return None
    return None
