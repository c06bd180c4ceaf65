"""Reading aloud, with a program that writes down what it is to say."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.terminal import voice
from advrepl.terminal.voice import INSTALL, Speaker, Voice, find_speaker
from tests.pty_play import Terminal
from tests.terminal.conftest import SMALL


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return tmp_path / "said"


@pytest.fixture
def speaker(tmp_path: Path, said: Path) -> Speaker:
    return Speaker((str(program(tmp_path / "quick", said, "")), "--"))


def program(path: Path, said: Path, then: str) -> Path:
    """A voice that writes each text into a file, and then does something else."""
    path.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {said}\n{then}\n')
    path.chmod(0o700)
    return path


@pytest.fixture
def speaking(speaker: Speaker) -> Iterator[Voice]:
    reader = Voice(speaker)
    yield reader
    reader.close()


def wait_for(there: Callable[[], object], patience: float = 20) -> None:
    end = time.monotonic() + patience
    while not there():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_sentence_is_read_as_soon_as_it_is_whole(speaking: Voice, said: Path) -> None:
    for piece in ("The do", 'or *opens*. "Who', ' is it?" '):
        speaking.feed(piece)
    wait_for(lambda: said.exists() and said.read_text() == 'The door opens.\n"Who is it?"\n')
    speaking.feed("It is 3.5 miles")
    speaking.end()
    wait_for(lambda: said.read_text().endswith("\nIt is 3.5 miles\n"))


def test_a_key_silences_within_50_ms_and_for_the_rest_of_the_reply(tmp_path: Path, said: Path) -> None:
    """The best of three: the machine may be busy."""
    reader = Voice(Speaker((str(program(tmp_path / "slow", said, "exec sleep 60")), "--")))
    took = []
    for attempt in range(3):
        reader.begin()
        before = len(said.read_text().splitlines()) if said.exists() else 0
        reader.feed("One. Two. ")
        wait_for(lambda: said.exists() and len(said.read_text().splitlines()) > before)  # noqa: B023
        keys, typed = os.pipe()
        with os.fdopen(keys) as stdin, reader.silenced_by_keys(stdin):
            began = time.monotonic()
            os.write(typed, b"x")
            wait_for(lambda: not reader.speaks)
            took.append(time.monotonic() - began)
            reader.feed("Three. ")
        os.close(typed)
        assert said.read_text() == "One.\n" * (attempt + 1)
    reader.close()
    assert min(took) < 0.05


def test_a_system_without_a_voice_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert find_speaker() is None
    with pytest.raises(AdvreplError, match="install speech-dispatcher"):
        Voice(find_speaker())
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name == "espeak-ng" else None)
    assert find_speaker("de") == Speaker(("/bin/espeak-ng", "-v", "de", "--"))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Go. Now! ", ["Go.", "Now!"]),
        ("「誰だ。」竜だ。", ["「誰だ。」", "竜だ。"]),
        ("A list\nof lines\n", ["A list", "of lines"]),
        ("No end", []),
    ],
)
def test_sentences_end_in_any_script(text: str, sentences: list[str]) -> None:
    found: list[str] = []
    rest = text
    while end := voice.SENTENCE.search(rest):
        found, rest = [*found, rest[: end.end()].strip()], rest[end.end() :]
    assert found == sentences


def test_a_story_is_read_aloud(open_terminal: Callable[..., Terminal], tmp_path: Path, said: Path) -> None:
    program(tmp_path / "espeak-ng", said, "")
    with open_terminal("play", *SMALL, "--voice", PATH=f"{tmp_path}:/usr/bin:/bin") as terminal:
        terminal.ready()
        wait_for(lambda: said.exists() and "3: Run as fast as you can." in said.read_text())
        assert said.read_text().startswith("You are standing in front of an old, abandoned house.\n")
        said.write_text("")
        terminal.line("/say")
        wait_for(lambda: "Come inside!" in said.read_text())


def test_a_story_without_a_voice_goes_on_in_silence(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *SMALL, PATH=str(tmp_path)) as terminal:  # where there is no program to speak
        terminal.ready()
        terminal.line("/say")
        terminal.until(lambda: INSTALL[:30] in terminal.text)
        terminal.ready()
