"""How models spell what they think before they answer: between which marks, and how a template is told not to.

Does not hold a model to it (play/thoughts.py does).
"""

import re
from dataclasses import dataclass

from advrepl.prompt.segments import Block, Segment

# Names by which templates ask whether to think (Qwen, GLM, Gemma, Hunyuan; DeepSeek, Granite).
SWITCHES = ("enable_thinking", "thinking")


@dataclass(frozen=True, slots=True)
class Marks:
    """What thoughts stand between."""

    begin: str
    end: str


FORMS = (
    Marks("<think>", "</think>"),  # DeepSeek-R1, Qwen, GLM, most others
    Marks("<thinking>", "</thinking>"),
    Marks("<thought>", "</thought>"),
    Marks("<reasoning>", "</reasoning>"),
    Marks("<seed:think>", "</seed:think>"),  # Seed-OSS
    Marks("[THINK]", "[/THINK]"),  # Magistral
    Marks("◁think▷", "◁/think▷"),  # Kimi-VL
    Marks("<|begin_of_thought|>", "<|end_of_thought|>"),  # models trained on OpenThoughts and Sky-T1
    Marks("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    Marks("<|channel>", "<channel|>"),  # Gemma 4, whose channel is named on the first line
    Marks("<|channel|>", "final<|message|>"),  # gpt-oss: whatever comes before the channel that is to be read
)
# Tokens that engines spell out though they are control tokens, since these marks are made of them.
SPELLED = frozenset(
    text for form in FORMS for mark in (form.begin, form.end) for text in (mark, *re.findall(r"<\|\w+\|>", mark))
)
_LEFT = re.compile(r"(?:assistant)?<\|[^<>|]*\|>(?:analysis|commentary)?|^thought\n")  # names of channels and the like


def begun(cue: Block) -> Marks | None:
    """Return the form whose thoughts the cue has begun already, so that the model goes on inside; None: in none."""
    mark = cue[-1].mark.rstrip() if cue else ""
    return next((form for form in FORMS if mark.endswith(form.begin)), None)


def settled(cue: Block) -> bool:
    """Tell whether the cue has done with thinking before the model says a word."""
    mark = cue[-1].mark.rstrip() if cue else ""
    return any(mark.endswith(form.end) for form in FORMS)


def closed(cue: Block) -> Block:
    """Return the cue with no thoughts between the marks that it has begun; as it is where it has begun none."""
    form = begun(cue)
    return (*cue[:-1], Segment(cue[-1].mark.rstrip() + f"\n\n{form.end}\n\n", "")) if form else cue


def is_mark(text: str) -> bool:
    """Tell whether a template's mark is about thinking, and so no end of a reply."""
    return text in SPELLED


def readable(thoughts: str) -> str:
    """Return thoughts without the marks that models put among them."""
    return _LEFT.sub("", thoughts.strip()).strip()
