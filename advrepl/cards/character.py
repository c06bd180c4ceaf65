"""A character, as the card specifications describe one, and those that come with the program.

Does not know how a card is read (read.py) or written (write.py), nor how lorebooks work (lore/).
"""

from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).with_name("characters")
SUFFIXES = (".png", ".json", ".charx", ".apng", ".jpg", ".jpeg")  # of files that may be cards


class Character(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who the model plays; the fields keep the names of the card specifications."""

    name: str
    description: str = ""
    personality: str = ""
    scenario: str = ""
    first_mes: str = ""  # the greeting
    mes_example: str = ""
    creator_notes: str = ""  # for people; part of a prompt only where {{creatorNotes}} or a lore key asks for it
    system_prompt: str = ""
    post_history_instructions: str = ""
    creator: str = ""
    character_version: str = ""
    nickname: str = ""  # what {{char}} stands for, if it is not the name
    alternate_greetings: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group_only_greetings: tuple[str, ...] = ()
    book: dict[str, Any] | None = None  # the lorebook as it stands in the card
    raw: dict[str, Any] = {}  # the whole card as it was read, so that what we do not know is written back

    @property
    def char(self) -> str:
        """Return what {{char}} stands for."""
        return self.nickname or self.name

    @property
    def depth_prompt(self) -> dict[str, Any]:
        """Find the note that SillyTavern keeps among a card's extensions: `prompt`, and `depth` in turns."""
        found: Any = self.raw
        for name in ("data", "extensions", "depth_prompt"):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def for_save(self) -> "Character":
        """Leave out the card as it was read, but for what belongs to the play."""
        extensions = {"depth_prompt": self.depth_prompt} if self.depth_prompt else {}
        raw = {"data": {"extensions": extensions}} if extensions else {}
        return msgspec.structs.replace(self, raw=raw)


def shipped() -> dict[str, Path]:
    """Find the characters that come with the program, by the name of their file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.json"))}


def own(folder: Path) -> dict[str, Path]:
    """Find the player's own cards in a folder, by the name of their file; what is in them is not looked at."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.stem: path for path in files if path.suffix.casefold() in SUFFIXES and path.name[0] != "."}
