"""The bytes of a save, and its sum: what stands there since the last version is not encoded again, nor summed up.

Turns are encoded in blocks, which are kept; a block that has changed, and those behind it, are made anew. Does not know
the other fields (saves.py).
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from advrepl.story.seal import closing
from advrepl.story.tree import Turn

BLOCK = 64  # turns
_NONE, _BEGUN = b'\n "turns": []', b'\n "turns": ['
_OUTER = len(b'{\n "turns": ['), len(b"\n ]\n}")


class _Block(Struct):
    turns: Sequence[Turn]
    end: int  # in the bytes of all blocks
    summed: "hashlib._Hash"  # all of the save up to the end of this block


class Encoded(Struct):
    """A save as it stands in its file, piece by piece, and the SHA-256 of it all; until the next one is encoded."""

    pieces: list[bytes | bytearray]
    digest: bytes


class Encoder:
    """Encode one save after the other of one story."""

    def __init__(self) -> None:
        # What stands before the turns, and the blocks: as one, for a Ctrl-C that comes in between.
        self._known: tuple[bytes, list[_Block]] = b"", []
        # Of all blocks in one piece: as many small ones they would leave gaps among what a long story takes.
        self._data = bytearray()  # what is behind the last block's end is of none

    def encoded(self, fields: bytes, turns: Sequence[Turn]) -> Encoded:
        """Return a save; `fields`: its JSON without turns, an object with an indent of one."""
        if not turns:
            return _sealed([fields.removesuffix(b"\n}")], hashlib.sha256(fields.removesuffix(b"\n}")))
        front, _, back = fields.partition(_NONE)
        front, blocks = self._known = front + _BEGUN, self._kept(front + _BEGUN, turns)
        del self._data[_end(blocks) :]
        for at in range(len(blocks) * BLOCK, len(turns) // BLOCK * BLOCK, BLOCK):
            block = turns[at : at + BLOCK]
            data = _listed(block, first=not at)
            self._data += data
            blocks.append(_Block(block, len(self._data), _more(_summed(front, blocks), data)))
        rest = turns[len(blocks) * BLOCK :]
        end = (_listed(rest, first=not blocks) if rest else b"") + b"\n ]" + back.removesuffix(b"\n}")
        return _sealed([front, self._data, end], _more(_summed(front, blocks), end))

    def _kept(self, front: bytes, turns: Sequence[Turn]) -> list[_Block]:
        """Return the blocks that are still so, as far as all before them are, with their sums."""
        known, blocks = self._known
        kept, most = 0, len(blocks)
        while kept < most and blocks[kept].turns == turns[kept * BLOCK : (kept + 1) * BLOCK]:
            kept += 1
        if front == known:
            return blocks[:kept]
        again = list[_Block]()
        for block in blocks[:kept]:
            data = self._data[_end(again) : block.end]
            again.append(_Block(block.turns, block.end, _more(_summed(front, again), data)))
        return again


def _end(blocks: Sequence[_Block]) -> int:
    return blocks[-1].end if blocks else 0


def _summed(front: bytes, blocks: Sequence[_Block]) -> "hashlib._Hash":
    return blocks[-1].summed if blocks else hashlib.sha256(front)


def _listed(turns: Sequence[Turn], *, first: bool) -> bytes:
    """Return some turns as they stand in a save's list."""
    data = msgspec.json.format(msgspec.json.encode({"turns": turns}), indent=1)[_OUTER[0] : -_OUTER[1]]
    return data if first else b"," + data


def _more(summed: "hashlib._Hash", data: bytes | bytearray) -> "hashlib._Hash":
    more = summed.copy()
    more.update(data)
    return more


def _sealed(pieces: list[bytes | bytearray], summed: "hashlib._Hash") -> Encoded:
    end = closing(summed)
    return Encoded([*pieces, end], _more(summed, end).digest())
