"""The languages that the program knows: found by a text, and whole."""

import pytest

from advrepl import AdvreplError
from advrepl.prompt import languages
from advrepl.prompt import options as menu
from advrepl.prompt.languages import LANGUAGES, OTHER, told_in
from advrepl.story.scenario import MAX_OPTIONS


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("You stand before the old door.", "en"),
        ("A hall.", "en"),
        ("Du stehst vor der alten Pforte.", "de"),
        ("Ты стоишь у старой двери, и тебя зовут.", "ru"),
        ("Vous êtes devant la vieille porte et une voix vous appelle.", "fr"),
        ("あなたは古い扉の前に立っている。", "ja"),
        ("Stoisz przed starymi drzwiami.", ""),
        ("Стоиш пред старата врата и чуваш глас.", ""),
        ("Ви стоїте біля старих дверей, і за ними хтось шепоче.", ""),
        ("Estás delante de la vieja puerta y oyes una voz que te llama.", ""),
        ("Sei davanti alla vecchia porta e senti una voce che ti chiama.", ""),
        ("Je staat voor de oude deur en hoort een stem.", ""),
        ("你站在一扇古老的门前，听到里面的声音。", ""),
        ("Στέκεσαι.", ""),
        ("Стражник поднимает голову.", "ru"),
        ("Привет.", "ru"),
        ("Сова сіла на гілку.", ""),
        ("Tu es devant la vieille porte.", "fr"),
        ("Mira leans against the counter, polishing a small brass gear.", "en"),
        ("Du står framför den gamla dörren och väntar.", ""),
        ("Du står foran den gamle døra og venter.", ""),
        ("Ets davant la porta vella i esperes.", ""),
    ],
)
def test_a_text_tells_its_language(text: str, code: str) -> None:
    assert told_in("", text).code == code


def test_the_first_text_that_tells_counts_unless_a_language_was_asked_for() -> None:
    assert told_in("", "Halt!", "Ты стоишь у двери, и тебя зовут.").code == "ru"
    assert told_in("de", "You stand before the old door.").code == "de"


def test_a_language_is_asked_for_by_code_or_name() -> None:
    assert [languages.code(name) for name in ("RU", "russian", "auto")] == ["ru", "ru", ""]
    with pytest.raises(AdvreplError, match=r"there is no language 'klingon' to tell in: use en \(English\), ru"):
        languages.code("klingon")


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_has_more_options_of_its_own_than_a_menu(code: str) -> None:
    language = LANGUAGES[code]
    for number, spare in enumerate(language.spare):
        assert not menu.among(spare, language.spare[:number]), spare
        assert menu.tidy(spare, language) == spare
    assert len(language.spare) > MAX_OPTIONS
    assert told_in("", " ".join(language.spare)).code in (code, "")


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_nothing_of_another_language_is_english(code: str) -> None:
    english, language = LANGUAGES["en"], LANGUAGES[code]
    for field in ("name_is", "persona_of", "persona", "example", "spare", "lengths"):
        said = getattr(language, field)
        assert said and said != getattr(english, field)
    assert not set(language.statements) & set(english.statements) - {"Es", "Die", "Was"}
    assert all("{you}" in text for text in (language.name_is, language.persona_of))


def test_a_language_that_is_not_known_is_another() -> None:
    assert told_in("xx", "A house.") is OTHER
