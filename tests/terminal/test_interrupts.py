"""Ctrl-C as the program hears it, with real signals; in whole programs: test_repl.py and test_pipe.py."""

import gc
import io
import math
import signal
import time
import warnings
from collections.abc import Callable, Iterator

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from advrepl.play.events import Event
from advrepl.play.game import Game
from advrepl.play.reply import Option
from advrepl.terminal.aloud import Aloud
from advrepl.terminal.editor import PlainEditor
from advrepl.terminal.interrupts import Interrupts
from advrepl.terminal.prompting import end_prompt
from advrepl.terminal.repl import Repl
from advrepl.terminal.screen import Screen
from advrepl.terminal.theme import Capabilities
from tests.conftest import ScriptedEngine


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


class Work:
    """Counts how often it was cancelled."""

    cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


def test_the_first_one_cancels_and_the_second_ends_the_program() -> None:
    """As in a pipe."""
    work = Work()
    with pytest.raises(KeyboardInterrupt), Interrupts(work.cancel, patience=0) as interrupts, interrupts.writing():
        ctrl_c()
        assert work.cancelled == 1
        ctrl_c()
    assert work.cancelled == 1


def test_one_that_comes_when_all_is_written_ends_the_program_after_the_rest() -> None:
    work, done = Work(), False
    with pytest.raises(KeyboardInterrupt), Interrupts(work.cancel, patience=0) as interrupts, interrupts.writing():
        interrupts.is_written()
        ctrl_c()
        ctrl_c()
        done = True
    assert done and work.cancelled == 0


def test_one_before_and_one_after_the_last_word_end_the_program_at_once() -> None:
    work = Work()
    with pytest.raises(KeyboardInterrupt), Interrupts(work.cancel, patience=0) as interrupts, interrupts.writing():
        ctrl_c()
        interrupts.is_written()
        ctrl_c()
        pytest.fail("not reached")
    assert work.cancelled == 1


def test_a_reply_that_ends_by_an_error_tells_the_error() -> None:
    with pytest.raises(ValueError), Interrupts(Work().cancel, patience=0) as interrupts, interrupts.writing():
        interrupts.is_written()
        ctrl_c()
        raise ValueError


def test_each_cancels_while_there_is_patience() -> None:
    """As at a terminal, where the reply is saved first; the player is told how often it was."""
    work = Work()
    with Interrupts(work.cancel, patience=10, only_within=True) as interrupts:
        with interrupts.writing():
            for _ in range(3):
                ctrl_c()
        assert work.cancelled == interrupts.count == 3
        with interrupts.writing():
            assert interrupts.count == 0
            ctrl_c()
        assert work.cancelled == 4


def test_patience_ends() -> None:
    work = Work()
    with pytest.raises(KeyboardInterrupt), Interrupts(work.cancel, patience=0.2) as interrupts, interrupts.writing():
        ctrl_c()
        ctrl_c()
        time.sleep(0.25)
        ctrl_c()
    assert work.cancelled == 2


def test_with_endless_patience_it_is_never_the_program_that_ends() -> None:
    """As in tune, which ends by itself."""
    work = Work()
    with Interrupts(work.cancel, patience=math.inf) as interrupts, interrupts.writing():
        for _ in range(20):
            ctrl_c()
    assert work.cancelled == 20


def test_between_replies_at_a_terminal_it_is_not_heard() -> None:
    work = Work()
    with Interrupts(work.cancel, patience=10, only_within=True) as interrupts:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt), interrupts.reading():
            ctrl_c()
        ctrl_c()
    assert work.cancelled == 0


def test_elsewhere_it_breaks_nothing_off_and_is_heard_before_the_next_line() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), Interrupts(Work().cancel, patience=0) as interrupts:
        ctrl_c()
        reached = True
        with interrupts.reading():
            pytest.fail("not reached")
    assert reached


def test_elsewhere_it_is_heard_when_what_comes_next_is_written() -> None:
    work, written = Work(), False
    with pytest.raises(KeyboardInterrupt), Interrupts(work.cancel, patience=0) as interrupts:
        ctrl_c()
        with interrupts.writing():
            written = True
        pytest.fail("not reached")
    assert written and work.cancelled == 0


def test_elsewhere_it_is_heard_at_the_end_at_the_latest() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts(Work().cancel, patience=0):
        ctrl_c()


@pytest.mark.parametrize("how", [signal.default_int_handler, signal.SIG_IGN])
def test_what_was_done_before_is_done_after(how: Callable[..., object] | signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, how)
    try:
        with Interrupts(Work().cancel, patience=0) as interrupts, interrupts.writing():
            ctrl_c()
        assert signal.getsignal(signal.SIGINT) is how
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("shown", "notice"), [(1, "stopped before there was a choice: "), (2, "stopped; /continue goes on from here")]
)
def test_among_the_options_it_is_told_whether_there_is_a_choice(
    new_game: Callable[..., Game], shown: int, notice: str
) -> None:
    game = new_game(ScriptedEngine("A house.", " Go in.\n", " Leave.\n", " Knock.\n", grammars=True))
    paper = io.StringIO()

    def opening() -> Iterator[Event]:
        for event in game.open():
            yield event
            if isinstance(event, Option) and event.number == shown:
                ctrl_c()

    with Interrupts(game.cancel, patience=10, only_within=True) as interrupts:
        screen = Screen(paper, Capabilities(style=False, cursor=False))
        Repl(game, screen, PlainEditor(game, interrupts.reading), interrupts, Aloud("", replies=False)).show(opening())
    assert notice in paper.getvalue() and f"{shown + 1}. " not in paper.getvalue()
    assert len(game.options()) == (shown if shown > 1 else 0)


class Dying:
    """Where an exception is printed and dropped."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


async def in_a_task() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("where", ["before it runs", "task", "destructor", "callback", "behind Enter"])
def test_wherever_the_end_of_the_program_finds_a_prompt_it_ends_it_without_a_word(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    def ask(session: PromptSession[str]) -> str:
        def run() -> None:
            app = session.app
            assert app.loop
            match where:
                case "task":
                    app.create_background_task(in_a_task())
                case "destructor":
                    Dying()
                case "callback":
                    app.loop.call_soon(signal.raise_signal, signal.SIGTERM)
                case "behind Enter":
                    app.loop.call_soon(lambda: app.exit(result="a line"))
                    app.loop.call_soon(signal.raise_signal, signal.SIGTERM)

        if where == "before it runs":
            signal.raise_signal(signal.SIGTERM)
        return session.prompt(handle_sigint=False, pre_run=run)

    with (
        create_pipe_input() as keys,
        create_app_session(input=keys, output=DummyOutput()),
        warnings.catch_warnings(action="error"),
        Interrupts(Work().cancel, patience=10, only_within=True) as interrupts,
    ):
        keys.send_text("half a line")
        with pytest.raises(SystemExit) as ended, interrupts.prompting(end_prompt):
            ask(PromptSession())
        gc.collect()
    assert ended.value.code == 128 + signal.SIGTERM
    assert not caplog.records
