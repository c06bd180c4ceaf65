"""Play at a terminal: read a line, show what comes of it, until the player leaves.

Nothing else ends the loop: errors are shown, Ctrl-C ends a reply or clears the line.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from advrepl import AdvreplError, garbage, paths, program
from advrepl.play.events import Draft, Event, Reply
from advrepl.play.game import Game
from advrepl.play.loading import Loading
from advrepl.play.reply import Option, Piece
from advrepl.play.state import NOT_KEPT
from advrepl.prompt import options as menu
from advrepl.terminal import background, commands, picker, standing
from advrepl.terminal.aloud import Aloud
from advrepl.terminal.bare_words import BareWords
from advrepl.terminal.choosing import Pick
from advrepl.terminal.commands import Quit, Then, portrait
from advrepl.terminal.early import keys_unechoed, pastes_marked
from advrepl.terminal.editor import PROMPT, Editor, LineEditor, PlainEditor
from advrepl.terminal.foyer import Foyer
from advrepl.terminal.interrupts import Interrupts, closed
from advrepl.terminal.lines import PlayerLine
from advrepl.terminal.prompting import end_prompt
from advrepl.terminal.screen import Screen
from advrepl.terminal.text import visible
from advrepl.terminal.theme import Capabilities
from advrepl.terminal.voice import Say
from advrepl.terminal.words import GO_ON, HELP, KEPT, STOPPED, YOUR_TURN, words


class Look(Struct, frozen=True):
    """How the player wants to see the story."""

    plain: bool = False  # in lines of words only, for a screen reader
    theme: str | None = None  # by its name; None: as the terminal's background
    voice: bool = False  # is each reply read aloud?
    vi: bool = False  # are the keys of the line editor vi's?
    bell: int = 0  # seconds from which on a reply that is ready rings; 0: none does


class Left(Struct, frozen=True):
    """How the player has left."""

    code: int  # the exit code
    then: Then | None  # what he goes on with


LOOK = Look()
PATIENCE = 10.0  # seconds after the first Ctrl-C from which on another one no longer waits for the reply to be saved


def play(game: Game | Loading, *, opening: bool, notices: Sequence[str] = (), look: Look = LOOK) -> Left:
    """Play until the player leaves. KeyboardInterrupt: Ctrl-C twice, and all is saved."""
    can = Capabilities.of(os.environ, plain=look.plain)
    interrupts = Interrupts(game.cancel, PATIENCE, only_within=True)
    # With a line editor the terminal never edits lines: a Ctrl-D that it took by itself between two of them were lost.
    with interrupts, _prompt_terminal() if can.cursor else nullcontext():
        with interrupts.reading():
            theme = background.theme(look.theme, can, os.environ)
        if can.cursor:
            history = None if game.state.save.lock else paths.history()
            editor: Editor = LineEditor(game, history, theme=theme if can.style else None, vi=look.vi)
        else:
            known = game.wait() if isinstance(game, Loading) else game
            editor = PlainEditor(known, interrupts.reading, words(YOUR_TURN) if can.words else PROMPT)
        aloud = Aloud(game.scenario.language, replies=look.voice)
        repl = Repl(game, Screen(sys.stdout, can, theme), editor, interrupts, aloud, look.bell)
        repl.show_heading(notices)
        repl.show_portrait()
        try:
            if opening:
                repl.show(game.open() if isinstance(game, Game) else standing.written_opening(game))
            else:
                repl.show_last_exchange()
            repl.read_lines()
        finally:
            aloud.close()
            code = repl.save_and_leave()
    return Left(code, repl.then)


class Repl:
    """A game at a terminal."""

    def __init__(
        self,
        game: Game | Loading,
        screen: Screen,
        editor: Editor,
        interrupts: Interrupts,
        aloud: Aloud,
        bell: int = 0,
    ) -> None:
        """`bell`: seconds from which on a reply that is ready rings; 0: none does."""
        self._told, self._screen, self._editor, self._interrupts = game, screen, editor, interrupts
        self._bell = bell
        self._aloud = aloud
        if isinstance(editor, LineEditor):
            editor.on_key = aloud.hush
        self._bare_words = BareWords()
        self.then: Then | None = None  # what the player goes on with when he has left
        self._pick: Pick | None = None  # what he is to choose from, when all else is said
        self._read_at: int | None = None  # the turn at which the last line was read
        self._draft = ""  # what stands in the next line at first
        self._foyer: Foyer | None = None  # while there is no game yet
        if isinstance(game, Game):
            self._enter(game)
        elif isinstance(editor, LineEditor):
            self._foyer = Foyer(game, screen, editor, self._begin_ahead)

    @property
    def _game(self) -> Game:
        assert isinstance(self._told, Game)  # what needs one waits for it
        return self._told

    def _enter(self, game: Game) -> None:
        self._told = game
        game.on_prefill, game.tell = self._screen.show_prefill, self._screen.remark

    def _begin_ahead(self, game: Game) -> None:
        """The game is there while the player writes a line."""
        self._enter(game)
        game.start_prefetch()

    def show_heading(self, notices: Sequence[str]) -> None:
        """Show what is played and where it is kept, and what there is to say about it."""
        model = self._told.name if isinstance(self._told, Loading) else self._told.engine.name
        self._screen.heading(f"{self._told.title} · {model}")
        self._screen.notice(words(KEPT, path=self._told.file.path))
        self._screen.notice(words(HELP))
        for notice in notices:
            self._screen.notice(notice)

    def show_portrait(self) -> None:
        """Show the character's picture, if there is one and this terminal can show it."""
        if data := portrait.opening_picture(self._told):
            with suppress(AdvreplError):  # nobody asked for it; /portrait says what is wrong
                self._screen.picture(data)

    def show_last_exchange(self) -> None:
        """Show where the story stood when it was left: the last reply with its options, and what the player said."""
        told = standing.last_exchange(self._told.story.path_turns())
        for turn in told:
            if turn.role == "user":
                self._screen.begin_paragraph()
                self._screen.player_line(turn.text)
            else:
                self._screen.show(Piece(menu.parted(turn.text, self._told.option_count)[0]))
                self._screen.show(Reply("", self._told.options(), {}))
        if told and told[-1].role == "user":
            self._screen.notice("there is no reply yet: /retry asks for one")
        elif cut := standing.how_to_read_on(self._told):
            self._screen.notice(cut)

    def read_lines(self) -> None:
        """Take the player's lines, one after the other, until he leaves."""
        while True:
            self._screen.begin_paragraph()
            if isinstance(self._told, Game):
                self._told.start_prefetch()
            unseen, self._read_at = self._told.story.head != self._read_at, self._told.story.head
            said = False
            try:
                with self._interrupts.prompting(end_prompt):
                    draft, self._draft = self._draft, ""
                    line = self._editor.read(unseen=unseen, draft=draft)
                    said = not line.is_command
            except KeyboardInterrupt:
                self._screen.line_entered()
                continue
            except EOFError:
                return
            finally:
                if isinstance(self._told, Game):
                    self._told.pause_prefetch(gently=said)
            garbage.in_play()
            line = self._in_turn(line)
            try:
                self._take(self._readable(line))
            except Quit as quit:
                self.then = quit.then
                return

    def show(self, events: Iterator[Event]) -> None:
        """Show events as they happen; errors are one line, Ctrl-C ends the reply, twice raises KeyboardInterrupt."""
        offered, replied, began = False, False, time.monotonic()
        try:
            with closed(events), self._interrupts.writing(), keys_unechoed(sys.stdin), self._aloud.listening(sys.stdin):
                for event in events:
                    offered |= isinstance(event, Option)
                    replied |= isinstance(event, Reply)
                    if isinstance(event, Reply) and 0 < self._bell <= time.monotonic() - began:
                        self._screen.ring()
                    self._aloud.take(event)
                    self._show(event)
        except AdvreplError as error:
            self._screen.error(str(error))
        finally:
            self._screen.end()
        if self._interrupts.count:
            self._screen.notice(self._how_to_go_on(offered))
        elif replied and (cut := standing.how_to_read_on(self._told)):
            self._screen.notice(cut)
        if trouble := self._aloud.trouble():
            self._screen.notice(trouble)
        if self._interrupts.count > 1:
            raise KeyboardInterrupt

    def _show(self, event: Event) -> None:
        match event:
            case Say():
                pass  # it is heard
            case Pick() if self._screen.can.cursor:
                self._pick = event
            case Draft(line=line) if self._editor.drafts:
                self._draft = visible(line)
            case _:
                self._screen.show(event)

    def _in_turn(self, line: PlayerLine) -> PlayerLine:
        """The line that has waited for the model, once that is there; what was typed behind it is left in the next."""
        if self._foyer and isinstance(self._told, Game):
            foyer, self._foyer = self._foyer, None
            if waited := foyer.taken():
                self._draft = foyer.text_behind
                return waited
        self._screen.line_entered()
        return line

    def save_and_leave(self) -> int:
        """Save, and say where the story lies; returns the exit code."""
        if isinstance(self._told, Loading):
            return self._leave_early(self._told)
        try:
            remark = self._game.leave()
        except AdvreplError as error:
            self._screen.error(str(error))
            return 1
        if remark:
            self._screen.notice(remark)
            return 0
        self._tell_where(self._game.file.path)
        if remark := self._game.store_kv():
            self._screen.notice(remark)
        return 0

    def _leave_early(self, loading: Loading) -> int:
        """Nothing was changed, so there is nothing to save."""
        if loading.error:
            if self._foyer:
                self._foyer.tell()
        elif not loading.is_kept:
            self._screen.notice(NOT_KEPT)
        else:
            self._tell_where(loading.file.path)
        return 0

    def _tell_where(self, path: Path) -> None:
        if self.then:
            self._screen.notice(f"the story is kept in {path}")
        else:
            self._screen.notice(words(GO_ON, path=path, command=program.resume_command(path)))

    def _take(self, line: PlayerLine) -> None:
        if not line.text:
            return
        if line.is_number:
            self._screen.player_line(line.text)
        asked = "" if line.text in self._told.options() else self._bare_words.question(line.text)
        if asked:
            self._screen.notice(asked)
            return
        if isinstance(self._told, Game):
            self.show(commands.answer(self._told, line))
        elif self._foyer and commands.needs_model(line):
            self._foyer.wait(line)
        else:
            self.show(commands.answer_at_once(self._told, line))
        if pick := self._pick:
            self._pick = None
            self._choose(pick)

    def _choose(self, pick: Pick) -> None:
        """Let the player choose, and do what the choice says, in a line that stands there as if he had typed it."""
        screen = self._screen
        with self._interrupts.prompting(end_prompt):
            chosen = picker.pick(pick.title, pick.choices, screen.can, screen.theme)
        if chosen:
            line = f"{pick.command} {chosen.name}"
            self._screen.player_line(line)
            self.show(commands.answer_at_once(self._told, PlayerLine(line, is_command=True)))

    def _readable(self, line: PlayerLine) -> PlayerLine:
        """Bytes that are not UTF-8 come as lone surrogates, which neither a model nor a save can hold."""
        text = "".join("�" if "\ud800" <= char <= "\udfff" else char for char in line.text)
        if text != line.text:
            self._screen.notice("what was not UTF-8 in this line is replaced by �")
        return replace(line, text=text)

    def _how_to_go_on(self, offered: bool) -> str:
        last = self._game.story.last
        if offered and not self._game.options():
            return "stopped before there was a choice: say it in your own words, or /continue and /retry offer options"
        if last and last.role == "model":
            return words(STOPPED)
        return "stopped before the first word; /retry asks again, /undo takes your line back"


@contextmanager
def _prompt_terminal() -> Iterator[None]:
    with keys_unechoed(sys.stdin), pastes_marked(sys.stdout):
        yield
