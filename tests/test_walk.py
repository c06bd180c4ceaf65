"""The README is walked in a clean clone: what it tells to type is typed, by somebody who has only the small model."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What takes weights of gigabytes, the network, another machine or minutes; where each is tested instead.
ELSEWHERE = {
    "make": "test_package.py, test_program.py, CI",
    "advrepl pull": "cli/test_pull.py, on a server that speaks the hub's protocol",
    "advrepl play -m": "engines/, cli/test_play.py",
    "advrepl convert": "cli/test_weights.py, convert/",
    "advrepl decode": "cli/test_weights.py, convert/decode/",
    "advrepl judge": "tuning/test_judge.py",
    "advrepl bench": "tuning/test_bench.py",
    "advrepl tune": "tuning/test_search.py",
    "advrepl serve": "cli/test_serve.py",
    "advrepl card show |": "cli/test_card.py",
    "advrepl saves import": "cli/test_exchange.py",
    "advrepl play CARD.png": "cli/test_home.py",
    "advrepl size": "tuning/test_sizing.py",
    "advrepl play start --lore": "lore/",
    "advrepl play start --ban": "prompt/test_bans.py",
    "$ printf": "terminal/test_pipe.py",
}
# What is typed for a line of the README that leaves something open.
TYPED = {
    "advrepl play [start | lighthouse | night-train]": ["advrepl play lighthouse", "advrepl play night-train"],
    "advrepl resume [NAME]": ["advrepl resume"],
    "advrepl saves list | show NAME | rename NAME NEW | check | delete NAME": [
        "advrepl saves list",
        "advrepl saves show lighthouse",
        "advrepl saves rename lighthouse storm",
        "advrepl saves check",
        "advrepl saves delete storm --yes",
    ],
    "advrepl saves export NAME --as sillytavern": ["advrepl saves export the-old-house --as sillytavern"],
    "advrepl config [NAME VALUE]": ["advrepl config theme light", "advrepl config"],
    "advrepl play brindle": ["advrepl play brindle", "advrepl brindle"],
}


def lines() -> list[str]:
    """The command lines of the README's blocks, without what is said of them."""
    found = [line for block in BLOCK.findall((ROOT / "README.md").read_text()) for line in block.split("\n")]
    found = [re.split(r"  +|\s+#", line)[0].strip() for line in found]
    return [line for line in dict.fromkeys(found) if line]


def is_elsewhere(line: str) -> bool:
    return any(line.startswith(each) for each in ELSEWHERE)


def test_each_line_of_the_readme_is_one_that_can_be_typed_or_is_tested_elsewhere() -> None:
    assert all(line.startswith(("advrepl", "make", "$ printf")) for line in lines())
    assert set(TYPED) <= set(lines()), "a line of the README was changed"
    for begin in ELSEWHERE:
        assert any(line.startswith(begin) for line in lines()), begin
    places = [
        place.strip() for each in ELSEWHERE.values() for place in each.split(",") if "/" in place or ".py" in place
    ]
    assert all((ROOT / "tests" / place).exists() for place in places)


@pytest.mark.slow
def test_the_readme_can_be_walked_in_a_clean_clone(tmp_path: Path) -> None:
    clone = tmp_path / "advrepl"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {"PYTHONPATH": str(clone), "ADVREPL_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    for line in lines():
        for typed in [] if is_elsewhere(line) else TYPED.get(line, [line]):
            words = [sys.executable, "-m", *shlex.split(typed)]
            short = ["--max-tokens", "8", "--seed", "1"] if re.match(r"advrepl (play|resume|brindle)\b", typed) else []
            short = [] if {"--help", "-h"} & set(words) else short
            answer = "1\n/quit\n" if short else ""
            done = subprocess.run(
                [*words, *short], cwd=clone, env=environment, input=answer, capture_output=True, text=True
            )
            assert done.returncode == 0 and done.stdout, f"{typed}: {done.stderr}"
            assert "Traceback" not in done.stderr, f"{typed}: {done.stderr}"
    left = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert not [line for line in left.stdout.splitlines() if " M " in line[:3] or " D " in line[:3]], left.stdout
