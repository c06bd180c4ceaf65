"""What may have been meant by a name that there is not."""

import pytest

from advrepl.hints import did_you_mean

NAMES = {"retry": "/retry", "r": "/retry", "continue": "/continue", "context": "/context", "ctx": "/context"}


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("rety", "did you mean /retry?"),
        ("RETRY", "did you mean /retry?"),
        ("con", "did you mean /continue or /context?"),
        ("ct", "did you mean /context?"),
        ("cxt", ""),
        ("xyzzy", ""),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_the_nearest_name_is_said_once(word: str, hint: str) -> None:
    assert did_you_mean(word, NAMES) == hint


def test_capitals_in_a_name_do_not_matter() -> None:
    assert did_you_mean("mine.", {"Mine.2": "Mine.2"}) == "did you mean Mine.2?"
