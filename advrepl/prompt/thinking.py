"""How models spell what they think before they answer: between which marks, and how a template is told not to.

Does not hold a model to it (play/thoughts.py does).
"""

import re
from dataclasses import dataclass, replace

import regex

from advrepl.prompt.segments import Block, Segment

# Names by which templates ask whether to think (Qwen, GLM, Gemma, Hunyuan; DeepSeek, Granite).
SWITCHES = ("enable_thinking", "thinking")
# Most models think in a tag. Others than these would be words of a story.
_TAG = r"<(?P<tag>(?:\w+:)?(?:think|thinking|thoughts?|reasoning)(?::\w+)?)>"


@dataclass(frozen=True, slots=True)
class Marks:
    """What thoughts stand between."""

    begin: str
    end: str
    close: str = ""  # what to end them with, where that is more than the mark

    @property
    def closing(self) -> str:
        """Return what is put behind thoughts that have to end here."""
        return self.close or f"\n{self.end}\n\n"

    def find_end(self, text: str, start: int) -> tuple[int, int]:
        """Return from where to where the mark stands that ends the thoughts, at or behind `start`; -1 and -1: nowhere.

        Models write the marks in other cases than they were taught.
        """
        found = re.compile(re.escape(self.end), re.IGNORECASE).search(text, start)
        return found.span() if found else (-1, -1)


# Those that are no tags.
FORMS = (
    Marks("[THINK]", "[/THINK]"),  # Magistral
    Marks("◁think▷", "◁/think▷"),  # Kimi-VL
    Marks("<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>"),  # Kimi K3
    Marks("<|begin_of_thought|>", "<|end_of_thought|>"),  # models trained on OpenThoughts and Sky-T1
    Marks("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    Marks("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Marks("<|channel>", "<channel|>"),  # Gemma 4, whose channel is named on the first line
    # gpt-oss: whatever comes before the channel that is to be read
    Marks("<|channel|>", "final<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    Marks("<|think|>", "<|content|>", "<|end|><|begin|>assistant<|content|>"),  # Solar Open
    Marks("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel
)
_BEGIN = "|".join((_TAG, *(re.escape(form.begin) for form in FORMS)))
_END = "|".join((_TAG.replace("<", "</", 1).replace("?P<tag>", "?:"), *(re.escape(form.end) for form in FORMS)))
_MARK = regex.compile(f"(?:{_BEGIN})|(?P<end>{_END})", regex.IGNORECASE)
_BEGUN, _SETTLED = (regex.compile(f"(?:{marks})$", regex.IGNORECASE) for marks in (_BEGIN, _END))
# Tags around the reply itself, of models that think (Hunyuan, Granite).
_WRAPPED = regex.compile(r"\s*<(?:answer|response)>\s*", regex.IGNORECASE)
UNWRAPPED = ("</answer>", "</response>")  # what ends such a reply
# Control tokens of which these marks are made.
_PIECES = frozenset(
    text.lower() for form in FORMS for mark in (form.begin, form.end) for text in re.findall(r"<\|\w+\|>", mark)
)
_FIRST = " ".join(form.begin.lower() for form in FORMS)
_LEFT = re.compile(r"(?:assistant)?<\|[^<>|]*\|>(?:analysis|commentary)?|^thought\n")  # names of channels and the like


def opened(text: str) -> Marks | None:
    """Return the form by whose mark a text begins, as it is spelled there.

    One that begins with the mark at the end of thoughts has thought nothing.
    """
    found = _MARK.match(text)
    return Marks(found[0], "") if found and found["end"] else _as_spelled(found)


def may_open(text: str) -> bool:
    """Tell whether a text may be the beginning of such a mark."""
    return bool(_MARK.match(text, partial=True))


def wrapped(text: str) -> int | None:
    """Return how long the tag is in which a reply begins, with white space; None: it may be one, or become one."""
    found = _WRAPPED.match(text, partial=True)
    if found and (found.partial or found.end() == len(text)):
        return None
    return int(found.end()) if found else 0


def knows(template: str) -> bool:
    """Tell whether a template knows of thoughts."""
    return bool(_MARK.search(template))


def begun(cue: Block) -> Marks | None:
    """Return the form whose thoughts the cue has begun already, so that the model goes on inside; None: in none."""
    return _as_spelled(_BEGUN.search(cue[-1].mark.rstrip())) if cue else None


def _as_spelled(found: "regex.Match[str] | None") -> Marks | None:
    if not found:
        return None
    if tag := found["tag"]:
        return Marks(found[0], f"</{tag}>")
    return next(replace(form, begin=found[0]) for form in FORMS if form.begin.lower() == found[0].lower())


def settled(cue: Block) -> bool:
    """Tell whether the cue has done with thinking before the model says a word."""
    return bool(cue and _SETTLED.search(cue[-1].mark.rstrip()))


def closed(cue: Block) -> Block:
    """Return the cue with no thoughts between the marks that it has begun; as it is where it has begun none."""
    form = begun(cue)
    if not form:
        return cue
    return (*cue[:-1], Segment(cue[-1].mark.rstrip() + (form.close or "\n" + form.closing), ""))


def is_mark(text: str) -> bool:
    """Tell whether a template's mark, or a control token, is about thinking; engines spell such tokens out."""
    return text.lower() in _PIECES or bool(_MARK.fullmatch(text.strip()))


def may_open_in_parts(text: str) -> bool:
    """Tell whether a template's mark is one of thoughts, or a part of one by which they begin: it ends no reply."""
    return bool(_MARK.fullmatch(text.strip())) or text.strip().lower() in _FIRST


def readable(thoughts: str) -> str:
    """Return thoughts without the marks that models put among them."""
    return _LEFT.sub("", thoughts.strip()).strip()
