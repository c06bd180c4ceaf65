"""How models spell what they think before they answer: between which marks, and how a template is told not to.

Does not hold a model to it (play/thoughts.py does).
"""

import re
from typing import Any

import regex
from msgspec import Struct
from msgspec.structs import replace

from advrepl.lazy_regex import lazy

# The least effort that a template knows (Hunyuan; Cohere, Mistral; Solar; gpt-oss); the first two: none at all.
EFFORTS = ("no_think", "none", "minimal", "low")
# Most models think in a tag. Others than these would be words of a story.
_NAMES = (
    r"(?:\w+:)?(?:think|thinking|thoughts?|thought_process|inner_(?:thoughts|monologue)|scratchpad|reasoning|reflection"
    r"|analysis)(?::\w+)?"
)
# Some have bars within: <|thinking|> and <|/thinking|>, <|begin_of_thought|> and <|end_of_thought|> (OpenThoughts),
# <|START_THINKING|> and <|END_THINKING|> (Command A), <|reasoning_start|> and <|reasoning_end|>.
_BARRED = rf"(?:begin_|start_)(?:of_)?{_NAMES}|{_NAMES}_(?:begin|start)|{_NAMES}"
_TAG = rf"(?:<(?P<tag>{_NAMES})(?:\s+\w+=[^<>\n]{{0,80}})?>|<\|(?P<barred>{_BARRED})\|>)"
_TAG_END = rf"(?:</{_NAMES}>|<\|(?:/{_NAMES}|end_(?:of_)?{_NAMES}|{_NAMES}_end)\|>)"


class Marks(Struct, frozen=True):
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

        Models write the marks in other cases than they were taught, end one tag with another, or a token with a bar.
        """
        end = _TAG_END if re.fullmatch(_TAG_END, self.end, re.IGNORECASE) else re.escape(self.end)
        slashed = {
            self.begin.replace("<|", with_slash, 1) for with_slash in ("<|/", "</|") if self.begin.endswith("|>")
        }
        found = re.compile("|".join((end, *map(re.escape, slashed))), re.IGNORECASE).search(text, start)
        return found.span() if found else (-1, -1)


# Those that are no tags.
FORMS = (
    Marks("[THINK]", "[/THINK]"),  # Magistral
    Marks("◁think▷", "◁/think▷"),  # Kimi-VL
    Marks("<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>"),  # Kimi K3
    Marks("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Marks("<|channel>", "<channel|>"),  # Gemma 4, whose channel is named on the first line
    # gpt-oss: whatever comes before the channel that is to be read
    Marks("<|channel|>", "final<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    # Muse: whatever it tells itself before it turns to the player
    Marks("to=self<|message|>", "to=user<|message|>", "<|eom|><|start|>assistant to=user<|message|>"),
    Marks("<|think|>", "<|content|>", "<|end|><|begin|>assistant<|content|>"),  # Solar Open
    Marks("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel
    Marks("Here is my thought process:", "Here is my response:"),  # Granite 3.2
    Marks("[unused16]", "[unused17]"),  # openPangu
    # KAT-V1: whether it is to think, and what it thought
    Marks("<judge>", "<answer>", "\n</judge>\n\n<think_off>\n\n<answer>\n"),
)
_BEGIN = "|".join((_TAG, *(re.escape(form.begin) for form in FORMS)))
_END = "|".join((_TAG_END, *(re.escape(form.end) for form in FORMS)))
_MARK = lazy(f"(?:{_BEGIN})|(?P<end>{_END})", regex.IGNORECASE)
_BEGUN, _SETTLED = (lazy(f"(?:{marks})$", regex.IGNORECASE) for marks in (_BEGIN, _END))
# Those that stand in the midst of a reply, where words that are none of the story's are sure.
_LATE_MARKS = rf"{_TAG}|\[THINK\]|◁think▷", rf"{_TAG_END}|\[/THINK\]|◁/think▷"
_LATE_BEGIN, _LATE_END, _LATE = (lazy(m, regex.IGNORECASE) for m in (*_LATE_MARKS, "|".join(_LATE_MARKS)))
# Marks around the reply itself, of models that think (Hunyuan, Granite, Marco-o1; OpenThoughts; Command A).
_WRAP = r"<(?:answer|response|output)>|<\|begin_of_solution\|>|<\|START_(?:RESPONSE|TEXT)\|>"
_WRAPPED = lazy(rf"\s*(?:{_WRAP})\s*", regex.IGNORECASE)
# What ends such a reply.
UNWRAPPED = (
    *("</answer>", "</response>", "</output>", "</Output>"),
    *("<|end_of_solution|>", "<|END_RESPONSE|>", "<|END_TEXT|>"),
)
# Control tokens of which these marks are made.
_PIECES = frozenset(
    text.lower() for form in FORMS for mark in (form.begin, form.end) for text in re.findall(r"<\|\w+\|>", mark)
)
_FIRST = " ".join(form.begin.lower() for form in FORMS)
_MARKS_AT_START = lazy(rf"^(?:\s*(?:{_BEGIN}|{_END}))*\s*", regex.IGNORECASE)
_MARKS_AT_END = lazy(rf"(?:\s*(?:{_BEGIN}|{_END}))+\s*$", regex.IGNORECASE)
# Names of channels and the like, and a first mark that was there already.
_LEFT = lazy(
    rf"^(?:{_BEGIN})\s*|(?:assistant ?)?<\|[^<>|]*\|>(?:analysis|commentary)?"
    r"|</judge>\s*|<think_o(?:n|ff)>\s*(?:<think>\s*)?|\s*</think>$"
    r"|^(?:thought\n|(?:analysis|commentary)<\|message\|>)|(?<=\S)assistant\s*$",
    regex.IGNORECASE,
)


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


def parted(text: str) -> tuple[str, str]:
    """Return what was thought before a whole reply, and the reply."""
    said = text.lstrip()
    if not (form := opened(said)):
        return "", text
    end, behind = form.find_end(said, len(form.begin))
    if end < 0:
        return "", text
    reply = said[behind:]
    return readable(said[len(form.begin) : end]), reply[wrapped(reply) or 0 :].lstrip()


def late(text: str, start: int) -> tuple[int, int, str] | None:
    """Return from where to where thoughts stand in the midst of a reply, at `start` or later, and the thoughts.

    None: there are none to which an end and a word behind it have come. From -1: nothing says where they began, so all
    that was said is thought: some models leave the first mark out.
    """
    end = _LATE_END.search(text, start)
    if not end or not text[end.end() :].strip():
        return None
    begin = _LATE_BEGIN.search(text, start, end.start())
    return (begin.start() if begin else -1), end.end(), text[begin.end() if begin else 0 : end.start()].strip()


def may_be_late(text: str, start: int) -> int:
    """Return from where on, at `start` or later, the text may turn out to be thoughts; its length if it cannot."""
    found = _LATE.search(text, start, partial=True)
    return int(found.start()) if found else len(text)


def unfinished(text: str, start: int) -> int:
    """Return where a mark stands, at `start` or later, behind which a whole reply has no more prose; -1: nowhere.

    One that begins thoughts in the midst of a line is a word.
    """
    found = _LATE.search(text, start)
    if not found or (_LATE_BEGIN.fullmatch(found[0]) and text[: found.start()].rpartition("\n")[2].strip()):
        return -1
    return int(found.start())


def knows(template: str) -> bool:
    """Tell whether a template knows of thoughts."""
    return bool(_MARK.search(template))


def begun(cue: str) -> Marks | None:
    """Return the form whose thoughts the cue has begun already, so that the model goes on inside; None: in none."""
    return _as_spelled(_BEGUN.search(cue.rstrip()))


def _as_spelled(found: "regex.Match[str] | None") -> Marks | None:
    if not found:
        return None
    if form := next((form for form in FORMS if form.begin.lower() == found[0].lower()), None):
        return replace(form, begin=found[0])
    if tag := found["tag"]:
        return Marks(found[0], f"</{tag}>")
    end = re.sub("begin|start", lambda first: "END" if first[0].isupper() else "end", found[0], flags=re.IGNORECASE)
    return Marks(found[0], end if end != found[0] else f"<|/{found['barred']}|>")


def settled(cue: str) -> bool:
    """Tell whether the cue has done with thinking before the model says a word."""
    return bool(_SETTLED.search(cue.rstrip()))


def closed(cue: str) -> str:
    """Return the cue with no thoughts between the marks that it has begun; as it is where it has begun none."""
    form = begun(cue)
    return cue.rstrip() + (form.close or "\n" + form.closing) if form else cue


def switches(template: str, think: int) -> dict[str, Any]:
    """Return what tells a template how much its model may think: by all names that templates ask for it by.

    Qwen, GLM, Gemma, Hunyuan; DeepSeek, Granite; Seed-OSS; MiniMax; gpt-oss, Hunyuan, Cohere, Solar.
    """
    more: dict[str, Any] = {"enable_thinking": think > 0, "thinking": think > 0, "thinking_budget": think}
    more["thinking_mode"] = "enabled" if think else "disabled"
    least = next((each for each in EFFORTS if re.search(rf"""["']{each}["']""", template)), EFFORTS[-1])
    if not think:
        more["reasoning_effort"] = least
    elif least in EFFORTS[:2]:
        more["reasoning_effort"] = "high"
    return more


def before_reply(cue: str, asked: str, told: str) -> str:
    """Return what a reply has before it when it is `told` again and has not behind the cue, as the channel to be read.

    `asked`: the cue as it is where nobody says how much to think. Where the cue has done with thoughts, without those.
    """
    bare = asked[: found.start()] if (found := _MARKS_AT_END.search(asked)) else asked
    if not (told.startswith(bare) and (settled(cue) or cue == bare)):
        return ""
    more = told.removeprefix(bare)
    more = _MARKS_AT_START.sub("", more) if settled(cue) else more
    return more if more.strip() else ""


def is_mark(text: str) -> bool:
    """Tell whether a template's mark, or a control token, is about thinking; engines spell such tokens out."""
    return text.lower() in _PIECES or bool(_MARK.fullmatch(text.strip()))


def may_open_in_parts(text: str) -> bool:
    """Tell whether a template's mark is one of thoughts or of the reply itself, or a part of one: it ends no reply."""
    text = text.strip()
    return bool(_MARK.fullmatch(text) or _WRAPPED.fullmatch(text)) or text.lower() in _FIRST


def readable(thoughts: str) -> str:
    """Return thoughts without the marks that models put among them."""
    return _LEFT.sub("", thoughts.strip()).strip()
