"""The line the player writes: keys, history, completion and the toolbar under it (prompt_toolkit).

Does not act on what was written. On a terminal that cannot move its cursor, PlainEditor reads plain lines.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, emacs_insert_mode, has_completions, is_searching
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys
from prompt_toolkit.search import SearchDirection, accept_search, start_search, stop_search
from prompt_toolkit.styles import Style

from advrepl import AdvreplError
from advrepl.play.game import Game
from advrepl.play.loading import Loading
from advrepl.play.moves import browsed_takes
from advrepl.terminal import early, lent, own_editor, reports
from advrepl.terminal.along import ReadingAlong
from advrepl.terminal.commands import needs_model, speed
from advrepl.terminal.completing import Completions
from advrepl.terminal.history import History
from advrepl.terminal.interrupts import ask_line
from advrepl.terminal.lines import PlayerLine, understood_in
from advrepl.terminal.text import clip, one_line
from advrepl.terminal.theme import Theme
from advrepl.terminal.toolbar import Status, toolbar
from advrepl.terminal.word_wrap import WordWrap
from advrepl.terminal.words import CHOOSE, LEAVE, LEAVE_UNSAID, LOADING, READING, WAITS, words

PROMPT = "> "
EACH = 0.2  # seconds between two looks at how far the model is loaded
DROPPED = "what you typed before the reply was there is not sent"
NO_TAKE, LAST_TAKE, FIRST_TAKE = (
    " There is one take; /retry writes another ",
    " This is the last take; /retry writes another ",
    " This is the first take ",
)


class Editor(Protocol):
    """Where the player's lines come from."""

    drafts: bool  # can a line be begun for the player?

    def read(self, *, unseen: bool = False, draft: str = "") -> PlayerLine:
        """Read the next line. EOFError: the player leaves; KeyboardInterrupt: the line was given up.

        `draft`: what stands in the line at first. `unseen`: what was typed until now was typed before he saw what it
        would answer, and does not send itself.
        """


class PlainEditor:
    """Lines as the terminal itself edits them; Ctrl-C has to be let through by `interruptible`."""

    drafts = False

    def __init__(
        self, game: Game, interruptible: Callable[[], AbstractContextManager[None]], prompt: str = PROMPT
    ) -> None:
        self._game, self._interruptible, self._prompt = game, interruptible, prompt

    def read(self, *, unseen: bool = False, draft: str = "") -> PlayerLine:
        """Read the next line, as Editor says; what is typed before is lost, since it cannot be put into the line."""
        if unseen and early.drop(sys.stdin):
            print(DROPPED)
        with self._interruptible():
            line = ask_line(self._prompt)
        return understood_in(self._game, line)


class LineEditor:
    """A prompt with all the comforts, for a game; without a theme it has no colors."""

    drafts = True

    def __init__(self, game: Game | Loading, history: Path | None, *, theme: Theme | None, vi: bool = False) -> None:
        self._game = game
        self.waiting: PlayerLine | None = None  # what was sent before there was a model
        self.on_loaded: Callable[[], None] = lambda: None  # called in the event loop, once there is one
        self.put_off_text = ""  # what stood in the line that was put off
        self._offered: tuple[str, ...] = ()
        # History line, cursor position and mode of vi keys at which Ctrl-R was pressed.
        self._searched_from = 0, 0, InputMode.INSERT
        self._picked: int | None = None  # the option that the arrows have put into the line, as it stands there
        self._line: PlayerLine | None = None  # what Enter sent
        self._status: Status | None = None
        self._hint = ""
        self._used = False  # does the player know how to pick an option?
        self._completions = Completions(lambda: self._offered)
        reports.understand()
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=" " * len(PROMPT),
            input_processors=[WordWrap(len(PROMPT))],
            history=History(history) if history else InMemoryHistory(),
            completer=self._completions,
            auto_suggest=AutoSuggestFromHistory(),
            vi_mode=vi,
            complete_while_typing=Condition(lambda: self._session.default_buffer.text.startswith("/")),
            key_bindings=merge_key_bindings([self._keys(), own_editor.keys()]),
            bottom_toolbar=self._toolbar,
            placeholder=self._placeholder,
            style=Style.from_dict(theme.prompts if theme else {"bottom-toolbar": "noreverse"}),
        )
        self._session.default_buffer.on_text_changed += lambda _: self._changed()
        self._along = ReadingAlong(lambda: self._session.default_buffer.document)
        self.on_key: Callable[[], None] = lambda: None  # what each key does besides, as silencing a voice
        self._session.app.key_processor.before_key_press += lambda _: self._pressed()

    def read(self, *, unseen: bool = False, draft: str = "") -> PlayerLine:
        """Read the next line, as Editor says; what is typed before stands in it."""
        self._look()
        self._line, self._session.app.erase_when_done = None, False
        refresh = EACH if isinstance(self._game, Loading) else 0
        try:
            text = self._session.prompt(
                handle_sigint=False, pre_run=lambda: self._begun(unseen, draft), default=draft, refresh_interval=refresh
            )
        finally:
            print(end=early.MARK_PASTES, flush=True)  # prompt_toolkit has put an end to it
            if isinstance(self._game, Loading):
                self._game.when_done(None)
        self._used = True
        return self._line or understood_in(self._game, text)

    def _begun(self, unseen: bool, draft: str) -> None:
        if unseen:
            early.hold(self._session.input)
        self._along.begin()
        if draft and not isinstance(self._game, Loading):
            self._along.pressed(self._game)
        if isinstance(self._game, Loading):
            loop = asyncio.get_running_loop()
            self._game.when_done(lambda: self._call_in(loop))
            loop.call_soon(self._game.begin)  # behind the first time that the prompt is drawn

    def _call_in(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the line has just been sent; the next one asks again
            loop.call_soon_threadsafe(self.on_loaded)

    def _look(self) -> None:
        """See what is on offer, and what stands under the line."""
        self._offered, self._hint = tuple(map(one_line, self._game.options())), ""
        if isinstance(self._game, Loading):
            return
        self._status = _status(self._game)
        if prefetcher := self._game.prefetcher:  # another one since /model
            prefetcher.changed = self._session.app.invalidate

    def _pressed(self) -> None:
        """Each key silences a voice, and is answered at once: nothing is written ahead meanwhile."""
        self.on_key()
        if not isinstance(self._game, Loading):
            self._along.pressed(self._game)

    # --- when the model is there

    def enter(self, game: Game) -> None:
        """Go on with a game that was still being opened; the line stays as it is, and may be just being typed."""
        self._game = game
        self._look()
        self._session.app.refresh_interval = 0
        self._session.app.invalidate()
        self._along.pressed(game)

    def put_off(self) -> None:
        """End the line unsent and without a trace: another one comes first. Its text is in `put_off_text`."""
        self.put_off_text, self._line = self._session.default_buffer.text, PlayerLine("")
        self._session.app.erase_when_done = True
        self._session.app.exit(result="")

    def give_up(self, error: BaseException) -> None:
        """End the line as it stands, by this error."""
        self._session.app.exit(exception=error)

    def keep_in_history(self) -> bool:
        """Put what stands in the line among the earlier ones; is there anything?"""
        self._session.default_buffer.append_to_history()
        return bool(self._session.default_buffer.text)

    # --- keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        writing = ~is_searching  # Ctrl-R has keys of its own
        choosing = Condition(self._is_choosing) & ~has_completions & writing
        keys.add(Keys.Any, filter=emacs_insert_mode)(_insert)
        for char in "/0123456789":  # a needless Esc before one would complete or count, and take it away
            keys.add("escape", char, filter=emacs_insert_mode)(_insert)
        keys.add("enter", filter=writing)(self._send)
        keys.add("c-z")(lent.suspend)
        keys.add("escape", "enter", filter=writing)(lambda event: event.current_buffer.insert_text("\n"))
        keys.add("up", filter=choosing)(lambda event: self._pick(event, -1))
        keys.add("down", filter=choosing)(lambda event: self._pick(event, 1))
        browsing = Condition(lambda: not self._session.default_buffer.text) & writing
        keys.add("left", filter=browsing)(lambda event: self._browse(event, -1))
        keys.add("right", filter=browsing)(lambda event: self._browse(event, 1))
        keys.add("tab", filter=writing)(self._complete)
        keys.add("c-p", filter=writing)(lambda event: event.current_buffer.history_backward())
        keys.add("c-n", filter=writing)(lambda event: event.current_buffer.history_forward())
        keys.add("c-c", filter=writing)(self._clear)
        keys.add("c-r", filter=writing)(lambda event: self._search(event, SearchDirection.BACKWARD))
        keys.add("c-s", filter=writing)(lambda event: self._search(event, SearchDirection.FORWARD))
        keys.add("enter", filter=is_searching)(self._accept_search)
        keys.add("c-c", filter=is_searching)(self._leave_search)
        keys.add("c-g", filter=is_searching)(self._leave_search)
        return keys

    def _is_choosing(self) -> bool:
        """The arrows are for the options until something else is written."""
        return bool(self._offered) and self._session.default_buffer.text in ("", *self._offered)

    def _pick(self, event: KeyPressEvent, step: int) -> None:
        """Go round: the empty line, the first option, … the last one, the empty line."""
        ring = ("", *self._offered)
        place = (ring.index(event.current_buffer.text) + step) % len(ring)
        event.current_buffer.document = Document(ring[place])
        self._picked = place - 1 if place else None

    def _send(self, event: KeyPressEvent) -> None:
        """A number is replaced by what it stands for, so that the line on the screen says it."""
        buffer = event.current_buffer
        picked = self._picked
        self._line = (
            understood_in(self._game, buffer.text) if picked is None else PlayerLine(self._game.options()[picked])
        )
        if self.waiting and needs_model(self._line):
            self._line, self._hint = None, f" {words(WAITS)} "
            return
        if self._line.is_number:
            buffer.document = Document(one_line(self._line.text))
            self._line = replace(self._line, is_number=False)
        buffer.validate_and_handle()

    def _browse(self, event: KeyPressEvent, step: int) -> None:
        """Another take of the turn that is looked through, as /takes shows it; no line is left on the screen."""
        if isinstance(self._game, Loading):
            self._set_hint(f" {words(WAITS)} ")
            return
        takes, take = browsed_takes(self._game)
        if not 0 <= take + step < len(takes):
            self._set_hint(NO_TAKE if len(takes) < 2 else LAST_TAKE if step > 0 else FIRST_TAKE)
            return
        self._line = PlayerLine(f"/takes {takes[take] + 1} {take + step + 1}", is_command=True)
        event.app.erase_when_done = True
        event.app.exit(result="")

    def _complete(self, event: KeyPressEvent) -> None:
        """A single match goes in at once: prompt_toolkit looks in the background, and loses to a quick Enter."""
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        found = list(self._completions.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        elif found:
            buffer.start_completion(insert_common_part=True)

    def _clear(self, event: KeyPressEvent) -> None:
        if not event.current_buffer.text:
            self._set_hint(f" {words(LEAVE if self._game.is_kept else LEAVE_UNSAID)} ")
        event.current_buffer.reset()
        event.app.vi_state.reset()  # a new line is written, as in a shell

    def _search(self, event: KeyPressEvent, direction: SearchDirection) -> None:
        buffer = event.current_buffer
        self._searched_from = buffer.working_index, buffer.cursor_position, event.app.vi_state.input_mode
        start_search(direction=direction)

    def _accept_search(self, event: KeyPressEvent) -> None:
        """Take what was found, and write on: prompt_toolkit would go to the commands of vi keys."""
        accept_search()
        event.app.vi_state.input_mode = self._searched_from[2]

    def _leave_search(self, event: KeyPressEvent) -> None:
        """Show the line as it was: a second Ctrl-R has moved to another one, where prompt_toolkit would leave it."""
        stop_search()
        buffer = self._session.default_buffer
        buffer.working_index, buffer.cursor_position, event.app.vi_state.input_mode = self._searched_from

    # --- around the line

    def _changed(self) -> None:
        """The line is another one now."""
        self._hint, self._picked = "", None
        self._along.changed()

    def _set_hint(self, hint: str) -> None:
        self._hint = hint

    def _toolbar(self) -> str:
        width = self._session.output.get_size().columns
        if self._hint:
            return self._hint[:width]
        if isinstance(self._game, Loading):
            return clip(_progress(self._game, waits=self.waiting is not None), width)
        ahead = self._game.prefetcher.state if self._game.prefetcher else ""
        return toolbar(replace(self._status, ahead=ahead), width) if self._status else ""

    def _placeholder(self) -> FormattedText:
        if self._used or not self._offered or is_searching():
            return FormattedText()
        return FormattedText([("class:placeholder", words(CHOOSE, count=len(self._offered)))])


def _insert(event: KeyPressEvent) -> None:
    """Characters that came together go in together.

    One by one, 100,000 of them take a minute on a terminal that does not mark what is pasted.
    """
    queue, typed = event.key_processor.input_queue, event.data * event.arg
    while queue and not isinstance(queue[0].key, Keys):
        typed += queue.popleft().data
    event.current_buffer.insert_text(typed)


def _progress(loading: Loading, *, waits: bool) -> str:
    told = words(READING) if loading.share >= 1 else words(LOADING, percent=f"{100 * loading.share:.0f}")
    return f" {told} · {words(WAITS)} " if waits else f" {told} "


def _status(game: Game) -> Status | None:
    try:
        window = game.window()
    except AdvreplError:  # it is said when the player acts
        return None
    return Status(game.engine.name, window.used, window.budget, window.evicted, speed(game))
