"""What the player asked for on the command line, for one story.

Does not read the command line (cli/play.py) and does nothing about it (session.py).
"""

from pathlib import Path
from typing import Any

from msgspec import Struct

from advrepl import paths
from advrepl.story.crypt import Lock


class Settings(Struct, frozen=True):
    """What the player asked for on the command line; None: not said."""

    model: str | None = None
    format: str | None = None
    save: str | None = None
    you: str | None = None
    saves: Path | None = None
    ctx: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    kv: str | None = None
    options: int | None = None
    state: str | None = None  # is it kept what the player has (story/carried.py)?
    think: str | None = None  # "off", or how many tokens a model may think before it replies
    lore: tuple[Path, ...] = ()
    language: str | None = None
    ban: tuple[Path, ...] = ()  # files of phrases that must not come
    shift: bool = True
    exact: bool | None = None  # does every reply follow from the story and its seed alone?
    prefetch: bool | None = None  # are replies written ahead? None: where it can be done
    preset: str | None = None
    kv_file: bool = True  # is what the model has read put away beside the save?
    kv_limit: str | None = None  # what these files may take in a folder
    plain_model: bool = False  # is the model left alone, without help for small ones?
    tokenizer: Path | None = None  # a file that counts the tokens of a server that does not
    insecure: bool = False  # may a story go to another machine unencrypted?
    sampling: dict[str, Any] | None = None  # fields of Sampling that were given
    lock: Lock | None = None  # what a new story is encrypted under
    remembered: tuple[str, ...] = ()  # fields that were not said now, but when the story was played before

    @property
    def folder(self) -> Path:
        """Where the stories are kept."""
        return paths.saves_folder(self.saves)
