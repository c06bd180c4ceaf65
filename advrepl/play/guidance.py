"""What helps a small model to tell an adventure or to stay in character, each measured in docs/game.md.

In an adventure a reply begins with what the player does, options are verbs with things that were told of, and each line
of the player says where he is; in roleplay it says who the model is. Replies are short, and the smallest models see few
turns. Not for models that were trained for the game, nor for larger ones, and not with --plain-model.
"""

import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from advrepl.engines.base import Engine
from advrepl.prompt import actions, answers, languages
from advrepl.prompt.formats import CHAT, Format
from advrepl.prompt.things import named, owned
from advrepl.sampling.params import Sampling
from advrepl.story.injections import GUIDANCE
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

SMALL = 3_000_000_000  # parameters, below which a model needs it
# A model with fewer parameters writes more and more like what it has written itself: it is shown few turns.
TINY = 500_000_000
TURNS_SHOWN = 600  # tokens: four turns
SAID_SHOWN = 1000  # the same in roleplay: examples and greeting are how a character speaks
# How a new story is sampled: what is longer loses its way, and phrases come again and again.
SAMPLING: dict[str, Any] = {"max_tokens": 96, "dry_multiplier": 0.8}
SOFT_END = 0.55  # of max_tokens: a small model's sentences run on
LOOK_BACK = 12  # replies that a new one must not repeat
NOTE = "The user is {place}. Tell in two or three sentences what happens there when the user does this."
ROLEPLAY_NOTE = "{essence}. Answer as {char}, who says I, in two or three sentences."
ESSENCE_WORDS = 10
NARRATOR_BIAS = -2.0  # a narrator who speaks of himself soon tells another story
LANDMARK_BIAS = 1.5  # what the opening names is to be seen again
NEAR_BIAS = 1.0  # and so is what the last reply has named
PERSONA_BIAS = 1.0  # what a persona tells of
ASKED_BIAS = 1.5  # what the player's line names, in roleplay
# The same for a base model, which takes the note for one more line of the story.
BASE_LANDMARK_BIAS, BASE_NEAR_BIAS, BASE_LEAST_WORDS = 2.5, 1.5, 28
LEAST_WORDS = 16  # of a reply, in one paragraph: a model that wrote one short reply soon writes nothing else
NEVER = -100.0  # a bias
LEAST_SAID = 10  # the same of a character's
OOC = "(OOC:"  # what begins a line that is said to whoever tells the story
NOTE_MARKS = ("[", " [")  # in which the notes stand: Gemma 3 270M writes its own after some turns
SLASHES = ("/", " /")  # "he/she", and soon "he/theirs voice"
# Who speaks of himself, of what is told, or, as the note before each line does, of the user.
NARRATOR = (
    *(" I", " I'm", " my", " we", " our", " story", " game", " reader"),
    *(" user", " player", " character", " characters"),
)


def applies(engine: Engine, format: Format, scenario: Scenario) -> bool:
    """Tell whether this model needs help with this story, and can be given it: without grammars it writes its list."""
    known = format.name != CHAT and engine.format_hint == format.name
    trained = known if scenario.roleplay else format.writes_opening
    return not trained and engine.n_params < SMALL and engine.grammars


def is_told(scenario: Scenario, recent: Sequence[Turn]) -> bool:
    """Tell whether the story is in the language that the rest of the help is written in: English.

    `recent`: its last turns, the oldest first.
    """
    said = recent[-1].text if recent and recent[-1].role == "user" else ""
    told = next((turn.text for turn in reversed(recent) if turn.role == "model"), scenario.opening)
    # Where a reply does not tell, "I'm lookin' after my ship" say, the opening does.
    language = next(filter(None, map(languages.of, (told, scenario.opening))), None)
    return language is languages.ENGLISH and not actions.is_foreign(said)


def turns_shown(engine: Engine, scenario: Scenario) -> int | None:
    """Return how many tokens of turns the model is shown; None: all that fit the context."""
    shown = SAID_SHOWN if scenario.roleplay else TURNS_SHOWN
    return shown if engine.n_params < TINY else None


def notes(scenario: Scenario) -> dict[str, str]:
    """Return what is put before a line of the player, as in `Turn.injections`."""
    if scenario.roleplay:
        return {GUIDANCE: ROLEPLAY_NOTE.format(essence=essence(scenario.system), char=scenario.narrator)}
    return {GUIDANCE: NOTE.format(place=scenario.place)} if scenario.place else {}


def essence(persona: str) -> str:
    """Return the first words of a persona that make a whole: up to a comma, once there are a few."""
    sentence = re.split(r"(?<=[.!?])\s", persona.strip(), maxsplit=1)[0].rstrip(".!?")
    first, *others = sentence.split(", ")
    while others and len(f"{first}, {others[0]}".split()) <= ESSENCE_WORDS:
        first = f"{first}, {others.pop(0)}"
    return " ".join(first.split()[: 2 * ESSENCE_WORDS])


def beginning(scenario: Scenario, recent: Sequence[Turn]) -> str:
    """Return how the reply to these turns begins; empty: as the model likes."""
    said = recent[-1].text if recent and recent[-1].role == "user" else ""
    if not said or said.startswith(OOC):
        return ""
    return answers.beginning(said, scenario.narrator) if scenario.roleplay else actions.beginning(said)


def least_words(scenario: Scenario, format: Format) -> int:
    """Return how many words a reply has at least, and that in one paragraph."""
    return LEAST_SAID if scenario.roleplay else LEAST_WORDS if format.name == CHAT else BASE_LEAST_WORDS


def verbs(scenario: Scenario) -> tuple[str, ...]:
    """Return what options begin with; none: with any word."""
    return () if scenario.roleplay else actions.VERBS


def sampling(scenario: Scenario, format: Format, sampling: Sampling, recent: Sequence[Turn]) -> Sampling:
    """Return how prose is sampled behind these turns; what the player has chosen himself stays."""
    bias = _said_bias(scenario, recent) if scenario.roleplay else _told_bias(scenario, format, recent)
    return replace(sampling, logit_bias={**bias, **sampling.logit_bias})


def _told_bias(scenario: Scenario, format: Format, recent: Sequence[Turn]) -> dict[str, float]:
    told = next((turn.text for turn in reversed(recent) if turn.role == "model"), "")
    is_base = format.name != CHAT
    near = dict.fromkeys(_begun(named(told)), BASE_NEAR_BIAS if is_base else NEAR_BIAS)
    opening = named(f"{scenario.opening} {scenario.place}")
    landmarks = dict.fromkeys(_begun(opening), BASE_LANDMARK_BIAS if is_base else LANDMARK_BIAS)
    return near | landmarks | dict.fromkeys(NARRATOR, NARRATOR_BIAS) | dict.fromkeys((*NOTE_MARKS, *SLASHES), NEVER)


def _said_bias(scenario: Scenario, recent: Sequence[Turn]) -> dict[str, float]:
    asked = actions.named(recent[-1].text) if recent and recent[-1].role == "user" else set()
    bias = dict.fromkeys(_begun(owned(scenario.system)), PERSONA_BIAS) | dict.fromkeys(_begun(asked), ASKED_BIAS)
    has_marks = "[" in f"{scenario.system}{scenario.opening}{scenario.examples}"  # as of a status line
    return bias if has_marks else bias | dict.fromkeys(NOTE_MARKS, NEVER)


def _begun(words: set[str]) -> list[str]:
    return [" " + word for word in sorted(words)]
