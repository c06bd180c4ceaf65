"""Make a line of a story, and play such a line back: the same choices, seeds and sampling, on the same model.

Does not know how a line is spelled (story/sharing.py).
"""

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec.structs import replace

from advrepl import AdvreplError, __version__
from advrepl.cards.character import Character, shipped
from advrepl.engines import models
from advrepl.play import session
from advrepl.play.game import Game
from advrepl.play.lookup import Notice
from advrepl.play.planner import SEED_STEP
from advrepl.play.settings import Settings
from advrepl.play.unopened import Unopened
from advrepl.prompt import bans
from advrepl.prompt import options as menu
from advrepl.sampling.params import read_saved
from advrepl.story import scenario, sharing
from advrepl.story.roleplay import scenario_of
from advrepl.story.saves import Save
from advrepl.story.scenario import Scenario
from advrepl.story.sharing import Shared, Step
from advrepl.story.tree import Story, Turn

MODULUS = 1 << 31  # of seeds


def shared(save: Save) -> Shared:
    """Return what a friend needs to write the story again; raises AdvreplError where that cannot be."""
    if not save.played.exact:
        raise AdvreplError("the story was not played with --exact, so its seed and choices are not all of it")
    if save.books or save.recap or save.quotes or save.summaries:
        raise AdvreplError("the story has lore or a recap of its own, which a line does not hold: send its file")
    fresh = _fresh(save.scenario.name, save.character, save.scenario.you, save.scenario.persona, save.rng_seed, {})
    turns = Story(save.turns, save.head).path_turns()
    written = [turn for turn in turns if turn.role == "model"]
    opening = written[0] if written and written[0].sampling is None else None
    steps, sums = _steps(save, turns[turns.index(opening) + 1 :] if opening else turns)
    before, now = (msgspec.structs.asdict(each) for each in (fresh, save.scenario))
    you = {"you": save.scenario.you, "persona": save.scenario.persona}
    return Shared(
        advrepl=__version__,
        llama=version("llama_cpp_python"),
        model=replace(save.model, spec=""),
        format=save.format,
        scenario=save.scenario.name,
        card=_digest(save.character),
        changed=msgspec.to_builtins({key: value for key, value in now.items() if value != before[key]} | you),
        played=save.played,
        rng_seed=save.rng_seed,
        samplings=list(save.samplings),
        bans=list(save.bans),
        greeting=_greeting(save.scenario, opening),
        steps=steps,
        sums=sums,
    )


def begun(line: Shared, settings: Settings, card: Path | None, notice: Notice) -> Unopened:
    """Begin the story of a line, in a save of its own; raises AdvreplError where something of it is missing here."""
    _check_versions(line)
    path = models.find(line.model.name, line.model.fingerprint)
    if not path:
        raise AdvreplError(f"the line was played on {line.model.name}, and that very file is not among your models")
    if line.card and not card and line.scenario not in shipped():
        raise AdvreplError(f"the line was played with the card of {line.scenario}: name its file with --card")
    if not line.card and line.scenario not in scenario.BUILT_IN:  # which could be the path of any file
        raise _unknown(line.scenario)
    played = line.played
    settings = replace(
        settings, model=str(path), ctx=played.ctx, kv=played.kv, plain_model=played.plain_model, exact=True,
        format=line.format, prefetch=False, options=None,
    )  # fmt: skip
    story = session.new_story(str(card) if card and line.card else line.scenario, settings, notice)
    try:
        if _digest(story.save.character) != line.card:
            raise AdvreplError(f"the line was played with another version of {line.scenario} than the one here")
        you, persona, values = str(line.changed.get("you", "")), str(line.changed.get("persona", "")), dict[str, str]()
        fresh = _fresh(line.scenario, story.save.character, you, persona, line.rng_seed, values)
        try:
            changed = msgspec.convert({**msgspec.to_builtins(fresh), **line.changed}, Scenario)
        except msgspec.ValidationError as error:
            raise AdvreplError(f"the line of the shared story is damaged: {error}") from error
        sampling = read_saved(line.samplings[0] if line.samplings else {})[0].to_save()
        save = replace(
            story.save,
            scenario=changed,
            rng_seed=line.rng_seed,
            macro_values=values,
            bans=tuple(map(bans.checked, line.bans)),
            sampling=sampling,
        )
        return replace(story, save=save)
    except BaseException:
        story.file.delete()
        story.file.close()
        raise


def played_back(game: Game, line: Shared) -> Iterator[bool]:
    """Play the line in a game that was opened for it; yield of each reply whether it is the friend's.

    Ends with the first that is not: the choices behind it belong to another story.
    """
    steps, story = list(enumerate(line.steps)), game.scenario
    if steps and (not story.opening or (story.start and game.format.writes_opening)):
        _ready(game, line, steps[0][1], 1 if story.start else 0)
        list(game.open())
        steps = steps[1:]
        yield (same := _is_same(game, line, 0))
        if not same:
            return
    else:
        list(game.open())
    if line.greeting >= len(game.scenario.greetings):
        raise AdvreplError("the line of the shared story is damaged: it names a greeting that is not there")
    if line.greeting >= 0:
        game.state.begin_with(game.scenario.greetings[line.greeting])
    for at, step in steps:
        options = game.options()
        if isinstance(step.said, int) and not 0 < step.said <= len(options):
            raise AdvreplError("the line of the shared story is damaged: it takes an option that is not there")
        _ready(game, line, step, 1)
        list(game.act(options[step.said - 1] if isinstance(step.said, int) else step.said))
        yield (same := _is_same(game, line, at))
        if not same:
            return


def _ready(game: Game, line: Shared, step: Step, added: int) -> None:
    """Let the next reply, before which so many turns are added, have its seed and sampling."""
    if not 0 <= step.sampling < len(line.samplings):
        raise AdvreplError("the line of the shared story is damaged: it names a sampling that is not there")
    sampling = read_saved(line.samplings[step.sampling])[0].to_save()
    game.state.replace(deleted=step.seeds - len(game.story.turns) - added, sampling=sampling)


def _is_same(game: Game, line: Shared, at: int) -> bool:
    last = game.story.last
    return last is not None and sharing.sum_of(last.text) == line.sums[at * sharing.SUM : (at + 1) * sharing.SUM]


def _steps(save: Save, turns: list[Turn]) -> tuple[list[Step], bytes]:
    """The player's turns with the replies to them, and the sums of these."""
    steps, sums, said, offered = list[Step](), b"", "", tuple[str, ...]()
    before = Story(save.turns, save.head).path_turns()
    if len(before) > len(turns):
        offered = menu.parted(before[-len(turns) - 1].text, save.scenario.options)[1]
    for place, turn in enumerate(turns, len(before) - len(turns) + 1):
        if turn.role == "user":
            said = turn.text
            continue
        own = save.samplings[turn.sampling].get("seed") if turn.sampling is not None else None
        if turn.seed is None or own is None or turn.stop == "interrupted" or _is_continued(save, turn):
            raise AdvreplError(
                f"turn {place} was stopped, continued, edited or not written by the model: send the file"
            )
        seeds = (turn.seed - own) * pow(SEED_STEP, -1, MODULUS) % MODULUS
        steps.append(Step(offered.index(said) + 1 if said in offered else said, seeds, turn.sampling or 0))
        sums += sharing.sum_of(turn.text)
        said, offered = "", menu.parted(turn.text, save.scenario.options)[1]
    return steps, sums


def _is_continued(save: Save, turn: Turn) -> bool:
    """Tell whether a reply goes on with an earlier take."""
    for take in save.turns:
        if take is turn:
            return False
        if take.parent == turn.parent and take.role == "model":
            prose = menu.parted(take.text, save.scenario.options)[0]
            if prose and turn.text.startswith(prose) and turn.text != take.text:
                return True
    return False


def _fresh(
    name: str, character: Character | None, you: str, persona: str, seed: str, values: dict[str, str]
) -> Scenario:
    """The scenario as it begins for this player; what macros roll is added to `values`."""
    if character:
        return scenario_of(character, you, persona, values, seed=seed)
    if name not in scenario.BUILT_IN:
        raise _unknown(name)
    return scenario.BUILT_IN[name]


def _unknown(name: str) -> AdvreplError:
    return AdvreplError(f"there is no scenario {name!r} here: the line is of another version of advrepl")


def _greeting(story: Scenario, opening: Turn | None) -> int:
    if not opening or opening.text == story.opening:
        return -1
    if opening.text not in story.greetings:
        raise AdvreplError("the beginning of the story was edited: send its file")
    return story.greetings.index(opening.text)


def _digest(character: Character | None) -> str:
    return hashlib.sha256(msgspec.json.encode(character)).hexdigest()[:32] if character else ""


def _check_versions(line: Shared) -> None:
    here = version("llama_cpp_python")
    if line.advrepl != __version__ or line.llama != here:
        raise AdvreplError(
            f"the line was played with advrepl {line.advrepl} on llama-cpp-python {line.llama}, and here are "
            f"{__version__} and {here}: the replies would be others"
        )
