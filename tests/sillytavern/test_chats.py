"""Chats beside the functions with which SillyTavern's server reads and writes them."""

from pathlib import Path

from advrepl.exchange import sillytavern
from advrepl.exchange.reading import read
from advrepl.story.tree import Story, Turn
from tests.sillytavern.node import ask
from tests.story.test_editing import save_of

TURNS = [
    Turn(None, "model", "Come\nin!"), Turn(None, "model", "Go away. \u2028"), Turn(0, "user", "I do. 🦊"),
    Turn(2, "model", "Sit."), Turn(2, "model", "Stand.", thoughts="He is tired."),
]  # fmt: skip


def test_sillytavern_reads_our_chats_with_their_takes(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(sillytavern.write(save_of(Story(TURNS, 4))))
    header, *messages = ask("chats.mjs", {"path": str(path)})
    assert (header["user_name"], header["character_name"]) == ("You", "Narrator")
    assert [
        (each["name"], each["is_user"], each["mes"], each.get("swipes"), each.get("swipe_id")) for each in messages
    ] == [
        ("Narrator", False, "Come\nin!", ["Come\nin!", "Go away. \u2028"], 0),
        ("You", True, "I do. 🦊", None, None),
        ("Narrator", False, "Stand.", ["Sit.", "Stand."], 1),
    ]
    assert messages[2]["swipe_info"][1]["extra"]["reasoning"] == messages[2]["extra"]["reasoning"] == "He is tired."


def test_what_sillytavern_writes_is_taken_whole(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    messages = [
        {"name": "Mira", "is_user": False, "is_system": False, "send_date": "2026-03-01T10:00:00.000Z", "mes": f"{at}",
         "extra": {}, "swipe_id": at % 3, "swipes": [f"{at - at % 3 + take}" for take in range(3)],
         "swipe_info": [{"send_date": "", "extra": {}}] * 3}
        if at % 2 else
        {"name": "Tom", "is_user": True, "is_system": False, "send_date": "", "mes": f"I say {at}\u2028", "extra": {}}
        for at in range(400)
    ]  # fmt: skip
    header = {"chat_metadata": {"integrity": "x"}, "user_name": "unused", "character_name": "unused"}
    ask("chats.mjs", {"path": str(path), "write": [header, *messages]})
    (chat,) = read(path)
    save = chat.save("chat")
    story = Story(save.turns, save.head)
    assert [turn.text for turn in story.path_turns()] == [str(each["mes"]).strip() for each in messages]
    assert [len(story.siblings(index)) for index in story.path] == [3 if at % 2 else 1 for at in range(400)]
    assert chat.remarks == [] and (save.scenario.you, save.scenario.narrator) == ("Tom", "Mira")
