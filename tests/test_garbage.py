"""When rings of garbage are looked for, in the real program."""

import json
import sys
from pathlib import Path

import pytest

from advrepl import garbage
from tests.faults.program import Place

# At its end it writes how many objects were set aside, at how many new ones Python looks, and at how many it looked.
COUNTING = """
import atexit, gc, json
looked = []
gc.callbacks.append(lambda phase, info: looked.append(gc.get_threshold()[0]) if phase == "start" else None)
told = lambda: json.dumps([gc.get_freeze_count(), gc.get_threshold()[0], looked])
atexit.register(lambda: open({path!r}, "w").write(told()))
pass"""


@pytest.mark.skipif(sys.platform == "win32", reason="starts as the tests of faults do")
def test_the_start_is_not_looked_through_and_what_comes_in_play_is(tmp_path: Path) -> None:
    place, told = Place(tmp_path), tmp_path / "told"
    process = place.start(prelude=COUNTING.format(path=str(told)))
    for line in ("go in", "/help", "look around", "/context", "take it"):
        process.say(line)
    assert process.until("reply", 4)
    assert process.end() == 0
    kept, at, looked = json.loads(told.read_text())
    assert kept > 50_000
    assert at == garbage.IN_PLAY
    assert garbage.AT_START not in looked
