"""Repetitions are noticed as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.prompt.repeats import SUSPICIOUS, Repeats
from advrepl.sampling.params import Sampling

RUN = Sampling().loop_guard
SAID = "The old man looks at you and says that the lamp went out three nights ago."


def grow(repeats: Repeats, text: str) -> list[float]:
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


def test_contractions_are_one_word_however_they_arrive() -> None:
    said = "I don't know what you'll do when they won't come."
    assert max(grow(Repeats([said]), f"Well, {said} ")) == 10


@pytest.mark.parametrize(
    ("said", "run"),
    [
        ("彼は古い扉の前に立って、ランプが三日前の夜に消えたと言った。", 14),
        ("老人看着你说灯在三天前的夜里熄灭了，再也没有人点亮它。", 12.5),
        ("ชายชรามองดูคุณแล้วบอกว่าตะเกียงดับไปเมื่อสามคืนก่อน", 20.5),
    ],
)
def test_scripts_without_spaces_are_read_by_characters_two_to_a_word(said: str, run: float) -> None:
    assert max(grow(Repeats([said]), f"{said} ")) == run


def test_a_name_or_a_phrase_of_japanese_is_no_repetition() -> None:
    said = "彼は古い扉の前に立って、ランプが三日前の夜に消えたと言った。"
    assert max(grow(Repeats([said]), "あなたは古い扉の前で待つ。ランプが揺れている。")) < RUN


STATUS = [
    "[HP: 10 | Gold: 3 | Place: the old mill | Time: evening | Mood: calm]",
    "*[Status: calm, the shop is open, it is evening. Nobody is here but you.]*",
    "HP: 10\nGold: 3\nPlace: the old mill by the river\nWeather: rain and some wind from the sea",
    "```\nHP 10\nGold 3\nThe old mill by the river, in the evening, in the rain\n```",
    "【体力：10｜金貨：3｜場所：川のそばの古い水車小屋｜時刻：夕方】",
    "📍 Place: the old mill by the river, at night, in the rain 🕒 21:00",
    "**Здоровье:** 10 | **Золото:** 3 | **Место:** старая мельница у реки | **Время:** вечер",
    "❤️ 10 💰 3 📍 the old mill by the river 🕛 noon ☁️ rain",
    "❤️❤️❤️🤍 Trust 3/10, Mood calm, Place the old mill by the river, noon",
    "~ HP 10 ~ Gold 3 ~ the old mill by the river at noon ~",
    "HP ten · Gold three · the old mill by the river · noon · rain",
    "Heart 10% ▓▓░░ Trust 20% ▓░░░ at the old mill by the river at noon",
    "Здоровье 10, золото 3, старая мельница у реки, полдень, дождь, ветер",
    "Inventory → lamp, rope, a rusty key, a loaf of bread, three coins",
    "#status #hp10 #gold3 #the #old #mill #by #the #river #noon",
    "<status>Mira is calm, the shop is open, and it is late in the evening</status>",
]


@pytest.mark.parametrize("status", STATUS)
def test_a_form_under_each_reply_is_no_repetition(status: str) -> None:
    repeats = Repeats([f"He nods and goes in.\n\n{status}"])
    assert max(grow(repeats, f"The rain stops.\n\n{status}\n")) < RUN


def test_a_form_above_each_reply_is_no_repetition() -> None:
    head = "**Tuesday, 14 May, in the evening, in the great hall of the castle**"
    assert max(grow(Repeats([f"{head}\n\nHe nods."]), f"{head}\n\nShe waits. ")) < RUN


@pytest.mark.parametrize(
    "said",
    [
        SAID,
        f"Mira: {SAID}\nShe goes.",
        f"He nods.\n{SAID}",
        SAID.removesuffix("."),
        f"He has 3 of 12 coins. {SAID}",
        f"{SAID} 🙂",
    ],
)
def test_prose_is_no_form(said: str) -> None:
    assert max(grow(Repeats([said]), f"You knock. {SAID} ")) >= RUN


def test_a_form_that_comes_again_in_one_reply_is_a_repetition() -> None:
    assert grow(Repeats([]), f"{STATUS[0]}\n" * 2)[-1] >= RUN
