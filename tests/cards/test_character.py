"""Characters: the names they go by, what of them is saved, and those that come with the program."""

from advrepl.cards.character import Character, shipped
from advrepl.cards.read import load_card
from advrepl.cards.spec import V1


def test_a_nickname_stands_for_the_name() -> None:
    assert (Character("Ada").char, Character("Ada", nickname="Addie").char) == ("Ada", "Addie")


def test_a_save_holds_of_the_card_what_the_play_needs() -> None:
    note = {"prompt": "Stay calm.", "depth": 2}
    raw = {"data": {"name": "Ada", "extensions": {"depth_prompt": note, "other": 1}}}
    saved = Character("Ada", creator_notes="n", raw=raw).for_save()
    assert saved == Character("Ada", creator_notes="n", raw={"data": {"extensions": {"depth_prompt": note}}})
    assert (saved.depth_prompt, Character("Ada", raw={"data": 7}).for_save().depth_prompt) == (note, {})


def test_the_shipped_characters_are_whole() -> None:
    found = shipped()
    assert sorted(found) == ["brindle", "captain-okoro", "halcyon"]
    for path in found.values():
        character, notes = load_card(path)
        assert notes == []
        assert character.raw["data"]["extensions"]["advrepl"]["license"] == "CC0-1.0"
        for field in (*V1, "creator_notes"):
            assert len(getattr(character, field)) > 5
        assert character.alternate_greetings and character.mes_example.count("<START>") == 2
        assert len(character.description + character.mes_example) < 2400  # a third of a context of 2,048 tokens
    book = load_card(found["brindle"])[0].book
    assert book and len(book["entries"]) == 6 and all(entry["keys"] for entry in book["entries"])
