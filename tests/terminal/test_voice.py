"""Reading aloud, with a program that writes down what it is to say."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.terminal import voice
from advrepl.terminal.voice import INSTALL, Speaker, Voice, find_speakers
from tests.pty_play import Terminal
from tests.terminal.conftest import SMALL


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return tmp_path / "said"


@pytest.fixture
def speaker(tmp_path: Path, said: Path) -> Speaker:
    return Speaker((str(program(tmp_path / "quick", said, "")),))


def program(path: Path, said: Path, then: str) -> Path:
    """A voice that writes each text into a file, and then does something else."""
    path.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {said}\n{then}\n')
    path.chmod(0o700)
    return path


@pytest.fixture
def speaking(speaker: Speaker) -> Iterator[Voice]:
    reader = Voice([speaker])
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
    reader = Voice([Speaker((str(program(tmp_path / "slow", said, "exec sleep 60")),))])
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
    assert find_speakers() == []
    with pytest.raises(AdvreplError, match="install espeak-ng"):
        Voice(find_speakers())


@pytest.mark.parametrize(
    ("locale", "language", "spd", "espeak"),
    [
        ("en_US.UTF-8", "en", [], []),
        ("C.UTF-8", "ru", ["--language", "ru"], ["-v", "ru"]),
        ("de_DE.UTF-8", "de", [], ["-v", "de"]),  # speech-dispatcher reads the locale, espeak-ng does not
        ("de_DE.UTF-8", "en", ["--language", "en"], []),
        ("fr_FR.UTF-8", "", [], []),
    ],
)
def test_each_program_is_told_the_language_where_it_would_read_another(
    locale: str, language: str, spd: list[str], espeak: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setattr("shutil.which", lambda name: name)
    commands = [speaker.reading("-Hm.", language) for speaker in find_speakers()]
    assert commands == [
        ["espeak-ng", *espeak, "--", "-Hm."],
        ["spd-say", "--wait", *spd, "--", "-Hm."],
        ["say", "--", "-Hm."],
    ]


def test_the_player_says_which_program_reads_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    for said, first in (("spd-say", "spd-say"), ("", "espeak-ng"), ("no-such", "espeak-ng")):
        monkeypatch.setenv("ADVREPL_VOICE", said)
        assert Path(find_speakers()[0].command[0]).name == first


def test_a_story_is_read_in_its_own_language_and_short_lines_in_that_of_those_before(
    tmp_path: Path, said: Path
) -> None:
    path = tmp_path / "espeak-ng"
    path.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    path.chmod(0o700)
    reader = Voice([Speaker((str(path),), "-v", "en")])
    reader.feed("Ты стоишь перед старым домом, и дверь открыта. 1! She looks at you and smiles with the others. ")
    wait_for(lambda: said.exists() and len(said.read_text().splitlines()) == 3)
    reader.close()
    assert [line[:5] for line in said.read_text().splitlines()] == ["-v ru", "-v ru", "-- Sh"]


@pytest.mark.parametrize("fault", ["exit 1", "exec sleep 60"])
def test_what_cannot_speak_leaves_it_to_the_next_program(
    fault: str, tmp_path: Path, said: Path, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """spd-say ends with 1 where speech-dispatcher does not start, and waits for ever where there is no sound card."""
    monkeypatch.setattr(voice, "LONGEST", 0.3)
    monkeypatch.setattr(voice, "LONGEST_LETTER", 0.01)
    tried = tmp_path / "tried"
    reader = Voice([Speaker((str(program(tmp_path / "spd-say", tried, fault)),)), speaker])
    reader.feed("One. Two. ")
    wait_for(lambda: said.exists() and said.read_text() == "One.\nTwo.\n")
    reader.close()
    assert tried.read_text() == "One.\n" and not reader.trouble


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


def test_a_voice_that_cannot_speak_is_told_once_and_the_story_goes_on(
    open_terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    program(tmp_path / "espeak-ng", tmp_path / "tried", "exit 1")
    with open_terminal("play", *SMALL, "--voice", PATH=f"{tmp_path}:/usr/bin:/bin") as terminal:
        terminal.ready()
        terminal.line("/where")
        terminal.until(lambda: "espeak-ng cannot speak here" in terminal.text)
        terminal.line("/where")
        terminal.ready()
        assert terminal.text.count("cannot speak") == 1


def test_a_story_without_a_voice_goes_on_in_silence(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *SMALL, PATH=str(tmp_path)) as terminal:  # where there is no program to speak
        terminal.ready()
        terminal.line("/say")
        terminal.until(lambda: INSTALL[:30] in terminal.text)
        terminal.ready()
