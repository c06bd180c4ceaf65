"""The list of choices: found in any style, tidied into whole sentences, never the same twice."""

import ctypes
import math
import unicodedata
from collections.abc import Callable, Sequence

import llama_cpp.llama_cpp as lib
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.vocab import Vocabulary
from advrepl.prompt import lists
from advrepl.prompt import options as menu
from advrepl.prompt.languages import LANGUAGES, OTHER
from advrepl.scripts import UNSPACED

CARD = "You enter the house.\n- Ask him what he wants.\n- Attack him.\n- Run away."


@pytest.mark.parametrize(
    ("text", "prose", "options"),
    [
        (CARD, "You enter the house.", ("Ask him what he wants.", "Attack him.", "Run away.")),
        ("A hall.\n\n1. Go in.\n2. Go out.\n", "A hall.", ("Go in.", "Go out.")),
        ("A hall.\na) Go in.\n\nb) Go out.", "A hall.", ("Go in.", "Go out.")),
        ("- Go in.\n* Go out.", "", ("Go in.", "Go out.")),
        ("He says:\n- Come in.", "He says:\n- Come in.", ()),
        ("A hall.\n- Go in.\nYou wait.", "A hall.\n- Go in.\nYou wait.", ()),
        ("", "", ()),
    ],
)
def test_a_reply_is_parted_into_prose_and_options(text: str, prose: str, options: tuple[str, ...]) -> None:
    assert menu.split(text) == (prose, options)


@pytest.mark.parametrize(("marker", "second"), [("-", "- b"), ("1.", "2. b"), ("a)", "b) b"), ("•", "• b")])
def test_join_is_the_inverse_of_split(marker: str, second: str) -> None:
    text = menu.join("Prose.", ["a", "b"], marker)
    assert text.split("\n")[2] == second and menu.split(text) == ("Prose.", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "safe"),
    [("The end.", 8), ("The end.\n", 8), ("The end.\n-", 8), ("The end.\n1", 8), ("The end.\n12 men", 15), ("1", 0)],
)
def test_what_could_become_a_list_waits(text: str, safe: int) -> None:
    assert lists.may_be_list(text) == safe


def test_a_list_is_seen_when_its_first_word_begins() -> None:
    assert lists.list_start("The end.\n- ") is None
    assert lists.list_start("The end.\n 1) G") == lists.ListStart(8, "1)", sure=False)
    assert lists.list_start("The end.\n 1) Go.\n2) S") == lists.ListStart(8, "1)", sure=True)


@pytest.mark.parametrize(
    ("line", "tidy"),
    [
        (" Go inside the house.\n", "Go inside the house."),
        ("Go inside", "Go inside."),
        ("- Go  inside!", "Go inside!"),
        ('Say "no"', 'Say "no".'),
        ('Say "no."', 'Say "no."'),
        ("Go, ", "Go."),
        ("", ""),
        (
            "Walk slowly down the long dark corridor and open the door at the end of.",
            "Walk slowly down the long dark corridor.",
        ),
        (
            "Take one more careful look at each of the old grey stones in the",
            "Take one more careful look at each of the old grey stones.",
        ),
    ],
)
def test_an_option_is_one_whole_sentence(line: str, tidy: str) -> None:
    assert menu.tidy(line) == tidy


@given(st.text(max_size=200))
def test_a_tidy_option_survives_the_way_into_a_story_and_back(line: str) -> None:
    option = menu.tidy(line)
    if option:
        assert "\n" not in option
        assert menu.split(menu.join("Prose here.", [option, "Go."]))[1] == (option, "Go.")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Go inside.", "go inside!", True),
        ("You go inside.", "Go inside.", True),
        ("Go inside.", "Go back.", False),
        ("Ask him what he wants.", "Ask the man what he wants.", True),
        ("Speak to her.", "Talk to her again!", True),
        ("Open the door.", "Open the door slowly.", True),
        ("Open the door.", "Look at the door.", False),
        ("Go up.", "Go down.", False),
        ("Sing to the cat.", "Dance with the cat.", False),
    ],
)
def test_options_are_compared_by_their_words(one: str, other: str, same: bool) -> None:
    assert menu.alike(one, other) is same


def test_without_a_grammar_a_list_is_read_leniently() -> None:
    text = "Sure! Here you go:\n1) Go in\n2) Go in.\n- Run away!\nb. Wait"
    assert menu.parse(text, 3) == ("Go in.", "Run away!", "Wait.")
    assert menu.parse(text, 4) == ()


def test_options_may_be_written_in_any_script() -> None:
    """All letters and digits of all scripts; not the signs between them, nor those that look like letters."""
    every = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    inside = {char for low, high in menu.LETTERS for char in map(chr, range(low, high + 1))}
    letters = set(regex.findall(r"(?V1)[[\p{L}\p{Nd}]--\p{Common}]", every))
    lacking = {unicodedata.name(char, "NEW").split()[0] for char in letters - inside}
    assert lacking <= {"LATIN", "SUPERSCRIPT", "OHM", "KELVIN", "ANGSTROM", "TURNED", "ROMAN", "VERTICAL", "NEW"}
    signs = r"[\p{Cc}\p{Zs}\p{Zl}\p{Zp}\p{Sc}\p{So}]"
    assert not inside & set(regex.findall(signs, every[:0x400] + every[0x2000:0x2BFF]))
    assert not inside & set(map(chr, range(0x1F000, 0x1FB00)))
    assert not inside & set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»“”„…–—、。！？「」")
    unspaced = {char for low, high in menu.UNSPACED for char in map(chr, range(low, high + 1))}
    written = set(regex.findall(rf"(?V1)[{UNSPACED}&&[\p{{L}}]]", every[:0xD800]))
    assert written - unspaced <= {"〻"}
    assert not unspaced & set("azДдאبअ한Ωկ")


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))),
)
def test_ranges_without_others_hold_what_is_left(ranges: list[tuple[int, int]], holes: list[tuple[int, int]]) -> None:
    def members(given: Sequence[tuple[int, int]]) -> set[int]:
        return {number for low, high in given for number in range(low, high + 1)}

    assert members(menu.without(ranges, holes)) == members(ranges) - members(holes)


OFFERED = (
    *("Open the gate.", "Öffne das Tor.", "Wejdź do środka.", "Войти в дом.", "Άνοιξε την πόρτα.", "افتح الباب الآن."),
    *("द्वार को खोलो।", "扉を開ける。", "打开那扇旧门，走进去。", "เปิดประตู", "문을 열고 들어간다.", "פתח את הדלת."),
    *("¿Abrir la puerta?", "Ask him: “Who are you?”", "Va à l'étage.", "გააღე კარი.", "ቤቱን ክፈት።", "Mở cánh cửa."),
    *("20 Münzen zahlen.", "3 монеты отдать.", "3人に話しかける。", "5개의 동전을 준다.", "12-year-old boy: ask him."),
    *("Elenaに話しかける。", "Բացիր դուռը։"),
    *("Sag: „Nein!“", "Demander : « Qui va là ? »", "À gauche, toute !", "Взять ключ (ржавый).", "Ждать.", "اهرب!"),
    *("“누구세요?”라고 묻는다.", "「誰だ？」と尋ねる。", "《古书》拿来读。", "Ρώτα: «Ποιος είναι;»"),
)


@pytest.mark.parametrize("option", OFFERED)
def test_the_grammar_takes_options_in_any_script(option: str, open_engine: Callable[..., LlamaEngine]) -> None:
    """Also in a vocabulary that spells most of their letters by parts."""
    vocab = open_engine().model.vocab
    for story in ("", f"{option} {option}"):
        assert accepted(vocab, menu.grammar(story=story), f" {option}\n") == len(vocab.plain(f" {option}\n"))
    taken = menu.grammar([option])
    assert accepted(vocab, taken, f" {option}\n") < len(vocab.plain(f" {option}"))


@pytest.mark.parametrize(
    "line",
    [
        "<|user|>",
        "[HP: 10]",
        "* * *",
        "open the gate.",
        "Go",
        "Wait",
        "I.",
        "1 Open the gate.",
        "1. Open it.",
        "2)",
        "\N{OLD KEY} Go in.",
        "| a | b",
    ],
)
def test_the_grammar_takes_nothing_else(line: str, open_engine: Callable[..., LlamaEngine]) -> None:
    vocab = open_engine().model.vocab
    assert accepted(vocab, menu.grammar(), f" {line}\n") < len(vocab.plain(f" {line}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "Дверь медленно открывается, и за ней темно.",
        "扉がゆっくりと開き、その向こうは暗く、何も見えなかったので、彼は灯りをつけた。",
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_prose_can_be_asked_for_in_any_script(text: str, begun: bool, open_engine: Callable[..., LlamaEngine]) -> None:
    vocab = open_engine().model.vocab
    said = f" {text}" if begun else text
    assert accepted(vocab, menu.prose_grammar(begun), said) == len(vocab.plain(said))
    assert accepted(vocab, menu.prose_grammar(begun), said[:3] + "\x1b[2J") < len(vocab.plain(said[:3] + "\x1b[2J"))


@pytest.mark.parametrize(
    ("story", "option", "fits"),
    [
        ("You stand before the old door.", "扉を開ける。", False),
        ("You stand before the old door.", "Войти в дом.", False),
        ("You stand before the old door.", "Ask Élodie’s naïve brother.", True),
        ("Ты стоишь у двери.", "Спросить Eleanor.", True),
        ("Ты стоишь у двери.", "Ouvrir la porte.", True),
        ("あなたは扉の前だ。", "扉をノックする！", True),
        ("あなたはルームの前だ。々", "Войти в дом.", False),
        ("…", "Войти в дом.", True),
    ],
)
def test_options_keep_to_the_scripts_of_the_story(
    story: str, option: str, fits: bool, open_engine: Callable[..., LlamaEngine]
) -> None:
    vocab = open_engine().model.vocab
    whole = len(vocab.plain(f" {option}\n"))
    assert (accepted(vocab, menu.grammar(story=story), f" {option}\n") == whole) is fits


def accepted(vocab: Vocabulary, grammar: str, text: str) -> int:
    """How many tokens of the text llama.cpp takes under this grammar."""
    sampler = lib.llama_sampler_init_grammar(vocab.handle, grammar.encode(), b"root")
    assert sampler
    try:
        tokens = vocab.plain(text)
        for count, token in enumerate(tokens):
            one = (lib.llama_token_data * 1)(lib.llama_token_data(token, 0.0, 0.0))
            candidates = lib.llama_token_data_array(one, 1, -1, False)
            lib.llama_sampler_apply(sampler, ctypes.byref(candidates))
            if math.isinf(one[0].logit):
                return count
            lib.llama_sampler_accept(sampler, token)
        return len(tokens)
    finally:
        lib.llama_sampler_free(sampler)


@pytest.mark.parametrize(
    ("line", "code", "tidy"),
    [
        (" 扉を開ける", "ja", "扉を開ける。"),
        (" द्वार को खोलो", "", "द्वार को खोलो।"),
        (" Войти в дом", "ru", "Войти в дом."),
        (" เปิดประตู", "", "เปิดประตู"),
        ("Сказать «да»", "ru", "Сказать «да»."),
        (" Να ανοίξω;", "", "Να ανοίξω;"),
        ("Иди по длинному тёмному коридору мимо всех старых дверей и осторожно открой последнюю из", "ru",
         "Иди по длинному тёмному коридору мимо всех старых дверей."),
    ],
)  # fmt: skip
def test_an_option_is_tidied_as_its_language_has_it(line: str, code: str, tidy: str) -> None:
    assert menu.tidy(line, LANGUAGES.get(code, OTHER)) == tidy


def test_an_option_that_was_broken_off_does_without_its_last_word() -> None:
    assert menu.tidy(" Войти в дом и осмотреть ком", LANGUAGES["ru"], cut=True) == "Войти в дом."
    assert menu.tidy(" Go up the sta", cut=True) == "Go up."
    assert menu.tidy(" 扉を開けて中", LANGUAGES["ja"], cut=True) == "扉を開けて中。"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ты идёшь в дом.", "идёшь в дом!", True),
        ("扉を開ける。", "扉を開ける", True),
        ("扉を開ける。", "窓を閉める。", False),
        ("राम से पूछो।", "मीना से पूछो।", False),
    ],
)
def test_options_are_compared_in_any_script(one: str, other: str, same: bool) -> None:
    assert menu.alike(one, other) is same


@pytest.mark.parametrize(
    "text",
    [
        "He looks up.\n- Who goes there? he asks.\nHe steps aside.",
        "Il lève la tête.\n– Qui va là ?\n\nIl ouvre.",
        "A plate.\nE. Blackwood, keeper of the lamp.\nYou knock.",
        "A plate.\nA. Blackwood, keeper of the lamp.\nYou knock.",
        "You count.\n3. That is all\n4. and more",
        "You count.\n1. That is all.\nYou sit.",
        "Two of them.\nA: Who is it?\nB: Nobody.",
        "He counts.\n1.5 million\n2.5 million",
        "[HP: 10 | Gold: 3]\n[MP: 2]",
    ],
)
def test_one_line_of_dialogue_is_no_list(text: str) -> None:
    assert lists.list_start(text) is None


@pytest.mark.parametrize("text", ["A.\n- Go.\n- Sit", "A.\n1. Go.\n2. Sit", "A.\na) Go.\n\nb) Sit", "A.\n* Go.\n- Sit"])
def test_two_lines_are_a_list(text: str) -> None:
    found = lists.list_start(text)
    assert found is not None and found.sure and found.start == 2


MARKS = (
    "(a) |(b) ", "(1) |(2) ", "1: |2: ", "**1.** |**2.** ", "[1] |[2] ", "Option 1: |Option 2: ", "①|② ",
    "Choice A) |Choice B) ", "1、|2、", "１．|２．", "【1】|【2】", "・|・", "а) |б) ", "١. |٢. ", "一、|二、",
    "→ |→ ", "▶ |▶ ", "☐ |☐ ", "‣ |‣ ", "🔹 |🔹 ", "✔️ |✔️ ", "- [ ] |- [ ] ", "1️⃣ |2️⃣ ", "❶ |❷ ", "⑴|⑵", "I. |II. ",
    "i) |ii) ", "Ⅰ. |Ⅱ. ", "#1 |#2 ", "#1: |#2: ", "1 - |2 - ", "1.) |2.) ", "1º |2º ", "a.- |b.- ", "1/ |2/ ",
    "<1> |<2> ", "{1} |{2} ", "「1」|「2」", "[1]: |[2]: ", "1\\. |2\\. ", "- 1. |- 2. ", "* **1.** |* **2.** ",
    "**Option 1**: |**Option 2**: ",
    "Choice A - |Choice B - ", "Choix 1 : |Choix 2 : ", "Möglichkeit 1: |Möglichkeit 2: ", "선택지 1: |선택지 2: ",
    "विकल्प 1: |विकल्प 2: ", "الخيار 1: |الخيار 2: ", "ก. |ข. ", "أ. |ب. ", "가. |나. ", "ア、|イ、", "甲、|乙、",
)  # fmt: skip


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("options", [("Go in.", "Sit down."), ("敲门。", "离开。")])
def test_lists_are_known_however_their_lines_are_marked(marks: str, options: tuple[str, str]) -> None:
    text = "\n".join(["A hall.", *(mark + option for mark, option in zip(marks.split("|"), options, strict=True))])
    assert menu.split(text) == ("A hall.", options)
    found = lists.list_start(text)
    assert found and (found.start, found.sure) == (7, True)
    assert {lists.may_be_list(text[:end]) for end in range(8, len(text) + 1)} == {7}  # nothing of it is ever shown


@pytest.mark.parametrize(
    "text", ["A bell.\n♪ Oh, the sea.\n♪ Oh, the wind.", "A bell.\n❤️ 10\n💰 3", "Go.\n1/2 cup.\n2/3 cup."]
)
def test_songs_and_a_cards_form_are_no_list(text: str) -> None:
    assert menu.split(text) == (text, ()) and not (lists.list_start(text) or lists.ListStart(0, "", False)).sure


def test_a_list_without_blanks_and_one_in_bold_are_known() -> None:
    assert menu.split("门。\n1.敲门。\n2.离开。") == ("门。", ("敲门。", "离开。"))
    assert menu.split("A hall.\n**1. Go in.**\n**2. Sit.**") == ("A hall.", ("Go in.", "Sit."))


@pytest.mark.parametrize("text", ["A.\n- Who", "A.\n- Who?\n", "A.\n- Who?\n\n-", "A.\n1. Who?\n2"])
def test_a_line_waits_for_what_follows(text: str) -> None:
    found = lists.list_start(text)
    assert found is not None and not found.sure and lists.may_be_list(text) == 2


def test_a_list_is_prose_where_no_options_are_asked_for() -> None:
    assert menu.parted(CARD, 3) == menu.split(CARD)
    assert menu.parted(CARD, 0) == (CARD, ())


def test_a_list_of_one_line_is_speech_unless_one_option_is_asked_for() -> None:
    assert menu.parted("The door opens.\n- Go in.", 1) == ("The door opens.", ("Go in.",))
    assert menu.parted("The door opens.\n- Who goes there?", 2) == ("The door opens.\n- Who goes there?", ())
