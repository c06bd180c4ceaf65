"""The docs are walked: what they tell to type is typed, by somebody who has only the small model.

What another program or a module of the tests takes is looked at in test_readme.py. What is slow is run by `make
test-long`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import ROOT, docs_commands
from tests.convert import small_family as family
from tests.hub_server import serving

# What serves, asks another machine, or changes the shell; where each is tested instead.
ELSEWHERE = {
    "advrepl play -m http://HOST:PORT": "engines/remote/, play/test_on_server.py",
    "advrepl bench -m http://": "tuning/test_bench_server.py",
    "advrepl serve": "cli/test_serve.py",
    "advrepl saves replay LINE": "play/test_shared.py",
    "advrepl --install-completion": "cli/test_completion.py",
}
# The family: typed in a folder where small models lie under the names of the large ones.
MODELS = re.compile(r"advrepl (pull|convert|decode|judge F16|play -m (?!http))")
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
    "advrepl saves import FILE | FOLDER": ["advrepl saves import chat.jsonl", "advrepl saves import chats"],
    "advrepl play start --lore WORLD.json": ["advrepl play start --lore WORLD.json"],
    "advrepl play start --ban WORN.txt": ["advrepl play start --ban WORN.txt"],
    "advrepl play CARD.png": ["advrepl play CARD.png"],
    "advrepl CARD.png": ["advrepl CARD.png"],
    "advrepl FILE.gguf": ["advrepl FILE.gguf"],
    "advrepl size MODEL --players 4": ["advrepl size FILE.gguf --players 4"],
    "advrepl saves share NAME": ["advrepl saves share shown"],
    "advrepl saves replay NAME": ["advrepl play start --exact --save shown", "advrepl saves replay shown"],
    "advrepl saves passphrase NAME": ["advrepl saves passphrase story"],
    "advrepl saves export NAME --as sillytavern": ["advrepl saves export the-old-house --as sillytavern"],
    "advrepl config [NAME VALUE]": ["advrepl config theme light", "advrepl config"],
    "advrepl play brindle": ["advrepl play brindle", "advrepl brindle"],
    "advrepl card show | export": ["advrepl card show brindle", "advrepl card export brindle brindle.json"],
    "advrepl card export": ["advrepl card export brindle brindle.png"],
    "advrepl COMMAND": ["advrepl --help"],
    "advrepl COMMAND -h": ["advrepl play -h"],
    "advrepl pull OWNER/NAME:Q5_K_M": ["advrepl pull owner/story:Q5_K_M"],
    "advrepl pull NAME": ["advrepl pull smollm2-1.7b"],
    "advrepl pull": ["advrepl pull -h"],
    "advrepl decode": ["advrepl decode -h"],
    "advrepl judge": ["advrepl judge -h"],
    "advrepl play -m FILE.gguf": ["advrepl play -m FILE.gguf"],
    "advrepl judge F16.gguf FILE.gguf --on SAVE": ["advrepl judge F16.gguf FILE.gguf --on the-old-house"],
    "advrepl judge F16.gguf FILE.gguf... --on SAVE": ["advrepl judge F16.gguf FILE.gguf Q4.gguf --on the-old-house"],
}
SHORT = " --max-tokens 8 --seed 1 --threads 1"
# What a reader without a model does not get to.
NEEDS = re.compile(r"\.(png|gguf|jsonl)|chats|shown|zoe|passphrase|advrepl (tune|bench|size)")


def lines() -> list[str]:
    """The lines of all pages that run the program, the README's first."""
    return list(dict.fromkeys(line for _, line in docs_commands.of("advrepl", "printf")))


def is_elsewhere(line: str) -> bool:
    return any(line.startswith(each) for each in ELSEWHERE)


def words_of(typed: str) -> list[str]:
    """The program as the shell would run it, with short replies."""
    plays = re.match(r".*advrepl (play|resume|brindle|\S+\.(png|gguf))\b(?!.*(-h|--help)$)", typed)
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


def cloned(folder: Path) -> tuple[Path, dict[str, str]]:
    """A clean clone, and the environment of somebody who has just made it."""
    clone = folder / "advrepl"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {"PYTHONPATH": str(clone), "ADVREPL_HOME": str(folder / "home"), "HOME": str(folder)}
    return clone, environment


def typed_in(clone: Path, environment: dict[str, str], typed: str, answer: str = "1\n/quit\n", code: int = 0) -> str:
    """Type a line there; what it says."""
    words = words_of(typed)
    answer = answer if SHORT in words[-1] or typed.startswith("make") else ""
    done = subprocess.run(words, cwd=clone, env=environment, input=answer, capture_output=True, text=True)
    assert done.returncode == code and done.stdout + done.stderr, f"{typed}: {done.stdout[-2000:]} {done.stderr}"
    assert "Traceback" not in done.stderr, f"{typed}: {done.stderr}"
    return done.stdout + done.stderr


def walk(folder: Path, model: Path | None = None) -> None:
    """Type the lines but for those of the family; those that play a story only with a model for them."""
    clone, environment = cloned(folder)
    if model:
        environment |= {"ADVREPL_MODEL": str(model), "ADVREPL_PASSPHRASE": "old", "ADVREPL_NEW_PASSPHRASE": "new"}
        bring(clone, folder / "home", model, lambda typed: typed_in(clone, environment, typed))
    for name in () if model else ("lighthouse", "night-train"):
        shutil.copy(clone / "saves" / "the-old-house.json", clone / "saves" / f"{name}.json")
    for line in lines():
        for typed in [] if is_elsewhere(line) or MODELS.match(line) else TYPED.get(line, [line]):
            if model or not (SHORT in words_of(typed)[-1] or NEEDS.search(typed)):
                typed_in(clone, environment, typed)
    left = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert not [line for line in left.stdout.splitlines() if " M " in line[:3] or " D " in line[:3]], left.stdout


def bring(clone: Path, home: Path, model: Path, type_line: Callable[[str], object]) -> None:
    """Put there what the lines speak of as the reader's own: a card, a lorebook, chats, a model."""
    type_line("advrepl card export brindle CARD.png")
    (home / "characters").mkdir(parents=True, exist_ok=True)
    shutil.copy(clone / "CARD.png", home / "characters" / "zoe.png")
    world = {"entries": {"0": {"uid": 0, "key": ["house"], "content": "The house has no cellar.", "order": 100}}}
    (clone / "WORLD.json").write_text(json.dumps(world))
    (clone / "WORN.txt").write_text("a shiver down your spine\n")
    (clone / "FILE.gguf").symlink_to(model)
    type_line("advrepl saves export the-old-house --as sillytavern")
    (clone / "chats").mkdir()
    chat = (clone / "the-old-house.jsonl").rename(clone / "chat.jsonl")
    shutil.copy(chat, clone / "chats" / "another.jsonl")


def test_what_only_shows_something_can_be_typed_in_a_clean_clone(tmp_path: Path) -> None:
    walk(tmp_path)


@pytest.mark.slow
def test_the_docs_can_be_walked_in_a_clean_clone(tmp_path: Path, shallow: Path) -> None:
    walk(tmp_path, shallow)


@pytest.mark.slow
def test_the_way_to_a_real_model_can_be_walked(tmp_path: Path, shallow: Path) -> None:
    """Every line of it in its order: fetched from a hub of the tests, decoded, converted, played."""
    clone, environment = cloned(tmp_path)
    with serving() as hub:
        hub.repos |= {
            "TheBloke/Pygmalion-2-7B-GGUF": {"pygmalion-2-7b.Q4_K_M.gguf": shallow.read_bytes()},
            "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF": {"smollm2-1.7b-instruct-q4_k_m.gguf": shallow.read_bytes()},
            "owner/story": {"story.Q5_K_M.gguf": shallow.read_bytes(), "story.Q8_0.gguf": b"GGUF"},
        }
        environment |= {"HF_ENDPOINT": hub.url}
        for name in ("F16", "FILE", "Q4"):
            (clone / f"{name}.gguf").symlink_to(shallow)
        for line in filter(MODELS.match, lines()):
            for typed in TYPED.get(line, [line]):
                if typed.startswith(("advrepl convert ", "advrepl decode ", "advrepl play -m pygmalion-2.7b ")):
                    family.place(typed, clone)
                if "xor_encoded_files" in typed:
                    family.decode(typed, clone, lambda typed: typed_in(clone, environment, typed, code=1))
                elif "pygmalion-2.7b" in typed and not find_spec("torch"):
                    assert "advrepl[hf]" in typed_in(clone, environment, typed, code=1)
                else:
                    typed_in(clone, environment, typed)


@pytest.mark.slow
def test_the_two_commands_of_the_readme_and_what_else_make_plays_are_typed_in_a_clean_clone(tmp_path: Path) -> None:
    """With what they install there already, from this environment: the network is left out, and most tests."""
    clone, environment = cloned(tmp_path)
    (clone / ".venv" / "bin").mkdir(parents=True)
    for tool in (Path(sys.prefix) / "bin").iterdir():
        (clone / ".venv" / "bin" / tool.name).symlink_to(tool)
    for name in ("lib", "pyvenv.cfg"):
        (clone / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    for stamp in ("installed", "tested"):
        (clone / ".venv" / stamp).touch()
    assert "abandoned house" in typed_in(clone, environment, "make play")
    assert "goes on" in typed_in(clone, environment, "make resume") or (clone / "saves" / "start.json").exists()
    told = typed_in(clone, environment | {"PYTEST_ADDOPTS": "tests/test_hints.py"}, "make test")
    assert re.search(r"\d+ passed", told)
