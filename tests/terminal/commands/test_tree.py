"""The commands for takes and branches."""

from advrepl.play.events import Draft, Reply
from advrepl.play.game import Game
from advrepl.terminal import commands
from tests.terminal.commands.conftest import drawn, refused, told


def test_takes_are_listed_and_read(game: Game) -> None:
    list(commands.run(game, "/retry"))
    assert drawn(game, "/takes") == ["  1  You stand in a hall.", "* 2  You fall into a cellar."]
    assert told(game, "/takes").startswith(
        "take 1: You stand in a hall.\ntake 2, the one that is read: You fall into a cellar.\ntakes of turn 5;"
    )
    *_, reply = commands.run(game, "/takes 5 1")
    assert isinstance(reply, Reply)
    assert (reply.text, reply.options) == ("You stand in a hall.", ("Climb the stairs.", "Open the door.", "Shout."))
    assert refused(game, "/takes 5 3") == "turn 5 has 2 takes, so 1 to 2, not 3"
    assert refused(game, "/takes 9").startswith("there is no turn 9: there are 1 to 5,")


def test_an_edit_without_words_begins_the_line(game: Game) -> None:
    (draft,) = commands.run(game, "/edit 3")
    assert isinstance(draft, Draft) and draft.line == "/edit 3 Go in." and draft.text.startswith("turn 3: Go in.\n")
    assert told(game, "/edit 3 Sneak in.").startswith("turn 3 is changed: it is turn 5 now, take 2 of 2\n> Sneak in.")
    assert [turn.text for turn in game.story.path_turns()][2] == "Sneak in."
    told(game, "/edit You stand in a hall of mirrors.")
    assert game.story.last and game.story.last.text.startswith("You stand in a hall of mirrors.\n- Climb the stairs.")
    assert game.options() == ("Climb the stairs.", "Open the door.", "Shout."), "what it offers stays on offer"
    assert refused(game, "/edit You stand in a hall of mirrors.").endswith("says that already")
    told(game, "/edit A cellar.\n- Dig.\n- Sleep.")
    assert game.options() == ("Dig.", "Sleep.")


def test_the_tree_is_drawn_with_what_it_costs_to_go_there(game: Game) -> None:
    list(commands.run(game, "/retry"))
    told(game, "/branch below")
    told(game, "/goto 4")
    assert drawn(game, "/tree") == [
        "● 1-3  > Start!  (3 turns)",
        "│ ○ 5  You fall into a cellar.  (2 takes, 18 tokens to read, main, below)",
        "● 4    You stand in a hall.  (2 takes)",
    ]
    assert told(game, "/tree").split("\n") == [
        "turns 1-3: > Start!  (3 turns)",
        "turn 5, not on the path that is read, branch of level 1: "
        "You fall into a cellar.  (2 takes, 18 tokens to read, main, below)",
        "turn 4: You stand in a hall.  (2 takes)",
    ]
    assert told(game, "/branch").startswith("main: turn 5: ") and drawn(game, "/branch")[0].startswith("  main ")
    *_, reply = commands.run(game, "/goto below")
    assert isinstance(reply, Reply) and reply.text == "You fall into a cellar."
    assert refused(game, "/goto above").startswith("there is no turn above")


def test_search_looks_through_all_takes(game: Game) -> None:
    list(commands.run(game, "/retry"))
    assert drawn(game, "/search HALL") == ["  4  You stand in a hall. - Climb the stairs. - Open…"]
    assert told(game, "/search HALL") == (
        "turn 4: You stand in a hall. - Climb the stairs. - Open…\n"
        "1 turn with it, * on the path that is read; /goto TURN goes there"
    )
    assert told(game, "/search dragons") == "no turn has 'dragons'"


def test_a_branch_is_only_deleted_after_asking(game: Game) -> None:
    assert told(game, "/delete -1") == (
        "this removes 1 turn for good, from turn 4 on: You stand in a hall.\n/delete 4 yes does it"
    )
    assert len(game.story.turns) == 4
    told(game, "/delete 4 yes")
    assert len(game.story.turns) == 3 and game.story.head == 2
    list(commands.run(game, "/retry"))


def test_undo_and_redo(game: Game) -> None:
    told(game, "/undo")
    *_, reply = commands.run(game, "/redo")
    assert isinstance(reply, Reply) and reply.text == "You stand in a hall."
    assert refused(game, "/redo") == "nothing follows here: there is nothing to do again"
