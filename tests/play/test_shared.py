"""A story as a line, played back on the real model; lines that cannot be."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines import models
from advrepl.play import session
from advrepl.play.session import Settings
from advrepl.play.shared import begun, played_back, shared
from advrepl.story import saves, sharing
from advrepl.story.sharing import Shared, Step
from tests import architectures
from tests.story.test_saves import a_save


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    yield


def a_line(**changed: Any) -> Shared:
    steps = [Step(2, 3, 0), Step("I wait.", 5, 0)]
    played = saves.PlayedWith(exact=True)
    model = saves.ModelRef("m", "f")
    known = Shared("1", "2", model, "chat", "start", "", {}, played, "7", [{"seed": 7}], [], -1, steps, b"abcd")
    return msgspec.structs.replace(known, **changed)


@pytest.mark.slow
def test_a_friend_plays_the_same_story(tmp_path: Path) -> None:
    sampling = {"seed": 9, "max_tokens": 6}
    settings = Settings(saves=tmp_path, ctx=512, threads=1, options=0, sampling=sampling, exact=True, prefetch=False)
    game = session.new_game("lighthouse", replace(settings, you="Anna"))
    list(game.open())
    list(game.act("I polish the lens."))
    list(game.retry())
    list(game.act("I climb down."))
    game.close()
    line = sharing.line_of(shared(saves.load(game.file.path)))
    assert line.isascii() and "\n" not in line and len(line) < 1000
    known = sharing.read(f"{line[:70]}\n{line[70:]}")
    friends = begun(known, Settings(saves=tmp_path / "friend", threads=1), None, print).open(print, None)
    assert list(played_back(friends, known)) == [True, True]
    friends.save()
    friends.close()
    mine, theirs = saves.load(game.file.path), saves.load(friends.file.path)
    assert [t.text for t in theirs.turns] == [t.text for t in mine.turns if t is not mine.turns[3]]
    assert theirs.scenario == mine.scenario and theirs.scenario.you == "Anna"
    assert [turn.seed for turn in theirs.turns[3::2]] == [mine.turns[4].seed, mine.turns[6].seed]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(AdvreplError, match="was played with advrepl 1 on llama-cpp-python 2, and here are"):
        begun(a_line(), Settings(), None, print)
    from importlib.metadata import version

    from advrepl import __version__

    here = a_line(advrepl=__version__, llama=version("llama_cpp_python"))
    with pytest.raises(AdvreplError, match="played on m, and that very file is not among your models"):
        begun(here, Settings(), None, print)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"scenario": "/etc/passwd"}, "there is no scenario '/etc/passwd' here"),
        ({"scenario": "mira", "card": "0" * 32}, "played with the card of mira: name its file with --card"),
        ({"scenario": "brindle", "card": "0" * 32}, "with another version of brindle than the one here"),
        ({"scenario": "start", "card": "0" * 32}, "played with the card of start: name its file with --card"),
        ({"greeting": 1 << 40, "steps": []}, "names a greeting that is not there"),
        ({"bans": ["long " * 10_000]}, "cannot be banned"),
        ({"samplings": []}, "names a sampling that is not there"),
    ],
)
def test_a_strangers_line_is_refused(
    change: dict[str, Any], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import version

    from advrepl import __version__

    model = architectures.make("llama", tmp_path)
    monkeypatch.setattr(models, "find", lambda *_: model)
    line = a_line(advrepl=__version__, llama=version("llama_cpp_python"), format="metharme", steps=[Step("Hi", 2, 0)])
    line = msgspec.structs.replace(line, samplings=[{"seed": 7, "max_tokens": 4}])
    with pytest.raises(AdvreplError, match=why):
        changed = sharing.read(sharing.line_of(msgspec.structs.replace(line, **change)))
        game = begun(changed, Settings(saves=tmp_path / "saves", threads=1), None, print).open(print, None)
        try:
            list(played_back(game, changed))
        finally:
            game.close()


def test_a_context_of_less_than_nothing_is_refused() -> None:
    """Llama.cpp takes the number for billions: 16 GB and two minutes."""
    played = saves.PlayedWith(ctx=-1, exact=True)
    with pytest.raises(AdvreplError, match="damaged"):
        sharing.read(sharing.line_of(a_line(played=played)))
    with pytest.raises(AdvreplError, match=r"played\.ctx"):
        saves.parse(saves.encode(msgspec.structs.replace(a_save("Hi"), played=played)), "x.json")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"played": saves.PlayedWith()}, "was not played with --exact"),
        ({"played": saves.PlayedWith(exact=True), "recap": True}, "lore or a recap of its own"),
        ({"played": saves.PlayedWith(exact=True)}, "turn 4 was stopped, continued, edited or not written"),
    ],
)
def test_a_story_that_a_line_cannot_hold_is_refused(change: dict[str, Any], why: str) -> None:
    save = msgspec.structs.replace(a_save("Start!", "A house.", "Knock.", "Nobody answers."), **change)
    save = msgspec.structs.replace(
        save, scenario=msgspec.structs.replace(save.scenario, opening="A house.", greetings=("A house.",))
    )
    with pytest.raises(AdvreplError, match=why):
        shared(save)


def test_a_line_comes_back_as_it_was() -> None:
    assert sharing.read(sharing.line_of(a_line())) == a_line()


@given(st.integers(0, 400), st.characters(codec="ascii"))
def test_a_line_that_was_changed_or_cut_is_refused_or_the_same(at: int, letter: str) -> None:
    line = sharing.line_of(a_line())
    at = at % len(line)
    for changed in (line[:at], line[:at] + letter + line[at + 1 :]):
        with suppress(AdvreplError):
            assert sharing.read(changed) == a_line()


def test_a_line_is_bounded() -> None:
    with pytest.raises(AdvreplError, match="and no shared story has more than"):
        sharing.read(sharing.PREFIX + "A" * sharing.LONGEST)
    import base64
    import zlib

    bomb = base64.urlsafe_b64encode(zlib.compress(b"\x00" * (sharing.LARGEST + 1), 9)).decode()
    with pytest.raises(AdvreplError, match="damaged"):
        sharing.read(sharing.PREFIX + bomb)
    with pytest.raises(AdvreplError, match="send its file"):
        import random

        letters = "".join(map(chr, random.Random(1).choices(range(33, 10_000), k=sharing.LONGEST)))
        sharing.line_of(a_line(bans=[letters]))
