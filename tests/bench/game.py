"""How good is the game? Stories played by a scripted player, judged by figures that need no reader.

Run from the checkout: python -m tests.bench.game [--help] (`make game`)
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advrepl.play.session import Settings, new_game
from advrepl.sampling.params import PARAMETERS
from tests.bench.judge import Judged, Turn, judge, speaks_for_player

SCENARIOS = ("start", "lighthouse", "night-train")
CHARACTERS = ("brindle", "captain-okoro", "halcyon")
FREE_LINES = {
    "start": (
        *("take the lantern", "I knock on the door.", "look through the window", "Who is there?", "climb the stairs"),
        *("search the kitchen", "I listen at the wall.", "follow the voice", "open the cellar", "light a candle"),
    ),
    "lighthouse": (
        *("take the lantern", "I ring the bell.", "look at the sea", "Is anybody up there?", "light the lamp"),
        *("read the keeper's log", "I follow the footprints.", "close the door", "search the boat", "call the ship"),
    ),
    "night-train": (
        *("open the suitcase", "I look out of the window.", "put on the coat", "Where does this train go?"),
        *("talk to the conductor", "pull the brake", "I listen to the ticking.", "walk to the next carriage"),
        *("hide under the seat", "read the ticket"),
    ),
}
QUESTIONS = (
    *("Who are you?", "What is this place?", "How long have you been here?", "I sit down and look around."),
    *("What do you do all day?", "Are you ever lonely?", "I thank you.", "What should I be afraid of here?"),
    *(
        "Tell me about the people you know.",
        "I take your hand.",
        "What would you do in my place?",
        "Is it far from here?",
    ),
)
FREE = 0.4  # of the turns


def play(scenario: str, seed: int, turns: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """Play one story; the turns as they were, and what they took."""
    rng = random.Random(f"{scenario} {seed}")
    given = {name: value for name, _, value in (each.partition("=") for each in chosen.set)}
    sampling = {"seed": seed} | {name: json.loads(value) for name, value in given.items() if name in PARAMETERS}
    with tempfile.TemporaryDirectory() as folder:
        game = new_game(
            scenario,
            Settings(
                model=chosen.model, format=chosen.format, saves=Path(folder), ctx=chosen.ctx, threads=chosen.threads,
                prefetch=False, kv_file=False, sampling=sampling, plain_model=chosen.plain_model,
            ),
        )  # fmt: skip
        try:
            list(game.open())
            opening, told, firsts, rates = game.scenario.opening, list[Turn](), list[float](), list[float]()
            opening = f"{game.scenario.system} {opening}" if game.scenario.roleplay else opening
            for _ in range(turns):
                options = game.options()
                line = rng.choice(FREE_LINES.get(scenario, QUESTIONS))
                line = line if rng.random() < FREE or not options else rng.choice(options)
                began = time.perf_counter()
                list(game.act(line))
                assert game.last
                told.append((line, game.last.text, game.last.options))
                firsts.append(game.last.stats["first_ms"])
                rates.append(game.last.stats["generated"] / (time.perf_counter() - began))
        finally:
            game.close()
    story: dict[str, Any] = {"scenario": scenario, "seed": seed, "opening": opening, "turns": told}
    return story | {"speaker": game.scenario.narrator, "first_ms": firsts, "rate": rates}


def figures(story: dict[str, Any]) -> dict[str, float]:
    """Return the shares of one story, in percent; whether it stays is asked of the last quarter."""
    turns = [(said, prose, tuple(options)) for said, prose, options in story["turns"]]
    all_judged = [judge(turns, number, story["opening"]) for number in range(len(turns))]
    late = all_judged[-max(len(turns) // 4, 1) :]
    options = sum(each.options for each in all_judged)
    if not options:
        return {
            "answers": share(all_judged, "answers"),
            "answers questions": share(
                [one for one, turn in zip(all_judged, turns, strict=True) if "?" in turn[0]], "answers"
            ),
            **asked_who(story),
            "names things of the persona": share(all_judged, "place"),
            "stays, in the last quarter": share(late, "stays"),
            "speaks for the player": 100 * statistics.mean(speaks_for_player(prose) for _, prose, _ in turns),
            "replies whole": share(all_judged, "whole"),
            "nothing said twice": share(all_judged, "fresh"),
            "words of a reply": statistics.median(len(prose.split()) for _, prose, _ in turns),
            "first words, ms": statistics.median(story["first_ms"]),
        }
    return {
        "second person": share(all_judged, "second_person"),
        "answers the action": share(all_judged, "answers"),
        "stays, in the last quarter": share(late, "stays"),
        "names the opening's things": share(late, "place"),
        "replies whole": share(all_judged, "whole"),
        "nothing said twice": share(all_judged, "fresh"),
        "three options": 100 * statistics.mean(each.options == 3 for each in all_judged),
        "options that can be done": 100 * sum(each.doable for each in all_judged) / max(options, 1),
        "options seen in the last 6": 100 * sum(each.seen for each in all_judged) / max(options, 1),
        "menus with twins": 100 * statistics.mean(each.twins > 0 for each in all_judged),
        "words of a reply": statistics.median(len(prose.split()) for _, prose, _ in turns),
        "first words, ms": statistics.median(story["first_ms"]),
        "tokens/s": statistics.median(story["rate"]),
    }


def share(judged: Sequence[Judged], name: str) -> float:
    """Return how many percent of the turns that are asked have it."""
    asked = [getattr(each, name) for each in judged if getattr(each, name) is not None]
    return 100 * statistics.mean(asked) if asked else 0.0


def asked_who(story: dict[str, Any]) -> dict[str, float]:
    """Return how many percent of the answers to "Who are you?" hold the speaker's name; nothing where nobody asks."""
    answers = [prose for said, prose, _ in story["turns"] if said == QUESTIONS[0] and "speaker" in story]
    return (
        {"asked who, names himself": 100 * statistics.mean(story["speaker"] in each for each in answers)}
        if answers
        else {}
    )


def medians(stories: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the median of each figure over the stories that have it."""
    found: dict[str, list[float]] = {}
    for story in stories:
        for name, value in figures(story).items():
            found.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model")
    parser.add_argument("--format")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--ctx", type=int, default=2048)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS)
    parser.add_argument("--plain-model", action="store_true", help="the model alone, without what advrepl does for it")
    parser.add_argument("--set", nargs="*", default=(), metavar="NAME=VALUE", help="sampling parameters")
    parser.add_argument("--stories", type=Path, help="keep the stories here, as JSON lines, to be read")
    parser.add_argument("--judge", type=Path, help="play nothing: judge stories that were kept")
    chosen = parser.parse_args()
    stories = [json.loads(line) for line in chosen.judge.read_text().splitlines()] if chosen.judge else []
    if not chosen.judge:
        for scenario in chosen.scenarios:
            for seed in range(1, chosen.seeds + 1):
                stories.append(play(scenario, seed, chosen.turns, chosen))
                print(f"{scenario} {seed}", file=sys.stderr)
                if chosen.stories:
                    with chosen.stories.open("a") as file:
                        file.write(json.dumps(stories[-1]) + "\n")
    for name, value in medians(stories).items():
        print(f"{name:28} {value:6.1f}")


if __name__ == "__main__":
    main()
