"""/preset: show, choose and keep sampler settings under a name.

Does not know what is in them; that is advrepl.engines.presets.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from advrepl import AdvreplError, paths
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.sampling import presets
from advrepl.sampling.params import KNOBS, NAMES, Sampling
from advrepl.sampling.presets import Preset
from advrepl.terminal.commands import params

IN_USE = "*"
# A value is only worth showing where one of these is on.
PART_OF = {
    "repeat_last": ("repeat_penalty", "presence_penalty", "frequency_penalty", "dry"),
    "dry_base": ("dry",),
    "dry_allowed": ("dry",),
    "xtc_threshold": ("xtc",),
    "mirostat_tau": ("mirostat",),
    "mirostat_eta": ("mirostat",),
}


def preset(game: Game, argument: str) -> Iterator[Event]:
    """List named sampler settings, use one, or keep the present ones under a name."""
    first, _, name = argument.partition(" ")
    if not argument:
        yield Note(listed(game.sampling))
    elif first == presets.SAVE:
        if not name.strip():
            raise AdvreplError("/preset save takes a name for the present settings")
        yield Note(
            f"the present settings are kept in {presets.write(name.strip(), game.sampling, paths.presets_folder())}"
        )
    else:
        chosen = presets.find(argument, paths.presets_folder())
        before = game.sampling
        with game.changing():
            game.sampling = chosen.on(before)
        yield Note(f"{chosen.name}: {difference(before, game.sampling)}")


def difference(before: Sampling, now: Sampling) -> str:
    """What has changed, for one line."""
    changed = [
        f"{name} {params.shown(before, name)} → {params.shown(now, name)}"
        for name in NAMES
        if getattr(before, name) != getattr(now, name)
    ]
    return ", ".join(changed) or "nothing changes"


def listed(sampling: Sampling) -> str:
    """Every preset in two lines: its values, and what it is for; one whose file is wrong with the reason."""
    lines = []
    for name in presets.names(paths.presets_folder()):
        try:
            found = presets.find(name, paths.presets_folder())
        except AdvreplError as error:
            lines += [f"  {name}", f"    {error}"]
            continue
        mark = IN_USE if found.on(sampling) == sampling else " "
        lines += [f"{mark} {name}: {values(found.fields)}", f"    {found.about}"]
    return "\n".join(
        [*lines, f"{IN_USE} marks what is set now; /preset NAME uses one, /preset save NAME keeps what is set"]
    )


def values(fields: Mapping[str, Any]) -> str:
    """The values of those samplers that are on."""
    sampling = Preset("", fields, "").on(Sampling())

    def is_on(name: str) -> bool:
        return name not in KNOBS or getattr(sampling, name) != KNOBS[name].off

    shown = [name for name in fields if is_on(name) and any(map(is_on, PART_OF.get(name, (name,))))]
    return ", ".join(f"{name} {params.shown(sampling, name)}" for name in shown) or "all that it sets is off"


def completions() -> dict[str, str]:
    """What may follow `/preset`, with a word on each."""
    found = {}
    for name in presets.names(paths.presets_folder()):
        try:
            found[name] = presets.find(name, paths.presets_folder()).about
        except AdvreplError as error:
            found[name] = str(error)
    return found | {presets.SAVE: "keep the present settings under a name"}
