"""The docs are walked: what they tell to type is typed, by somebody who has only the small model.

What another program or a module of the tests takes is looked at in test_readme.py.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT, docs_commands

# What takes weights of gigabytes, the network, another machine or minutes; where each is tested instead.
ELSEWHERE = {
    "advrepl pull": "cli/test_pull.py, on a server that speaks the hub's protocol",
    "advrepl play -m": "engines/, cli/test_play.py",
    "advrepl convert": "cli/test_weights.py, convert/",
    "advrepl decode": "cli/test_weights.py, convert/decode/",
    "advrepl judge": "tuning/test_judge.py",
    "advrepl bench": "tuning/test_bench.py",
    "advrepl tune": "tuning/test_search.py",
    "advrepl serve": "cli/test_serve.py",
    "advrepl saves import": "cli/test_exchange.py",
    "advrepl play CARD.png": "cli/test_home.py",
    "advrepl CARD.png": "cli/test_home.py",
    "advrepl FILE.gguf": "cli/test_home.py",
    "advrepl play zoe": "cli/test_home.py",
    "advrepl size": "tuning/test_sizing.py",
    "advrepl play start --lore": "lore/",
    "advrepl play start --ban": "prompt/test_bans.py",
    "advrepl play --encrypt": "play/test_encrypted.py",
    "advrepl saves passphrase": "cli/test_passphrases.py",
    "advrepl saves replay": "play/test_replay.py",
    "advrepl saves share": "play/test_shared.py",
    "advrepl --install-completion": "cli/test_completion.py",
}
# What is typed for a line that leaves something open.
TYPED = {
    "advrepl play [start | lighthouse | night-train]": ["advrepl play lighthouse", "advrepl play night-train"],
    "advrepl resume [NAME]": ["advrepl resume"],
    "advrepl resume NAME": ["advrepl resume night-train"],
    "advrepl saves list | show NAME | rename NAME NEW | check | delete NAME": [
        "advrepl saves list",
        "advrepl saves show lighthouse",
        "advrepl saves rename lighthouse storm",
        "advrepl saves check",
        "advrepl saves delete storm --yes",
    ],
    "advrepl saves check NAME": ["advrepl saves check night-train"],
    "advrepl saves export NAME --as sillytavern": ["advrepl saves export the-old-house --as sillytavern"],
    "advrepl config [NAME VALUE]": ["advrepl config theme light", "advrepl config"],
    "advrepl play brindle": ["advrepl play brindle", "advrepl brindle"],
    "advrepl card show | export": ["advrepl card show brindle", "advrepl card export brindle brindle.json"],
    "advrepl card export": ["advrepl card export brindle brindle.png"],
    "advrepl COMMAND": ["advrepl --help"],
    "advrepl COMMAND -h": ["advrepl play -h"],
}
SHORT = " --max-tokens 8 --seed 1 --threads 1"


def lines() -> list[str]:
    """The lines of all pages that run the program, the README's first."""
    return list(dict.fromkeys(line for _, line in docs_commands.of("advrepl", "printf")))


def is_elsewhere(line: str) -> bool:
    return any(line.startswith(each) for each in ELSEWHERE)


def words_of(typed: str) -> list[str]:
    """The program as the shell would run it, with short replies."""
    plays = re.match(r".*advrepl (play|resume|brindle)\b(?!.*(-h|--help)$)", typed)
    python = f"{shlex.quote(sys.executable)} -m advrepl"
    return ["sh", "-c", re.sub(r"\badvrepl\b", lambda _: python, typed, count=1) + (SHORT if plays else "")]


def test_each_line_of_the_docs_is_one_that_can_be_typed_or_is_tested_elsewhere() -> None:
    assert set(TYPED) <= set(lines()), "a line of the docs was changed"
    for begin in ELSEWHERE:
        assert any(line.startswith(begin) for line in lines()), begin
    left_open = [line for line in lines() if re.search(r"\b[A-Z]{4,}\b|\||…", line) and "printf" not in line]
    assert not [line for line in left_open if line not in TYPED and not is_elsewhere(line)]
    places = [
        place.strip() for each in ELSEWHERE.values() for place in each.split(",") if "/" in place or ".py" in place
    ]
    assert all((ROOT / "tests" / place).exists() for place in places)


def walk(folder: Path, *, playing: bool) -> None:
    """Type the lines in a clean clone; those that play a story only if that is asked for."""
    clone = folder / "advrepl"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {"PYTHONPATH": str(clone), "ADVREPL_HOME": str(folder / "home"), "HOME": str(folder)}
    for name in () if playing else ("lighthouse", "night-train"):
        shutil.copy(clone / "saves" / "the-old-house.json", clone / "saves" / f"{name}.json")
    for line in lines():
        for typed in [] if is_elsewhere(line) else TYPED.get(line, [line]):
            words = words_of(typed)
            if SHORT in words[-1] and not playing:
                continue
            answer = "1\n/quit\n" if SHORT in words[-1] else ""
            done = subprocess.run(words, cwd=clone, env=environment, input=answer, capture_output=True, text=True)
            assert done.returncode == 0 and done.stdout, f"{typed}: {done.stderr}"
            assert "Traceback" not in done.stderr, f"{typed}: {done.stderr}"
    left = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert not [line for line in left.stdout.splitlines() if " M " in line[:3] or " D " in line[:3]], left.stdout


def test_what_only_shows_something_can_be_typed_in_a_clean_clone(tmp_path: Path) -> None:
    walk(tmp_path, playing=False)


@pytest.mark.slow
def test_the_docs_can_be_walked_in_a_clean_clone(tmp_path: Path) -> None:
    walk(tmp_path, playing=True)
