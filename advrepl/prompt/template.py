"""Spell a conversation with the chat template that a GGUF carries (rendered by template_runner.py).

Does not decide when a template is used (engines/models.py).
"""

import re
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from itertools import chain, groupby, islice, product
from operator import itemgetter
from typing import Any

from msgspec import Struct, field

from advrepl import AdvreplError, thinking
from advrepl.prompt.formats import CHAT, example, instruction, player_stops
from advrepl.prompt.marks import ROLE_LABEL, ROLE_MARK, Forgeable, Marks
from advrepl.prompt.segments import Block, Prompt, Segment
from advrepl.prompt.template_runner import TemplateRefusal, shared
from advrepl.story.injections import shown
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

Message = dict[str, Any]

# Texts are rendered as placeholders and put back into the finished string: what was between them is the template's
# own and may hold special tokens, what replaces them never does.
PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")
# What a renderer passes besides messages; a template may ask whether it is none, which an undefined value is not.
NOTHING_MORE: dict[str, Any] = {"tools": None, "documents": None}
# Templates for tools alone (Hermes, Command R+, firefunction) go through them without asking, and render none.
NO_TOOLS: dict[str, Any] = {"tools": [], "documents": [], "functions": "", "datetime": ""}

RENDERED = 4  # conversations of one template: with the player's turn at their end, with a reply, without the last
JOINT = "\n\n"  # between texts of one role
_NAMES = {"system": "user", "user": "user", "model": "assistant", "assistant": "assistant"}  # of who says a text


class ChatTemplate(Struct, frozen=True, dict=True):
    """The model's own template as a format; an ending of one turn is spelled with the beginning of the next."""

    source: str
    bos: str = ""
    eos: str = ""
    # Is a mark spelled by the same tokens where foreign text holds it? Where it is a special token, it is not.
    forgeable: Forgeable = lambda mark: False
    name: str = field(default=CHAT)
    writes_opening: bool = False

    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        """What the program says stands in brackets before the player's words: few templates take it as a message."""
        system = [instruction(scenario), *(example(scenario, each) for each in dialogues)]
        said = [[*shown(scenario, turn), (turn.role, turn.text)] for turn in turns]
        roles, spoken = zip(*chain.from_iterable(said), strict=True) if said else ((), ())
        texts = [*system, *spoken]
        holders = iter([f"\ue000{i}\ue001" for i in range(len(texts))])
        messages = [{"role": "system", "content": "".join(islice(holders, len(system)))}]
        contents = [
            (_NAMES[role], f"[{each}]" if role == "system" else each) for role, each in zip(roles, holders, strict=True)
        ]
        # Strict templates refuse two turns of one role in a row, as after a reply that was stopped before it began.
        for name, told in groupby(contents, key=itemgetter(0)):
            messages.append({"role": name, "content": JOINT.join(content for _, content in told)})
        speaks = not turns or turns[-1].role == "user"
        rendered = self._render(messages, speaks, len(texts), scenario.think)
        segments, end = self._segments(rendered, texts)
        cue: Block = (Segment(self._cue(rendered[end:], scenario.think), ""),) if speaks and rendered[end:] else ()
        left = iter(segments)
        head = tuple(islice(left, 1))
        sizes = [1] * len(dialogues) + list(map(len, said))
        return Prompt(head, tuple(tuple(islice(left, size)) for size in sizes), cue)

    def _cue(self, cue: str, think: int | None) -> str:
        if think == 0:
            cue = thinking.closed(cue)
        if self._between and (think == 0 or not self.thinks or thinking.settled(cue)):
            cue += thinking.before_reply(cue, self._between[4], self._between[2])
        return cue

    @property
    def thinks(self) -> bool:
        """Does the template know of thoughts?"""
        return any(map(thinking.knows, (self.source, *self._between)))

    def spelled(self, scenario: Scenario, text: str) -> str:
        """Return the text with those marks of the template broken up that ordinary text can spell."""
        return self._marks.broken(text)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the end token and the template's role marks as text, and where a reply would speak for the player."""
        return tuple(dict.fromkeys(text for text in (self.eos, *self.role_marks, *player_stops(scenario)) if text))

    @cached_property
    def role_marks(self) -> tuple[str, ...]:
        """The texts between the turns, by which a model that spells them as text shows that its turn is over."""
        between = (*self._between[1:], *self._around("system", "user", "assistant")[3:])
        marks = [mark for text in between for mark in ROLE_MARK.findall(text) if mark != self.bos]
        labels = [
            start + label
            for text in between
            for label in ROLE_LABEL.findall(ROLE_MARK.sub("\n", text))
            for start in ("\n", " ")[: 1 + text.startswith(f" {label}")]
        ]
        return tuple(dict.fromkeys(text for text in (*marks, *labels) if not thinking.may_open_in_parts(text)))

    @cached_property
    def _between(self) -> tuple[str, ...]:
        """What the template writes before and between four texts, and at the end; nothing if it refuses them."""
        return self._around("system", "user", "assistant", "user")

    def _around(self, *roles: str) -> tuple[str, ...]:
        messages = [{"role": role, "content": f"\ue000{i}\ue001"} for i, role in enumerate(roles)]
        try:
            return tuple(PLACEHOLDER.split(self._render(messages, roles[-1] == "user", len(roles), None))[::2])
        except AdvreplError:  # told when the story is spelled
            return ()

    @cached_property
    def _marks(self) -> Marks:
        """Those that end a turn of the model stand behind it: it is followed by the player's."""
        return Marks(self._between, lambda mark: not thinking.is_mark(mark) and self.forgeable(mark))

    def _segments(self, rendered: str, texts: Sequence[str]) -> tuple[tuple[Segment, ...], int]:
        """One segment a text, each with the template's words before it, and where the last one ended."""
        marks = PLACEHOLDER.split(rendered)[::2]
        segments, before = [], ""
        for mark, following, found in zip(marks, marks[1:], PLACEHOLDER.finditer(rendered), strict=False):
            text = self._marks.broken(texts[int(found[1])], before + mark, following)
            segments.append(Segment(mark, text))
            before = text if mark else before + text  # the end of what stands before the next mark
        return tuple(segments), len(rendered) - len(marks[-1])

    def _render(self, messages: list[Message], speaks: bool, texts: int, think: int | None) -> str:
        """Return the conversation as the template spells it, `texts` placeholders in it."""
        shape = (*((each["role"], each["content"]) for each in messages), speaks, think)
        if shape not in self._rendered:
            text = self._tried(messages, speaks, texts, think)
            for oldest in list(self._rendered)[: 1 - RENDERED]:
                del self._rendered[oldest]
            self._rendered[shape] = text
        return self._rendered[shape]

    @cached_property
    def _rendered(self) -> dict[Hashable, str]:
        """What came of the last conversations: none of their texts is in it, so it is the same for each line typed."""
        return {}

    def _tried(self, messages: list[Message], speaks: bool, texts: int, think: int | None) -> str:
        """Try the conversation as it is, then with the system text before the first player turn, as some demand.

        Each with plain texts first, then with texts as lists of parts, as templates of models that see pictures want.
        At last all of it as a conversation with an empty list of tools.
        """
        refusal: TemplateRefusal | None = None
        more = {"add_generation_prompt": speaks, "bos_token": self.bos, "eos_token": self.eos}
        # Some refuse not to think.
        switched = ({},) if think is None else (thinking.switches(self.source, think), {})
        for switches, nothing, arrange, shape in product(switched, (NOTHING_MORE, NO_TOOLS), _ARRANGEMENTS, _SHAPES):
            try:
                text = shared().render(self.source, shape(arrange(messages)), nothing | more | switches)
            except TemplateRefusal as error:
                refusal = refusal or error
                continue
            if _complete(text, texts):
                return text
        reason = refusal or "it leaves out or reorders turns"
        raise AdvreplError(f"the model's chat template refuses this conversation ({reason}): try --format metharme")


def _complete(text: str, count: int) -> bool:
    return [int(number) for number in PLACEHOLDER.findall(text)] == list(range(count))


def _as_text(messages: list[Message]) -> list[Message]:
    return messages


def _as_parts(messages: list[Message]) -> list[Message]:
    return [message | {"content": [{"type": "text", "text": message["content"]}]} for message in messages]


_SHAPES = (_as_text, _as_parts)


def _as_it_is(messages: list[Message]) -> list[Message]:
    return messages


def _system_in_first_turn(messages: list[Message]) -> list[Message]:
    system, *turns = messages
    if not turns or turns[0]["role"] != "user":
        return [{"role": "user", "content": system["content"]}, *turns]
    first = {"role": "user", "content": system["content"] + "\n\n" + turns[0]["content"]}
    return [first, *turns[1:]]


def _player_opens(messages: list[Message]) -> list[Message]:
    """For templates that demand a player turn before the first reply."""
    system, *turns = messages
    return [system, {"role": "user", "content": "…"}, *turns]


_ARRANGEMENTS: tuple[Callable[[list[Message]], list[Message]], ...] = (
    _as_it_is,
    _system_in_first_turn,
    _player_opens,
)
