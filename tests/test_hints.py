"""What may have been meant by a name that there is not."""

import pytest

from advrepl import AdvreplError
from advrepl.hints import did_you_mean, understood

NAMES = {"retry": "/retry", "r": "/retry", "continue": "/continue", "context": "/context", "ctx": "/context"}


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("rety", "did you mean /retry?"),
        ("RETRY", "did you mean /retry?"),
        ("con", "did you mean /continue or /context?"),
        ("ct", "did you mean /context?"),
        ("cxt", ""),
        ("ertry", "did you mean /retry?"),  # two letters in the wrong order
        ("bretry", "did you mean /retry?"),
        ("entry", ""),
        ("xyzzy", ""),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_the_nearest_name_is_said_once(word: str, hint: str) -> None:
    assert did_you_mean(word, NAMES) == hint


def test_capitals_in_a_name_do_not_matter() -> None:
    assert did_you_mean("mine.", {"Mine.2": "Mine.2"}) == "did you mean Mine.2?"


def test_of_very_many_names_that_are_meant_some_are_said() -> None:
    names = {f"story-{number}": f"story-{number}" for number in range(2000)}
    said = did_you_mean("story", names)
    assert said.startswith("did you mean story-0 or story-1 or ") and said.endswith(" or one of 1988 more?")
    assert len(said) < 250


MODELS = {"gemma-2b.Q4_K_M": "gemma-2b", "gemma-7b": "gemma-7b", "gemma-7b.gguf": "gemma-7b", "Mythalion": "Mythalion"}
TITLES = {"The Gemma": "other", "A night": "night"}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("gemma 7B", "gemma-7b"),  # the whole name, though it is also a beginning
        ("gemma_2", "gemma-2b"),
        ("lion", "Mythalion"),
        ("a night!", "night"),
        ("gemma", "unknown: did you mean gemma-2b or gemma-7b?"),  # names go before titles
        ("mitalion", "unknown: did you mean Mythalion?"),
        ("xyzzy", "unknown: otherwise"),
        ("--", "unknown: otherwise"),
        ("", "unknown: otherwise"),
    ],
)
def test_a_name_that_fits_alone_is_taken_and_told(word: str, meant: str) -> None:
    told: list[str] = []
    if meant.startswith("unknown"):
        with pytest.raises(AdvreplError) as error:
            understood(word, [MODELS, TITLES], "unknown", "otherwise", told.append)
        assert (str(error.value), told) == (meant, [])
    else:
        assert understood(word, [MODELS, TITLES], "unknown", "otherwise", told.append) == meant
        assert told == [f"{word} is taken for {meant}"]
