"""What helps a small model to tell an adventure, each measured in docs/game.md.

A reply begins with what the player does, options begin with verbs, replies are short, and each line of the player says
where he is. Not for models that were trained for the game, nor for larger ones, and not with --plain-model.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from advrepl.engines.base import Engine
from advrepl.prompt import actions
from advrepl.prompt.formats import Format
from advrepl.sampling.params import Sampling
from advrepl.story.injections import GUIDANCE
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

SMALL = 3_000_000_000  # parameters, below which a model needs it
# How a new story is sampled: what is longer loses its way, and phrases come again and again.
SAMPLING: dict[str, Any] = {"max_tokens": 72, "dry_multiplier": 0.8}
LOOK_BACK = 12  # replies that a new one must not repeat
NOTE = "The user is {place}. Tell in two or three sentences what happens there when the user does this."
NARRATOR_BIAS = -2.0  # a narrator who speaks of himself soon tells another story
NARRATOR = (" I", " I'm", " my", " we", " our", " story", " game", " reader")


def applies(engine: Engine, format: Format, scenario: Scenario) -> bool:
    """Tell whether this model needs help with this story."""
    return not scenario.roleplay and not format.writes_opening and engine.n_params < SMALL


def is_told(scenario: Scenario, recent: Sequence[Turn]) -> bool:
    """Tell whether the story is in the language that the rest of the help is written in: English.

    `recent`: its last turns, the oldest first.
    """
    said = recent[-1].text if recent and recent[-1].role == "user" else ""
    told = next((turn.text for turn in reversed(recent) if turn.role == "model"), scenario.opening)
    return actions.is_english(told) and not actions.is_foreign(said)


def notes(scenario: Scenario) -> dict[str, str]:
    """Return what is put before a line of the player, as in `Turn.injections`."""
    return {GUIDANCE: NOTE.format(place=scenario.place)} if scenario.place else {}


def beginning(recent: Sequence[Turn]) -> str:
    """Return how the reply to these turns begins; empty: as the model likes."""
    return actions.beginning(recent[-1].text) if recent and recent[-1].role == "user" else ""


def sampling(sampling: Sampling) -> Sampling:
    """Return how prose is sampled; what the player has chosen himself stays."""
    return replace(sampling, logit_bias={**dict.fromkeys(NARRATOR, NARRATOR_BIAS), **sampling.logit_bias})
