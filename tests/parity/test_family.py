"""The two of the family that llama.cpp cannot play, played for a turn from their folders."""

import json
from pathlib import Path

import pytest

from tests.convert.test_family import MEMBERS, Member, publish
from tests.terminal.test_pipe import Program

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("member", [m for m in MEMBERS if not m.converts], ids=lambda member: member.folder)
def test_a_folder_is_played_as_it_is(member: Member, tmp_path: Path) -> None:
    folder = publish(member, tmp_path)
    code, out, err = Program(tmp_path).play("-m", str(folder), "--json", lines=b"look around\n")
    assert code == 0, err
    ready, *rest = map(json.loads, out.splitlines())
    replies = [event for event in rest if event["event"] == "reply"]
    assert ready["format"] == member.format and len(replies) == 2 and replies[1]["stats"]["generated"] > 0
