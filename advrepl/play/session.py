"""Open what a game needs: the model, the format, the save, the scenario.

Does not read the command line (cli/play.py) and does not play (game.py).
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from advrepl import AdvreplError, paths, program
from advrepl.cards.character import Character, shipped
from advrepl.cards.read import load_card
from advrepl.engines import models
from advrepl.engines.base import Engine, LoadOptions, LoadProgress, OnServer
from advrepl.engines.kv import store as kv_store
from advrepl.engines.kv.file import KvPersistent
from advrepl.engines.kv.store import KvStore
from advrepl.engines.remote.address import Address
from advrepl.lore.books import load_book
from advrepl.play import guidance, lookup, remembered
from advrepl.play.game import Game
from advrepl.play.lookup import Agree, Notice
from advrepl.play.settings import Settings as Settings
from advrepl.play.unopened import Unopened, as_asked
from advrepl.prompt import bans, languages
from advrepl.prompt.formats import Format
from advrepl.sampling import presets
from advrepl.sampling.params import Sampling, read_saved
from advrepl.story import saves, scenario
from advrepl.story.roleplay import calls_player, check_other, player, scenario_of
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import ModelRef, Save, with_scenario
from advrepl.tuning import store as tuning_store

Ask = Callable[[str], str]  # asks the player a question; empty: no answer
Unlock = Callable[[Path], None]  # opens the lock of an encrypted story; raises AdvreplError

ENCRYPTED = "story"  # the name of an encrypted story that was given none: its scenario's would tell of it
NAME = "Your name? (Enter: stay unnamed)"
# Of the engine, to write replies ahead: four options, another take of the last, two questions, and one to prefill.
BRANCHES = 8


def new_game(
    what: str,
    settings: Settings,
    notice: Notice = lambda _: None,
    loading: LoadProgress | None = None,
    ask: Ask | None = None,
) -> Game:
    """Open a new story at once; as `new_story` and `Unopened.open`."""
    return new_story(what, settings, notice, ask).open(notice, loading)


def new_story(what: str, settings: Settings, notice: Notice = lambda _: None, ask: Ask | None = None) -> Unopened:
    """Begin a new story of a scenario or with a character, in a save of its own; raises AdvreplError.

    `what`: the name of either, or the path of a card. `notice` is told what the player should know. `ask` is asked for
    the player's name where the character says it; None: nobody is there to be asked.
    """
    model, what = _begin_with(what, settings, notice)
    character = None if what in scenario.BUILT_IN else _character(what, notice)
    if character and ask:
        settings = _named(character, settings, ask)
    seed = str((settings.sampling or {}).get("seed", random.getrandbits(31)))
    values: dict[str, str] = {}
    story = scenario_of(character, macro_values=values, seed=seed) if character else scenario.BUILT_IN[what]
    name = settings.save and saves.check_name(settings.save)
    if name and saves.free_name(settings.folder, name) != name:
        again = program.resume_command(settings.folder / f"{name}.json")
        raise AdvreplError(f"there is a story {name} already: `{again}` goes on with it")
    if name:
        file = SaveFile(settings.folder / f"{name}.json")
    else:
        file = SaveFile.of_new(settings.folder, ENCRYPTED if settings.lock else story.name)
    save = Save(
        schema=saves.SCHEMA,
        title=story.title,
        created=saves.now(),
        updated="",
        model=ModelRef(),
        format="",
        sampling={},
        scenario=story,
        turns=[],
        head=None,
        character=character and character.for_save(),
        macro_values=values,
        rng_seed=seed,
        card_path=(own_card := _card_path(what)),
        lock=settings.lock,
    )
    # Nothing else remembers a card from somewhere on the disk, and other programs keep a chat from its greeting on.
    return Unopened(save, file, model, settings, _open, forgets=not (name or own_card))


def resumed_game(
    name: str | None,
    settings: Settings,
    notice: Notice,
    loading: LoadProgress | None = None,
    agree: Agree | None = None,
    unlock: Unlock = lambda _: None,
) -> Game:
    """Open a story that goes on at once; as `known_story` and `Unopened.open`."""
    return known_story(name, settings, notice, agree, unlock).open(notice, loading)


def known_story(
    name: str | None, settings: Settings, notice: Notice, agree: Agree | None = None, unlock: Unlock = lambda _: None
) -> Unopened:
    """Find a story that goes on, the newest if none is named; otherwise as `new_story`.

    `agree` is asked before another model than the story's goes on with it; None: nobody is there to be asked. `unlock`
    is called with its file before it is read.
    """
    source, target = lookup.story(name, settings.folder, notice)
    unlock(source)
    file = SaveFile(target)
    try:
        save, recovered = (saves.load(source), _copied(target)) if source != target else file.load()
        model = lookup.model(save.model, settings.model, notice, agree)
    except BaseException:  # also Ctrl-C at a question
        file.close()
        raise
    if recovered:
        notice(recovered)
    return Unopened(save, file, model, remembered.applied(settings, save, model), _open)


def _begin_with(what: str, settings: Settings, notice: Notice) -> tuple[Path | Address, str]:
    """The model and what to play on it, which is the usual adventure where only a model was named."""
    if not lookup.is_model(what):
        return models.locate(settings.model, notice), lookup.beginning(what, notice)
    if settings.model:
        raise AdvreplError(
            f"{what} is a model, and so is --model {settings.model}: name a scenario or a card beside it"
        )
    notice(f"{what} is a model: {scenario.START.name} is played on it")
    return models.locate(what, notice), scenario.START.name


def _character(what: str, notice: Notice) -> Character:
    """A character that comes with the program, or a card by its path."""
    character, notes = load_card(shipped().get(what, Path(what).expanduser()))
    for note in notes:
        notice(note)
    return character


def _named(character: Character, settings: Settings, ask: Ask) -> Settings:
    """The settings with the player's name, if he has not given it and the character calls him by it."""
    question = NAME
    while settings.you is None and calls_player(character) and (answer := ask(question)):
        try:
            check_other(player(answer)[0], character.char)
        except AdvreplError as error:
            question = f"{error}. {NAME}"
        else:
            settings = replace(settings, you=answer)
    return settings


def _card_path(what: str) -> str:
    """The path of the player's own card, which may hold a picture; text that can be saved."""
    own = what not in scenario.BUILT_IN and what not in shipped()
    return str(Path(what).expanduser().absolute()).encode("utf-8", "replace").decode() if own else ""


def _open(
    save: Save, file: SaveFile, path: Path | Address, settings: Settings, loading: LoadProgress | None, notice: Notice
) -> Game:
    from advrepl.play.switching import switch  # which opens engines by this module

    engine: Engine | None = None
    try:
        sampling = _sampling(save.sampling, settings, notice)
        save = remembered.noted(as_asked(save, settings), settings)
        _kv_limit(settings)  # a wrong one is told before a model is loaded
        engine = open_engine(path, save, settings, loading, notice)
        format = format_for(save, settings, engine, notice)
        if not save.turns and not settings.plain_model and guidance.applies(engine, format, save.scenario):
            sampling = replace(sampling, **{**guidance.SAMPLING, **_given_sampling(settings)})
        if settings.exact and sampling.seed is None:
            sampling = replace(sampling, seed=random.getrandbits(31))
        spec = str(path) if isinstance(path, Address) else settings.model
        model = replace(save.model, spec=spec or save.model.spec)
        save = replace(save, model=model, sampling=sampling.to_save())
        game = Game(engine, format, save, file)
        game.planner.plain_model = settings.plain_model
        _prepare(game, settings)
        set_up_engine(game, settings, notice)
        for note in (*game.context.notes, *_offers(game)):
            notice(note)
        _restore_kv(game, notice)
        if isinstance(engine, OnServer) and (answered := game.planner.answered_window()):
            engine.follow(answered)
        game.switch = lambda spec: switch(game, settings, spec)
        return game
    except BaseException:  # also Ctrl-C
        file.close()
        if engine:
            engine.close()
        raise


def _offers(game: Game) -> Iterator[str]:
    """What a new roleplay has to offer."""
    story = game.scenario
    if game.waits_for_opening and len(story.greetings) > 1:
        yield f"there are {len(story.greetings)} greetings: /greeting shows and changes them"
    if game.waits_for_opening and story.roleplay and story.you == "You":
        yield "you have no name yet: /you NAME gives you one"


def _prepare(game: Game, settings: Settings) -> None:
    """What the command line says about the player, the language, the lore and the phrases that must not come."""
    books = [load_book(path) for path in settings.lore]
    lists = [bans.load(path) for path in settings.ban]
    if settings.language is not None:
        game.state.save = with_scenario(game.state.save, language=languages.code(settings.language))
    for phrases, notes in lists:
        game.state.replace(bans=bans.added(game.state.save.bans, phrases))
        game.context.notes += notes
    if settings.you is not None:
        game.set_player(*player(settings.you))
    for book, notes in books:
        game.state.save = game.context.with_book(game.state.save, book)
        game.context.notes += notes
    game.planner.check()


def set_up_engine(game: Game, settings: Settings, notice: Notice) -> None:
    """Let replies be written ahead where the engine can do that, its cache be kept within the limit, and a server's
    engine say what it waits for.
    """
    from advrepl.engines.prefetch import Prefetcher

    engine: Any = game.engine
    if isinstance(engine, KvPersistent):
        engine.tails.limit = limit = _kv_limit(settings)
        # Not beside an encrypted story: tokens, and keys and values, are its text.
        kept = settings.kv_file and not game.state.save.lock
        game.kv_store = KvStore(engine, game.file.path, limit) if kept else None
    if isinstance(engine, OnServer):
        engine.tell = lambda line: game.tell(line)
    if getattr(engine, "branches", 0):
        game.prefetcher = Prefetcher(engine)
    elif settings.prefetch:
        notice("no replies are written ahead: too little memory, or this model's cache or server cannot be shared")


def _kv_limit(settings: Settings) -> int:
    return kv_store.parse_limit(settings.kv_limit or kv_store.DEFAULT_LIMIT)


def _restore_kv(game: Game, notice: Notice) -> None:
    """Give the model back what it had read when the story was left, or when another one began in the same words."""
    if not game.kv_store:
        return
    if game.waits_for_opening:
        game.kv_store.load_front(game.window())
    elif remark := game.kv_store.load(game.window):
        notice(remark)


def open_engine(
    path: Path | Address, save: Save, settings: Settings, loading: LoadProgress | None, notice: Notice
) -> Engine:
    """Return an engine for a model; raises AdvreplError where it cannot be played here, or is not there."""
    branches = 0 if settings.prefetch is False else BRANCHES
    asked = LoadOptions(settings.ctx, settings.threads, settings.gpu_layers, settings.kv, branches)
    if settings.exact and (isinstance(path, Address) or path.is_dir()):
        what = "a server" if isinstance(path, Address) else "a Hugging Face folder"
        raise AdvreplError(f"--exact needs a GGUF file: {what} does not say in which order it computes")
    if isinstance(path, Address):
        from advrepl.engines.remote.opening import open_server

        return open_server(path, asked, notice, settings.tokenizer, settings.insecure)
    if path.is_dir():
        return _folder_engine(path, asked, loading, notice)
    from advrepl.engines.llama.branches import BranchingEngine
    from advrepl.engines.llama.engine import LlamaEngine
    from advrepl.engines.llama.loading import devices
    from advrepl.engines.llama.log import Log
    from advrepl.engines.llama.model import LlamaModel
    from advrepl.engines.llama.trial import check_loads

    options, told = tuning_store.options(path, paths.tuning_file(), asked, devices())
    if told and (options is asked or not save.model.fingerprint):  # what is in use is told once a story
        notice(told)
    models.check_playable(path)
    if path != models.starter_model():
        check_loads(path)
    log = Log(Path(os.devnull) if save.lock else paths.llama_log())  # which quotes grammars, and so the story
    loaded = LlamaModel(path, options, log, loading)
    kind = BranchingEngine if loaded.branches else LlamaEngine
    return kind(loaded, shift=settings.shift, exact=bool(settings.exact))


def _folder_engine(path: Path, options: LoadOptions, loading: LoadProgress | None, notice: Notice) -> Engine:
    from advrepl.engines.hf import folder as hf_folder

    hf_folder.require(path)
    folder = hf_folder.open_folder(path)
    if faster := hf_folder.faster(path):
        notice(faster)
    from advrepl.engines.hf.engine import HfEngine
    from advrepl.engines.hf.model import HfModel

    return HfEngine(HfModel(folder, options, loading))


def format_for(save: Save, settings: Settings, engine: Engine, notice: Notice) -> Format:
    """The format asked for, else the story's while its model stays the same, else the model's own."""
    same = save.model.fingerprint == engine.fingerprint
    if save.model.fingerprint and not same:
        notice(f"this story was played on {save.model.name} before, now it goes on with {engine.name}")
    return models.choose_format(settings.format or (save.format if same and save.format else None), engine)


def _sampling(saved: dict[str, Any], settings: Settings, notice: Notice) -> Sampling:
    """The story's, changed by the preset, changed by the values that were given one by one."""
    sampling, remarks = read_saved(saved)
    for remark in remarks:
        notice(remark)
    return replace(sampling, **_given_sampling(settings))


def _given_sampling(settings: Settings) -> dict[str, Any]:
    preset = presets.find(settings.preset, paths.presets_folder()).fields if settings.preset is not None else {}
    return {**preset, **(settings.sampling or {})}


def _copied(target: Path) -> str:
    return f"the story that comes with the program stays as it is; yours is kept in {target}"
