"""Go on with a story on another model while it is played: of this machine, or on a server.

Does not open engines (session.py does).
"""

from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines import models
from advrepl.engines.base import Engine
from advrepl.engines.remote.address import Address
from advrepl.play import remembered, session
from advrepl.play.game import Game
from advrepl.play.planner import Planner, context_for
from advrepl.play.session import Settings
from advrepl.prompt.formats import Format


def switch(game: Game, settings: Settings, spec: str) -> str:
    """Go on with the model that is meant; return what there is to say.

    Raises AdvreplError, and then nothing has changed.
    """
    told: list[str] = []
    game.cancelled = False
    path = models.locate(spec, told.append)
    settings = remembered.as_said(settings)
    settings = replace(settings, model=str(path) if isinstance(path, Address) else spec, format=None)
    engine = session.open_engine(path, game.state.save, settings, lambda _: not game.cancelled, told.append)
    before = game.engine
    try:
        _go_on(game, settings, engine, session.format_for(game.state.save, settings, engine, told.append))
    except BaseException:
        engine.close()
        raise
    told += game.context.notes
    _set_up(game, settings, told)
    before.close()
    return "\n".join([*told, f"the next reply is {engine.name}'s"])


def _go_on(game: Game, settings: Settings, engine: Engine, format: Format) -> None:
    """Let the game have the engine, unless it leaves no room for the story in its context."""
    context = context_for(game.state.save, engine)
    planner = Planner(engine, format, game.state, context)
    planner.plain_model = settings.plain_model
    before = game.state.save
    game.state.save = context.reopened(before)
    try:
        planner.check()
        planner.window()
    except AdvreplError:
        game.state.save = before
        raise
    if game.prefetcher:
        game.prefetcher.close()
    if game.kv_store:
        game.kv_store.close()
    game.prefetcher = game.kv_store = None
    game.engine, game.format, game.context, game.planner = engine, format, context, planner
    model = replace(game.state.save.model, name=engine.name, fingerprint=engine.fingerprint, spec=settings.model or "")
    game.state.replace(model=model, format=format.name)
    game.state.save = remembered.noted(game.state.save, settings)


def _set_up(game: Game, settings: Settings, told: list[str]) -> None:
    session.set_up_engine(game, settings, told.append)
    if game.story.turns:
        game.save()
