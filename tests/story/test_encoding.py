"""A save is encoded beside the version before it: the same bytes as by itself, whatever was changed, and few turns."""

import hashlib
import random
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from advrepl.story import encoding, saves
from advrepl.story.encoding import Encoder
from advrepl.story.saves import Save
from advrepl.story.seal import is_altered
from advrepl.story.tree import Turn
from tests.story.test_checking import sealed
from tests.story.test_saves import a_save


def turns(count: int, rng: random.Random) -> list[Turn]:
    said = [f'"{rng.random()}"\n\x01 é 雨 "turns": []' for _ in range(count)]
    return [Turn(at - 1 if at else None, "user", text, seconds=0.5) for at, text in enumerate(said)]


def whole(save: Save) -> bytes:
    """The save as it is encoded all at once."""
    plain = msgspec.structs.replace(save, schema=saves.SCHEMA, lock=None)
    return sealed(msgspec.json.format(msgspec.json.encode(plain), indent=1))


@pytest.mark.parametrize("seed", range(6))
def test_what_was_encoded_before_changes_no_byte(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saves, "now", lambda: f"{seed}")
    rng, encoder = random.Random(seed), Encoder()
    save = msgspec.structs.replace(a_save(), updated=f"{seed}")
    for version in range(60):
        told, what = list(save.turns), rng.randrange(8)
        if what == 0 and told:
            del told[rng.randrange(len(told)) :]
        elif what == 1 and told:
            at = rng.randrange(len(told))
            told[at] = msgspec.structs.replace(told[at], text=f"in other words {version}")
        elif what == 2:
            save = msgspec.structs.replace(save, title=f'a title\n "turns": [] {version}')
        elif what == 3:
            save = msgspec.structs.replace(save, window_start=version)
        else:
            told += turns(rng.choice((1, 2, encoding.BLOCK - 1, encoding.BLOCK, 150)), rng)
        save = msgspec.structs.replace(save, turns=told)
        found = saves.encoded(save, encoder)
        data = b"".join(found.pieces)
        assert data == whole(save) and not is_altered(data)
        assert found.digest == hashlib.sha256(data).digest()


def test_a_ctrl_c_at_any_moment_leaves_no_wrong_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saves, "now", lambda: "")
    rng, encoder, real, left = random.Random(1), Encoder(), hashlib.sha256, 0

    def interrupted(*data: bytes) -> Any:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return real(*data)

    save = msgspec.structs.replace(a_save(), turns=turns(300, rng))
    saves.encoded(save, encoder)
    for left in (1, 2, 3):
        save = msgspec.structs.replace(save, title=f"{left}", turns=[*save.turns[:-70], *turns(140, rng)])
        with monkeypatch.context() as patched:
            patched.setattr(encoding.hashlib, "sha256", interrupted)  # type: ignore[attr-defined]
            with suppress(KeyboardInterrupt):
                saves.encoded(save, encoder)
        assert b"".join(saves.encoded(save, encoder).pieces) == whole(save)


def test_a_turn_of_a_long_story_is_encoded_with_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, told, counts = Encoder(), turns(2000, random.Random(0)), list[int]()
    real = encoding._listed

    def counted(some: list[Turn], **how: bool) -> bytes:
        counts.append(len(some))
        return real(some, **how)

    monkeypatch.setattr(encoding, "_listed", counted)
    for _ in range(100):
        told = [*told, Turn(len(told) - 1, "model", "And then?")]
        counts.clear()
        saves.encoded(msgspec.structs.replace(a_save(), turns=told), encoder)
        if len(told) > 2001:
            assert sum(counts) <= 2 * encoding.BLOCK
