"""/set and /preset: show and change the sampling parameters, one by one or all at once.

Does not know any parameter; those are declared in advrepl.sampling.params.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from advrepl import AdvreplError, paths
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.prompt import bans
from advrepl.sampling import presets
from advrepl.sampling.params import PARAMETERS, Parameter, Sampling, parameter
from advrepl.sampling.presets import Preset
from advrepl.terminal.choosing import Pick
from advrepl.terminal.columns import Table
from advrepl.terminal.commands.table import command
from advrepl.terminal.picker import Choice
from advrepl.terminal.text import clip

IN_USE = "*"
NAME_WIDTH = max(map(len, PARAMETERS))
MOST_BANS = 20  # phrases in a list
MOST_SHOWN = 12  # columns of a value in the list; /set NAME shows all of it


def set_completions() -> dict[str, str]:
    """Return what may follow `/set`, with a word on each."""
    return {name: each.meaning for name, each in PARAMETERS.items()}


def preset_completions() -> dict[str, str]:
    """Return what may follow `/preset`, with a word on each."""
    found = {}
    for name in presets.names(paths.presets_folder()):
        try:
            found[name] = presets.find(name, paths.presets_folder()).about
        except AdvreplError as error:
            found[name] = str(error)
    return found | {presets.SAVE: "keep the present settings under a name"}


@command("set", usage="[NAME [VALUE]]", arguments=set_completions)
def change_sampling(game: Game, argument: str) -> Iterator[Event]:
    """Show how the words are chosen, or change a value; `off` and `default` are values too."""
    name, _, text = argument.partition(" ")
    if not name:
        yield Table.of(listed_parameters(game.sampling))
        return
    found = parameter(name)
    if text.strip():
        game.set_sampling(replace(game.sampling, **{found.name: read(found, text.strip())}))
    yield Note(f"{found.name} is {found.show(getattr(game.sampling, found.name))}")


def read(found: Parameter, text: str) -> Any:
    """Return the value that a player typed for a parameter; AdvreplError if it is none or out of range."""
    if text == "default":
        return found.default
    if text == "off" and found.off is not None:
        return found.off
    if text == "on" and found.off is not None and found.kind is int:
        return found.default if found.default != found.off else 1
    if text in ("off", "none", "random") and found.default is None:
        return None
    return found.read(text)


def listed_parameters(sampling: Sampling) -> Iterator[tuple[str, str]]:
    """Return every parameter with its value, and what it means."""
    for name, each in PARAMETERS.items():
        off = "" if each.off is None else f"; {each.show(each.off)}: off"
        value = clip(each.show(getattr(sampling, name)), MOST_SHOWN)
        yield f"{name:<{NAME_WIDTH}}  {value}", f"{each.meaning}{off}"


@command("ban", usage="[TEXT | off [TEXT]]")
def ban(game: Game, argument: str) -> Iterator[Event]:
    """Show the phrases that replies must not hold, or add one; `off` lifts the ban on one, or on all."""
    save, word, text = game.state.save, *_parted(argument)
    if word == "off":
        left = bans.without(save.bans, text) if text else ()
        if text and left == save.bans:
            raise AdvreplError(f"{text[:40]!r} is not banned: /ban shows what is")
        game.change(replace(save, bans=left))
    elif argument:
        game.change(replace(save, bans=bans.added(save.bans, [bans.checked(argument)])))
    banned = game.state.save.bans
    more = f", and {len(banned) - MOST_BANS} more" if len(banned) > MOST_BANS else ""
    yield Note(f"banned: {', '.join(banned[-MOST_BANS:])}{more}" if banned else "no phrase is banned")


def _parted(argument: str) -> tuple[str, str]:
    word, _, text = argument.partition(" ")
    return word, text.strip()


@command("preset", usage="[NAME | save NAME]", arguments=preset_completions)
def preset(game: Game, argument: str) -> Iterator[Event]:
    """List named sampler settings, use one, or keep the present ones under a name."""
    first, _, name = argument.partition(" ")
    if not argument:
        yield _presets_to_choose(game.sampling)
    elif first == presets.SAVE:
        if not name.strip():
            raise AdvreplError("/preset save takes a name for the present settings")
        written = presets.write(name.strip(), game.sampling, paths.presets_folder())
        yield Note(f"the present settings are kept in {written}")
    else:
        chosen = presets.find(argument, paths.presets_folder())
        before = game.sampling
        game.set_sampling(chosen.on(before))
        yield Note(f"{chosen.name}: {difference(before, game.sampling)}")


def _presets_to_choose(sampling: Sampling) -> Pick:
    """Every preset: a list to choose from, or a text with the values of each."""
    rows = list(listed_presets(sampling))
    marks = f"{IN_USE} marks what is set now; /preset NAME uses one, /preset save NAME keeps what is set"
    told = [(name[len(IN_USE) :].strip(), name[: len(IN_USE)], about.split("\n")[::-1]) for name, about in rows]
    choices = tuple(Choice(name, f"{mark} {'; '.join(about)}") for name, mark, about in told)
    return Pick(f"{Table.of(rows).text}\n{marks}", f"Use which preset? {IN_USE} is set now.", choices, "/preset")


def difference(before: Sampling, now: Sampling) -> str:
    """Return what has changed, in one line."""
    changed = [
        f"{name} {each.show(old)} → {each.show(new)}"
        for name, each in PARAMETERS.items()
        if (old := getattr(before, name)) != (new := getattr(now, name))
    ]
    return ", ".join(changed) or "nothing changes"


def listed_presets(sampling: Sampling) -> Iterator[tuple[str, str]]:
    """Return every preset with its values and what it is for, or with what is wrong with its file."""
    for name in presets.names(paths.presets_folder()):
        try:
            found = presets.find(name, paths.presets_folder())
        except AdvreplError as error:
            yield f"  {name}", str(error)
            continue
        mark = IN_USE if found.on(sampling) == sampling else " "
        yield f"{mark} {name}", f"{values(found.fields)}\n{found.about}"


def values(fields: Mapping[str, Any]) -> str:
    """Return the values of those samplers that are on."""
    sampling = Preset("", fields, "").on(Sampling())

    def is_on(name: str) -> bool:
        return bool(getattr(sampling, name) != PARAMETERS[name].off)

    shown = [
        f"{name} {each.show(getattr(sampling, name))}"
        for name, each in PARAMETERS.items()
        if name in fields and is_on(name) and any(map(is_on, each.only_with or (name,)))
    ]
    return ", ".join(shown) or "all that it sets is off"
