"""Repetitions are noticed as they are written."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt.repeats import RUN, SUSPICIOUS, Repeats

SAID = "The old man looks at you and says that the lamp went out three nights ago."


def grow(repeats: Repeats, text: str) -> list[int]:
    return [repeats.read(text[:end]) for end in range(1, len(text) + 1)]


def test_a_run_grows_word_by_word_and_ends_with_another_word() -> None:
    repeats = Repeats([SAID])
    runs = grow(repeats, "Then, THE OLD man looks at you and says that the lamp went out. It ")
    assert max(runs) == 13 and runs[-1] == 0


def test_names_and_short_phrases_are_no_repetition() -> None:
    assert max(grow(Repeats([SAID]), "You follow the old man upstairs while he looks at you now and then. ")) < RUN


def test_a_text_can_repeat_itself() -> None:
    sentence = "You walk down the stairs and look for the other lantern. "
    assert grow(Repeats([]), sentence)[-1] == 0
    assert grow(Repeats([]), sentence * 2)[-1] >= RUN


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=60), st.integers(1, 7))
def test_the_run_is_the_same_however_the_text_arrives(words: list[str], step: int) -> None:
    text = " ".join(words) + " "
    slow, fast = Repeats(["a b c d a"]), Repeats(["a b c d a"])
    for end in range(step, len(text), step):
        slow.read(text[:end])
    assert slow.read(text) == fast.read(text)
    assert fast.run == 0 or fast.run >= SUSPICIOUS
