"""A game being opened at a terminal or in a pipe, and left: progress, questions, Ctrl-C, the thread that loads."""

import math
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from advrepl import AdvreplError
from advrepl.cli import passphrases
from advrepl.cli.questions import answer

if TYPE_CHECKING:
    from advrepl.play.game import Game
    from advrepl.play.loading import Loading
    from advrepl.play.lookup import Notice
    from advrepl.play.session import Ask
    from advrepl.play.unopened import Unopened
    from advrepl.terminal.commands import Then
    from advrepl.terminal.interrupts import Interrupts

    # Told what the player should know; asks him in the clear, and for what is not shown. None: nobody is there.
    FindStory = Callable[[Notice, Ask | None, Ask | None], Unopened]


def can_draw(*, plain: bool) -> bool:
    """Tell whether there is a terminal that can show a line while something else goes on."""
    from advrepl.terminal.theme import Capabilities

    return Capabilities.of(os.environ, plain=plain).cursor


def leave_at_once(loading: "Loading", code: int, then: "Then | None") -> None:
    """Wait for a model only where another is loaded next; Python itself would end under the feet of llama.cpp."""
    if then:
        with suppress(AdvreplError):
            loading.wait().close()
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    ended = sys.exception()
    os._exit(ended.code if isinstance(ended, SystemExit) and isinstance(ended.code, int) else code)


def opened(find: "FindStory", notice: "Notice", at_terminal: bool, *, at_once: bool) -> "Game | Loading":
    """Open a game, at once where its story can be shown before the model is loaded.

    Ctrl-C meanwhile: KeyboardInterrupt, once llama.cpp has let go of the model. Raised at once it would be printed and
    lost where llama.cpp calls back.
    """
    from advrepl.play.loading import Loading
    from advrepl.terminal import progress
    from advrepl.terminal.interrupts import Interrupts

    show = progress.load_progress(sys.stderr) if at_terminal else None

    def load(share: float) -> bool:
        if show:
            show(share)
        return not interrupts.count

    game: Game | Loading | None = None
    try:
        with Interrupts(lambda: None, math.inf) as interrupts, interrupts.writing():
            try:
                ask, secret = (_asking(read, interrupts) for read in (answer, passphrases.hidden))
                story = find(notice, ask, secret) if at_terminal else find(notice, None, None)
                told = story.told() if at_once else None
                game = Loading(story, told) if told else story.open(notice, load)
            except AdvreplError:
                if interrupts.count:
                    raise interrupts.reason from None
                raise
            if interrupts.count:
                raise interrupts.reason
    except BaseException:
        if game:
            game.close()
        raise
    return game


def _asking(read: "Ask", interrupts: "Interrupts") -> "Ask":
    """The same question, at which Ctrl-C is heard at once."""

    def ask(question: str) -> str:
        with interrupts.reading():
            return read(question)

    return ask
