"""A story as one line of text that a friend can play back: what it begins from, its seeds and the player's choices.

Knows the line, not how it is played (play/shared.py). A line is read with suspicion: of bounded size, into fields of
known types, and nothing in it is run.
"""

import base64
import binascii
import hashlib
import zlib
from typing import Annotated, Any

import msgspec

from advrepl import AdvreplError
from advrepl.story.saves import ModelRef, PlayedWith

PREFIX = "advrepl1:"
LONGEST = 1 << 18  # characters of a line
LARGEST = 1 << 22  # bytes of what is in it
SUM = 2  # bytes for each reply, by which it is known

_Name = Annotated[str, msgspec.Meta(max_length=1000)]


class Step(msgspec.Struct, frozen=True, array_like=True):
    """Say what the player does, and how the reply to it is sampled."""

    said: int | str  # the number of an option, or words
    seeds: int  # how many turns there had been, in all branches, when the reply was written
    sampling: int  # place in Shared.samplings


class Shared(msgspec.Struct, frozen=True):
    """Hold all that is needed to write a story again."""

    advrepl: _Name  # version
    llama: _Name  # version of llama-cpp-python
    model: ModelRef
    format: _Name
    scenario: _Name  # its name, or that of the character
    card: str  # digest of the character; empty: none
    changed: dict[str, Any]  # fields of the scenario that are not as it begins
    played: PlayedWith
    rng_seed: _Name
    samplings: list[dict[str, Any]]
    bans: list[str]
    greeting: int  # place in the scenario's; -1: the usual opening, or the model's
    steps: list[Step]  # the first is the opening if the model wrote it: nothing is said then
    sums: bytes


def line_of(shared: Shared) -> str:
    """Return the line; raises AdvreplError where it would be too long."""
    data = zlib.compress(msgspec.msgpack.encode(shared), 9)
    line = PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")
    if len(line) > LONGEST:
        raise AdvreplError(f"the story takes a line of {len(line)} characters, more than {LONGEST}: send its file")
    return line


def read(line: str) -> Shared:
    """Read a line; raises AdvreplError."""
    text = "".join(line.split())  # a mail may have wrapped it
    if not text.startswith(PREFIX):
        raise AdvreplError("this is no shared story: such a line begins with " + PREFIX)
    if len(text) > LONGEST:
        raise AdvreplError(f"the line has {len(text)} characters, and no shared story has more than {LONGEST}")
    try:
        data = base64.b64decode(text[len(PREFIX) :] + "===", altchars=b"-_", validate=False)
        unpacked = zlib.decompressobj()
        plain = unpacked.decompress(data, LARGEST)
        if not unpacked.eof:
            raise ValueError("cut short, or too large")
        return msgspec.msgpack.decode(plain, type=Shared)
    except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError, RecursionError):
        raise AdvreplError("the line of the shared story is damaged: copy all of it") from None


def sum_of(text: str) -> bytes:
    """Return what a reply is known by."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=SUM).digest()
