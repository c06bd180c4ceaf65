"""The model's own summary: written, changed, dropped, and there only with the turns that it tells of."""

from advrepl.play.events import Draft
from advrepl.play.game import Game
from advrepl.story import editing, saves, summaries
from advrepl.story.injections import RECAP
from advrepl.story.summaries import Summary
from advrepl.story.tree import Story, Turn
from advrepl.terminal import commands
from tests.conftest import ScriptedEngine
from tests.story.test_editing import save_of
from tests.terminal.commands.conftest import CELLAR, refused, told


def test_a_summary_is_the_models_until_it_is_changed(game: Game) -> None:
    assert refused(game, "/recap drop") == "there is no summary: /recap write lets the model write one"
    engine = game.engine
    assert isinstance(engine, ScriptedEngine)
    engine.replies[:0] = ["You came to a house. It was dark. And"]
    said = told(game, "/recap write").split("\n")
    assert said == [
        "summary up to turn 4, in the model's own words, which may be wrong; /recap edit and /recap drop change it:",
        "You came to a house. It was dark.",
    ]
    assert "what has happened so far" in engine.prompts[-1]
    assert told(game, "/recap").split("\n")[:2] == said
    (draft,) = commands.run(game, "/recap edit")
    assert isinstance(draft, Draft) and draft.line == "/recap edit You came to a house. It was dark."
    assert told(game, "/recap edit You came to a barn.").startswith("summary up to turn 4, as you changed it;")
    list(game.act("Climb the stairs."))
    assert game.story.path_turns()[-2].injections[RECAP] == "In the narrator's own words: You came to a barn."
    assert saves.load(game.file.path).summaries == (Summary(3, "You came to a barn.", edited=True),)


def test_a_summary_goes_with_its_turns(game: Game) -> None:
    told(game, "/recap edit You came to a house.")
    list(game.act("Shout."))
    told(game, "/recap drop")
    assert "summary" not in told(game, "/recap")
    game.undo()
    assert "You came to a house." in told(game, "/recap"), "it was dropped from a later turn on"
    list(commands.run(game, "/goto 2"))
    assert "summary" not in told(game, "/recap")
    assert CELLAR[0] in [turn.text.split("\n")[0] for turn in game.story.turns]


def test_a_deletion_takes_a_summary_along() -> None:
    story = Story([Turn(None, "model", "A house."), Turn(0, "user", "in"), Turn(0, "user", "out")], 2)
    save = save_of(story, summaries=(Summary(0, "a"), Summary(1, "b"), Summary(2, "c")))
    assert editing.without(save, story, 1).summaries == (Summary(0, "a"), Summary(1, "c"))
    assert summaries.told(save.summaries, story) == "In the narrator's own words: c"


def test_an_exact_story_asks_the_model_nothing_while_one_reads(game: Game) -> None:
    game.state.replace(played=saves.PlayedWith(exact=True))
    for line in ("/recap on", "/inventory told"):
        assert "with --exact nothing follows from how long that takes: use one of the two" in refused(game, line)
    assert not game.state.save.recap and game.state.save.carried != "told"
    list(game.act("Climb the stairs."))
