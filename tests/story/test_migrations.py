"""Saves of older schemas: read, played on as before, and written in the present one.

The saves in golden/schema-1 were written by the last build of that schema, and so were the prompts beside them:
NAME.txt is what the model is shown of the story, NAME.next.txt the same after some lines more. Both were played on the
engine of tests/musing.py, which says what follows from the prompt and the seed alone. Since then the rules for lore
have changed: what it rolls is new in each turn and stands in the head no longer, and what an entry lets another say is
said by that one; the prompts of "roleplay" were written anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.lore.entries import Entry
from advrepl.play.game import Game
from advrepl.prompt.formats import FORMATS
from advrepl.story import save_file, saves
from advrepl.story.migrations import LORE_ENTRY, MIGRATIONS, to_2
from advrepl.terminal import commands
from advrepl.terminal.lines import understood
from tests.deterministic_engine import DeterministicEngine

GOLDEN = Path(__file__).with_name("golden") / "schema-1"
N_CTX = {"adventure": 2000, "roleplay": 3000, "slid": 260}
LINES = {
    "adventure": ("1", "/note 2 It is getting late, {{user}}.", "I whistle.", "/retry", "3"),
    "roleplay": (
        "The river and the crow, please.",
        "/you Bea: a smith {{roll:d20}} {{char}} owes money",
        "And the wolf at the bridge?",
        "/retry",
        "/memory {{getvar::gold}} and {{incvar::gold}} coins",
        "The inn of the ferry, tonight.",
    ),
    "slid": ("I wait for the tide.", "/undo", "I look at the lamp.", "I go on."),
}


def written(name: str) -> dict[str, Any]:
    """A save as it was written under schema 1."""
    plain: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_bytes())
    return plain


def opened(path: Path, n_ctx: int) -> Game:
    file = save_file.SaveFile(path)
    save, _ = file.load()
    return Game(DeterministicEngine(n_ctx), FORMATS[save.format], save, file)


@pytest.fixture(params=list(LINES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def game(name: str, tmp_path: Path) -> Iterator[Game]:
    path = tmp_path / f"{name}.json"
    path.write_bytes((GOLDEN / path.name).read_bytes())
    game = opened(path, N_CTX[name])
    yield game
    game.close()


def play(game: Game, *lines: str) -> None:
    for line in lines:
        taken = understood(line, game.options())
        list(commands.run(game, taken.text) if taken.is_command else game.act(taken.text))


def prompt(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text()


def test_the_model_is_shown_the_same(game: Game, name: str) -> None:
    raw = next(iter(commands.run(game, "/raw")))
    assert raw.text == prompt(name)  # type: ignore[union-attr]


def test_lore_that_was_rolled_for_the_head_leaves_it_and_what_was_picked_stays(tmp_path: Path) -> None:
    path = tmp_path / "roleplay.json"
    path.write_bytes((GOLDEN / path.name).read_bytes())
    assert "foggy here.\nThere is a war, Ann.\nThe moon is new." in written("roleplay")["scenario"]["lore"]
    game = opened(path, 3000)
    assert game.scenario.lore == "There is a war, Ann.\nThe moon is new."
    assert game.context.notes == ["the lore that always applies was put together anew: the whole prompt is read once"]
    game.close()


def test_the_story_goes_on_as_it_would_have(game: Game, name: str) -> None:
    play(game, *LINES[name])
    assert str(game.window().prompt) == prompt(f"{name}.next")


def test_it_is_written_in_the_present_schema(game: Game, name: str) -> None:
    old, before = written(name), game.state.save
    game.save()
    new = json.loads(game.file.path.read_bytes())
    assert new["schema"] == saves.SCHEMA and len(new["turns"]) == len(old["turns"]) and new["head"] == old["head"]
    for here, there in (("window_start", "first"), ("macro_values", "bound"), ("rng_seed", "luck")):
        assert new.get(here) == old.get(there)
    assert new.get("card_path") == old.get("card")
    assert new.get("sampling") == old.get("sampling") and new.get("character") == old.get("character")
    game.file.close()
    again = opened(game.file.path, N_CTX[name])
    assert again.state.save == msgspec.structs.replace(before, updated=again.state.save.updated)
    assert str(again.window().prompt) == prompt(name)


def test_what_was_chosen_stays(tmp_path: Path) -> None:
    path = tmp_path / "adventure.json"
    path.write_bytes((GOLDEN / path.name).read_bytes())
    game = opened(path, 2000)
    sampling = game.sampling
    assert (sampling.temperature, sampling.repeat_penalty, sampling.seed) == (0.65, 1.07, 7)
    assert (sampling.typical_p, sampling.repeat_last_n, sampling.xtc_probability) == (0.9, 128, 0.2)
    assert (sampling.dry_multiplier, sampling.dry_allowed_length) == (0.8, 3)
    assert game.option_count == 2 and len(game.story.siblings(3)) == 2
    game.close()


def test_sources_and_lore_state_have_their_new_names() -> None:
    plain, old = to_2(written("roleplay")), written("roleplay")
    assert list(plain["scenario"]["injections"]) == ["post_history", "depth_prompt", "note"]
    told = [list(turn.get("injections", {})) for turn in plain["turns"]]
    assert told[2] == ["lore 0.1", "lore 0.0", "lore 1.5", "post_history", "depth_prompt"]
    assert plain["lore_state"] == old["lore"] and plain["scenario"]["lore"] == old["scenario"]["lore"]


def test_lore_entries_have_the_names_of_their_specifications() -> None:
    old = {name for book in written("roleplay")["books"] for entry in book["entries"] for name in entry}
    new = {name for book in to_2(written("roleplay"))["books"] for entry in book["entries"] for name in entry}
    assert set(LORE_ENTRY) <= old and new == {LORE_ENTRY.get(name, name) for name in old}
    assert set(LORE_ENTRY.values()) <= set(Entry.__struct_fields__)
    first = to_2(written("roleplay"))["books"][0]["entries"][0]
    assert first["secondary_keys"] == ["ferry"] and first["selective_logic"] == "all" and first["prevent_recursion"]
    # A card's own lorebook is kept as the card has it.
    assert to_2(written("roleplay"))["character"]["book"] == written("roleplay")["character"]["book"]


def test_a_migration_leaves_the_old_save_alone() -> None:
    plain, before = written("roleplay"), written("roleplay")
    to_2(plain)
    assert plain == before


# Few words, as those of all Unicode take seconds to prepare.
WORDS = st.sampled_from(["", "x", "entries", "text", "parent", "before", "reminders", "last words"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["scenario", "turns", "books", "lore", "first", "head", "card"]), JSON))
def test_a_damaged_save_is_still_told_in_one_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(AdvreplError, match=r"^x is damaged: .+"):
        saves.parse(json.dumps({"schema": 1, **fields}).encode(), "x")


@given(st.sampled_from(["scenario", "turns", "books", "first", "bound"]), JSON)
def test_one_wrong_field_is_named_or_read(field: str, value: Any) -> None:
    try:
        saves.parse(json.dumps(written("roleplay") | {field: value}).encode(), "x")
    except AdvreplError as error:
        assert str(error).startswith("x is damaged: ")


def test_every_schema_has_its_migration() -> None:
    assert len(MIGRATIONS) + 1 == saves.SCHEMA
    for number, migrate in enumerate(MIGRATIONS, 1):
        assert migrate({"schema": number})["schema"] == number + 1
