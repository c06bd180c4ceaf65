"""What a story was played with, so that resuming it goes on with the same: what the command line says wins.

The sampling, the options offered and the format are in the save by themselves; threads and layers on a graphics card
belong to the machine. Does not open anything (session.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from advrepl.engines import models
from advrepl.story.saves import PlayedWith, Save

if TYPE_CHECKING:
    from advrepl.engines.remote.address import Address
    from advrepl.play.session import Settings


def applied(settings: "Settings", save: Save, path: "Path | Address") -> "Settings":
    """Return the settings with what the story was played with where nothing was said, if `path` is still its model."""
    played = save.played
    exact = (played.exact or None) if settings.exact is None else settings.exact
    settings = replace(settings, plain_model=settings.plain_model or played.plain_model, exact=exact)
    found = {name: getattr(played, name) for name in ("ctx", "kv") if getattr(settings, name) is None}
    found = {name: value for name, value in found.items() if value is not None}
    if not found or not isinstance(path, Path):
        return settings
    if models.fingerprint_of(path) != save.model.fingerprint:  # which may have been trained on fewer tokens
        return settings
    return replace(settings, **found, remembered=tuple(found))


def as_said(settings: "Settings") -> "Settings":
    """Return the settings without what was remembered of the model: for another one."""
    unsaid: dict[str, Any] = dict.fromkeys(settings.remembered)
    return replace(settings, **unsaid, remembered=())


def noted(save: Save, settings: "Settings") -> Save:
    """Return the save with what it is played with now."""
    played = PlayedWith(settings.ctx, settings.kv, settings.plain_model, bool(settings.exact))
    return replace(save, played=played)
