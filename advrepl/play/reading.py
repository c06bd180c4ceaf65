"""Let the model read what the player is typing, so that little is left to read when the line is sent.

Works out what would follow if the line were sent as it stands, and changes nothing of the story; when that is done is
the editor's to say (terminal/along.py), in which order engines/prefetch.py's.
"""

from collections.abc import Iterator

from advrepl import AdvreplError
from advrepl.engines.base import Engine, OnServer
from advrepl.engines.slots import PrefetchJob
from advrepl.play.candidates import WriterEvent
from advrepl.play.game import Game
from advrepl.play.reply import PAUSE
from advrepl.prompt.segments import Window
from advrepl.story.tree import WithTurn


def read_along(game: Game, text: str, *, whole: bool, may_be_option: bool) -> None:
    """Read a line as it stands, in place of what stood there before; the empty text is no line.

    `whole`: it may be what is sent, else there will be more of it. `may_be_option`: what was written to the options is
    not given up for turns that have to slide out.
    """
    prefetcher = game.prefetcher
    if not prefetcher or not game.story.turns:
        return
    window = _window(game, text)
    # Where every reply is to follow from the story alone, no line may move the window that is not sent.
    if window and window.evicted > game.prefetch_start and (may_be_option or game.state.save.played.exact):
        window = None
    if not window:
        prefetcher.revoke()
        return
    slides = window.evicted > game.prefetch_start
    if slides:
        game.prefetch_start = window.evicted
        game.planner.keep_out(window.evicted)
    job = _job(game, text)
    # A server is only told the prompt, word by word: what is written ahead there is paid for by somebody.
    prefetcher.read(job, whole=whole and not isinstance(game.engine, OnServer), slide_to=window if slides else None)


def _window(game: Game, text: str) -> Window | None:
    """The window for the line; None: there is none, or it was prefetched as an option."""
    if not text or text in game.options() or not getattr(game.engine, "reads_along", False):
        return None
    try:
        return game.planner.player_turn(text).window
    except AdvreplError:  # it does not fit the context; that is told when it is sent
        return None


def _job(game: Game, text: str) -> PrefetchJob[WriterEvent]:
    planned, story = game.planner.player_turn(text), game.story
    if isinstance(game.engine, OnServer):
        return PrefetchJob(("read", planned.window), lambda branch: _only_read(branch, planned.window))
    seed = game.planner.reply_seed(len(story.turns) + 1)
    task = game.planner.reply_task(WithTurn(story, planned.turn), planned.window, seed)
    return PrefetchJob(task, lambda branch: game.write(branch, task))


def _only_read(branch: Engine, window: Window) -> Iterator[WriterEvent]:
    """Read a prompt on a server; nothing is written but pauses."""
    for _ in branch.read(window):  # type: ignore[attr-defined]
        yield PAUSE
