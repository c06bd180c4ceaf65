"""The commands `card show` and `card export`: what is in a character card, and the card in another file.

Parses, calls and prints; cards are read and written by cards/, which is loaded inside the commands.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import AdvreplError, atomic, paths
from advrepl.cli import completion
from advrepl.cli.flags import say, tell, whole

if TYPE_CHECKING:
    from advrepl.cards.character import Character

app = typer.Typer(no_args_is_help=True, help="Show character cards, and write them as JSON or PNG.")

Card = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A card (PNG, JSON, CHARX, YAML), or a character's name.",
        autocompletion=completion.characters,
    ),
]

HEADINGS = {
    "description": "Description",
    "personality": "Personality",
    "scenario": "Scenario",
    "first_mes": "Greeting",
    "alternate_greetings": "Another greeting",
    "group_only_greetings": "Greeting in a group",
    "mes_example": "Example dialogue",
    "system_prompt": "System prompt",
    "post_history_instructions": "Last instruction",
    "creator_notes": "Notes of the creator",
}


@app.command()
def show(card: Card) -> None:
    """Print what is in a character card."""
    from advrepl.cards.read import load_card

    character, notes = load_card(_find(card))
    for line in _summary(character):
        say(line)
    _tell(notes)


@app.command()
def export(
    card: Card,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file, .json or .png.")],
    spec: Annotated[
        int, whole("--spec", help="The version of a JSON card; a PNG has both.", least=2, most=3, show_default=True)
    ] = 2,
    picture: Annotated[Path | None, typer.Option(help="The PNG to use instead of the card's own picture.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a character card as JSON or PNG; fields that are not known here are kept."""
    from advrepl.cards.card_files import load_bytes
    from advrepl.cards.read import parse_card
    from advrepl.cards.write import to_json, to_png
    from advrepl.terminal.text import one_line

    data = load_bytes(path := _find(card))
    character, notes = parse_card(data, str(path))
    if (kind := out.suffix.lower()) == ".json":
        written = to_json(character, spec)
    elif kind == ".png":
        written = to_png(character, _picture(data, picture, notes))
    else:
        raise AdvreplError(f"{out} is neither .json nor .png: only these two can be written")
    _write(out, written, force)
    _tell([*notes, *_left_behind(data, kind)])
    say(f"{one_line(str(out))}: {one_line(character.name)}, {len(written):,} bytes")


def _left_behind(data: bytes, kind: str) -> Iterator[str]:
    """What the card's file holds besides the card, and the new one does not."""
    from advrepl.cards import card_files

    if card_files.is_zip(data):
        yield "other files in the CHARX (emotions, backgrounds) stay behind"
    elif kind == ".json" and data.startswith(card_files.SIGNATURE):
        yield "the picture stays behind: JSON has no place for it"


def _find(card: str) -> Path:
    """A file, or the name of a character that comes with the program or lies in the player's folder of them."""
    from advrepl.cards.character import own, shipped

    path = Path(card)
    return path if os.path.lexists(path) else (own(paths.characters_folder()) | shipped()).get(card.lower(), path)


def _summary(character: "Character") -> Iterator[str]:
    yield character.name
    facts = {
        "Called": character.nickname,
        "Card": " ".join(str(character.raw.get(key, "")) for key in ("spec", "spec_version")).strip() or "V1",
        "Creator": character.creator,
        "Version": character.character_version,
        "Tags": ", ".join(character.tags),
        "Lorebook": f"{_entries(character)} entries" if character.book is not None else "",
    }
    yield from (f"{name}: {' '.join(value.split())[:300]}" for name, value in facts.items() if value)
    for field, heading in HEADINGS.items():
        value = getattr(character, field)
        for text in [value] if isinstance(value, str) else value:
            if text.strip():
                yield f"\n{heading}\n{text.strip()}"


def _entries(character: "Character") -> int:
    entries = (character.book or {}).get("entries")
    return len(entries) if isinstance(entries, (list, dict)) else 0


def _picture(data: bytes, chosen: Path | None, notes: list[str]) -> bytes:
    """The chosen picture, else the card's, else a plain one."""
    from advrepl.cards import card_files
    from advrepl.cards.read import find_picture

    found = card_files.load_bytes(chosen) if chosen else find_picture(data)
    if chosen or (found is not None and found.startswith(card_files.SIGNATURE)):
        return found or b""
    reason = "it has no picture" if found is None else "its picture is no PNG"
    notes.append(f"{reason}, so a plain gray one was used: give one with --picture")
    return card_files.plain_picture()


def _write(out: Path, written: bytes, force: bool) -> None:
    if os.path.lexists(out) and not force:
        raise AdvreplError(f"{out} is there already: choose another name, or write over it with --force")
    try:
        atomic.write(out, written, durable=True)
    except OSError as error:
        raise AdvreplError(f"{out} cannot be written: {error.strerror}") from error


def _tell(notes: list[str]) -> None:
    from advrepl.terminal.text import one_line

    for note in notes:
        tell(f"note: {one_line(note)}")
