"""What a large lorebook costs a turn, and an opening; beside an older build where one is named.

Run from the checkout: python -m tests.bench.books [--beside REVISION] [--results FILE]
No model is needed. Both builds read the same books over the same story, one after the other, in processes of their own.
"""

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

TURN_MS, PATTERNS_MS, OPENING_S = 25.0, 30.0, 0.2  # goals
TURNS = 40
SYLLABLES = ("ba", "ne", "ri", "do", "ka", "mu", "sel", "tor", "vin", "pha", "gra", "lo", "wen", "dri", "ash", "mor")
TELLING = (
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "was",
    "he",
    "she",
    "they",
    "had",
    "with",
    "for",
    "under",
    "old",
    "road",
)


def name(rng: random.Random) -> str:
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4)))


def book(entries: int, keys: int, *, patterns: bool = False, seed: int = 1) -> dict[str, Any]:
    """A world file as SillyTavern writes it, whose keys are names, or patterns of names."""
    rng, listed = random.Random(seed), {}
    for uid in range(entries):
        names = [f"{name(rng)} {name(rng)}" if rng.random() < 0.3 else name(rng) for _ in range(keys)]
        listed[str(uid)] = {
            "uid": uid,
            "key": [rf"/\b{each.replace(' ', '[- ]')}(?:s|'s)?\b/i" for each in names] if patterns else names,
            "keysecondary": [],
            "content": " ".join(name(rng) if rng.random() < 0.05 else rng.choice(TELLING) for _ in range(40)),
            "selective": True,
        }
    return {"entries": listed}


def story(turns: int) -> list[tuple[str, str]]:
    """What player and model say; a name of the book comes now and then."""
    rng = random.Random(2)

    def said() -> str:
        return " ".join(name(rng) if rng.random() < 0.2 else rng.choice(TELLING) for _ in range(80))

    return [(said(), said()) for _ in range(turns)]


BOOKS = {
    "1,000 entries": (1_000, 4, False),
    "5,000 entries": (5_000, 4, False),
    "1,000 entries of five patterns": (1_000, 5, True),
}


Say = Callable[[str, str], float]  # a line and its reply -> seconds of processor time before the model is asked


def measured() -> dict[str, dict[str, list[float]]]:
    """Seconds of processor time for the opening and each turn, by book."""
    opened = of_05ab154 if importlib.util.find_spec("advrepl.story.backdrop") else of_today
    opened({"entries": {}})  # so that no opening pays for what is loaded once
    found: dict[str, dict[str, list[float]]] = {}
    for title, (entries, keys, patterns) in BOOKS.items():
        written = json.loads(json.dumps(book(entries, keys, patterns=patterns)))
        begun = time.process_time()
        say = opened(written)
        opening = time.process_time() - begun
        found[title] = {"opening": [opening], "turns": [say(*said) for said in story(TURNS)]}
    return found


def of_today(written: dict[str, Any]) -> Say:
    """Open a story with this book in the card, by what every build of the last weeks has."""
    from advrepl.cards.character import Character
    from advrepl.story import saves
    from advrepl.story.context import StoryContext
    from advrepl.story.roleplay import scenario_of
    from advrepl.story.tree import Story, Turn

    mira = Character(name="Mira", description="A ferrywoman.", book=written)
    save = saves.Save(
        schema=saves.SCHEMA, title="", created="", updated="", model=saves.ModelRef("none"), format="metharme",
        sampling={}, scenario=scenario_of(mira), turns=[], head=None, character=mira, rng_seed="1",
    )  # fmt: skip
    context = StoryContext(save, lambda text: len(text) // 4, 8192)
    save, told = context.with_constant_lore(save), Story()

    def say(line: str, reply: str) -> float:
        begun = time.process_time()
        brought = context.for_turn(save, told, line)
        taken = time.process_time() - begun
        told.add(Turn(told.head, "user", line, injections=brought.injections))
        told.add(Turn(told.head, "model", reply))
        return taken

    return say


def of_05ab154(written: dict[str, Any]) -> Say:
    """The same in the build that the goals were set for."""
    part = {
        name: importlib.import_module(f"advrepl.story.{name}") for name in ("backdrop", "cards", "roleplay", "saves")
    }
    tree, saves = importlib.import_module("advrepl.story.tree"), part["saves"]
    mira = part["cards"].Character(name="Mira", description="A ferrywoman.", book=written)
    save = saves.Save(
        schema=1, title="", created="", updated="", model=saves.ModelRef("none"), format="metharme", sampling={},
        scenario=part["roleplay"].scenario_of(mira), turns=[], head=None, character=mira, luck="1",
    )  # fmt: skip
    backdrop, told = part["backdrop"].Backdrop(save, lambda text: len(text) // 4, 8192), tree.Story()

    def say(line: str, reply: str) -> float:
        begun = time.process_time()
        due = backdrop.due(told, line)
        taken = time.process_time() - begun
        backdrop.said(due)
        told.add(tree.Turn(told.head, "user", line, before=due.before))
        told.add(tree.Turn(told.head, "model", reply))
        return taken

    return say


def of_build(root: Path) -> dict[str, dict[str, list[float]]]:
    """The same, measured on the build that lies at `root`."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure"],
        env={**os.environ, "PYTHONPATH": str(root)}, cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    taken: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    return taken


def main() -> None:
    from tests import ROOT
    from tests.bench import results

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--beside", metavar="REVISION", help="an older build to measure in the same run")
    options.add_argument(
        "--results", type=Path, help="the JSON file that is brought up to date, and its page beside it"
    )
    options.add_argument("--rounds", type=int, default=3)
    for name in ("--model", "--threads", "--gpu-layers"):  # what `make bench` gives to all of its parts
        options.add_argument(name, *(["-m"] if name == "--model" else []), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        builds = {"": ROOT}
        if chosen.beside:
            archive = ["git", "archive", chosen.beside, "advrepl"]
            packed = subprocess.run(archive, cwd=ROOT, capture_output=True, check=True).stdout
            with tarfile.open(fileobj=BytesIO(packed)) as files:
                files.extractall(folder, filter="data")
            builds[f", {chosen.beside}"] = Path(folder)
        taken = [(build, of_build(root)) for _ in range(chosen.rounds) for build, root in builds.items()]
    table = []
    for title, (_, _, patterns) in BOOKS.items():
        for build in builds:
            mine = [found[title] for which, found in taken if which == build]
            goals = [] if build else [PATTERNS_MS if patterns else TURN_MS, OPENING_S]
            turns = [statistics.median(each["turns"]) * 1000 for each in mine]
            first = [each["turns"][0] * 1000 for each in mine]
            opening = [each["opening"][0] for each in mine]
            table.append(results.row(f"{title}: a turn{build}", turns, "ms", **goal(goals[:1])))
            table.append(results.row(f"{title}: the first turn{build}", first, "ms"))
            table.append(results.row(f"{title}: the opening{build}", opening, "s", **goal(goals[1:])))
    text = f"Lore of a card over {TURNS} turns of 160 words, {chosen.rounds} runs; processor time, no model"
    results.keep(results.section("books", "Large lorebooks", text, table, ""), chosen.results)


def goal(at_most: list[float]) -> Any:
    return {"at_most": at_most[0]} if at_most else {}


if __name__ == "__main__":
    if "--measure" in sys.argv:
        print(json.dumps(measured()))
    else:
        main()
