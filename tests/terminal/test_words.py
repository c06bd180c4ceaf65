"""The program's own words in other languages."""

import re
from collections.abc import Callable

import pytest

from advrepl.terminal.words import CHOOSE, HELP, TABLE, YOU_CAN, language, words
from tests.pty_play import Terminal
from tests.terminal.conftest import SMALL


def test_each_language_says_all_with_the_same_values_and_commands() -> None:
    said = set(TABLE["de"])
    for table in TABLE.values():
        assert set(table) == said
        for english, other in table.items():
            for what in (r"\{\w+\}", r"/[a-z]+"):
                assert sorted(re.findall(what, other)) == sorted(re.findall(what, english))
            assert english.endswith(" ") == other.endswith(" ")


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({}, "en"),
        ({"LANG": "de_AT.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "fr_FR"}, "fr"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "tlh"}, "en"),
    ],
)
def test_the_language_is_that_of_the_environment(environment: dict[str, str], code: str) -> None:
    assert language(environment) == code


def test_values_are_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert words(CHOOSE, count=3) == "1-3 или свои слова"
    monkeypatch.setenv("LANG", "C")
    assert words(CHOOSE, count=3) == "1-3, or your own words"


def test_a_game_is_played_in_the_players_language(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL, "--plain", LANG="de_DE.UTF-8") as terminal:
        terminal.until(TABLE["de"][HELP])
        terminal.until(TABLE["de"][YOU_CAN])
        terminal.until("Sie sind dran:")
