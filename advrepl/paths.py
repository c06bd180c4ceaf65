"""Where everything lies that the program reads and writes for its user.

Creates nothing: whoever writes a file makes its folder.
"""

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).parent
CACHE_SUFFIX = ".kv"  # of what a model has read of a story, beside its file
CARD_CACHE = "card~"  # what the names of caches begin with of what several stories begin with


def home() -> Path:
    """Return the folder of models, characters, settings and logs: ADVREPL_HOME, else the platform's for this user."""
    chosen = os.environ.get("ADVREPL_HOME")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("advrepl", appauthor=False))


def models_folder() -> Path:
    """Return the folder of the GGUF files and Hugging Face folders."""
    return home() / "models"


def characters_folder() -> Path:
    """Return the folder of the player's own character cards."""
    return home() / "characters"


def presets_folder() -> Path:
    """Return the folder of the player's own presets."""
    return home() / "presets"


def llama_log() -> Path:
    """Return the file that llama.cpp's own words go to."""
    return home() / "llama.log"


def model_facts() -> Path:
    """Return the file that keeps what was found out about model files."""
    return home() / "facts.json"


def history() -> Path:
    """Return the file of the lines that the player has typed."""
    return home() / "history"


def config_file() -> Path:
    """Return the file of the player's own defaults."""
    return home() / "config.toml"


def tuning_file() -> Path:
    """Return the file that keeps what `advrepl tune` found."""
    return home() / "tuned.json"


def saves_folder(chosen: Path | None) -> Path:
    """Return where stories lie: the chosen folder, else saves/ under the current one if there is one, else in home."""
    if chosen:
        return chosen
    here = Path("saves")
    return here if here.is_dir() else home() / "saves"
