"""The family under its own names, as the README's lines find it: small, and with room for a character's card."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.convert.decode import made
from tests.convert.test_family import MEMBERS, Member, publish

CONTEXT = 16384  # tokens; a card is thousands of those that the small tokenizers have
BASE = "llama-7b-hf"


def place(line: str, folder: Path) -> None:
    """Put the model there that a line converts, decodes or plays as it was published: its folder, or its XOR files."""
    named = {word.partition("/")[0] for word in line.split()[2:]}
    for member in MEMBERS:
        if member.folder in named and not (folder / member.folder).exists():
            _place(member, folder)


def _place(member: Member, folder: Path) -> None:
    config, tensors = member.model()
    config = {**config, **{key: CONTEXT for key in ("n_positions", "max_position_embeddings") if key in config}}
    own = publish(replace(member, model=lambda: (config, tensors)), folder)
    if member.release:
        own = own.rename(folder / f"{member.folder}.own")
        release = made.Release(folder / f"{member.folder}.made", member.folder)
        for file in own.iterdir():
            raw = file.read_bytes()
            release.add(file.name, raw, bytes((at * 7 + len(raw)) % 256 for at in range(len(raw))))
        release.xor.parent.rename(folder / member.folder)


def decode(line: str, folder: Path, type_line: Callable[[str], str]) -> None:
    """Type a line that decodes a release. What comes out is not what the published sums are of, and is told so."""
    name = line.split()[2].partition("/")[0]
    shutil.rmtree(folder / BASE, ignore_errors=True)
    shutil.copytree(folder / f"{name}.made" / "llama", folder / BASE)
    assert "wrong" in type_line(line)
    out = folder / line.split()[-1]
    for file in (folder / f"{name}.own").iterdir():
        assert (out / file.name).read_bytes() == file.read_bytes(), file.name
