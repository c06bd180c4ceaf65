"""Spell a conversation with the chat template that a GGUF carries (jinja2, in a sandbox).

Does not decide when a template is used (engines/models.py).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain, islice
from typing import Any

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from advrepl import AdvreplError
from advrepl.prompt.formats import CHAT, example, instruction, player_stops
from advrepl.prompt.segments import Prompt, Segment
from advrepl.story.injections import shown
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

Message = dict[str, str]

# Texts are rendered as placeholders and put back into the finished string: what was between them is the template's
# own and may hold special tokens, what replaces them never does.
PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True)
class ChatTemplate:
    """The model's own template as a format; an ending of one turn is spelled with the beginning of the next."""

    source: str
    bos: str = ""
    eos: str = ""
    name: str = field(default=CHAT)
    writes_opening: bool = False

    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        """Reminders stand in brackets before the player's words: few templates take a second system message."""
        system = [instruction(scenario), *(example(scenario, each) for each in dialogues)]
        said = [[*shown(scenario, turn), turn.text] for turn in turns]
        texts = [*system, *chain.from_iterable(said)]
        holders = iter([f"\ue000{i}\ue001" for i in range(len(texts))])
        messages = [{"role": "system", "content": "".join(islice(holders, len(system)))}]
        for turn, parts in zip(turns, said, strict=True):
            *before, text = islice(holders, len(parts))
            content = "".join(f"[{holder}]\n\n" for holder in before) + text
            messages.append({"role": "user" if turn.role == "user" else "assistant", "content": content})
        speaks = not turns or turns[-1].role == "user"
        rendered = self._render(messages, speaks, len(texts))
        segments, end = _segments(rendered, texts)
        cue = (Segment(rendered[end:], ""),) if speaks and rendered[end:] else ()
        left = iter(segments)
        head = tuple(islice(left, 1))
        sizes = [1] * len(dialogues) + list(map(len, said))
        return Prompt(head, tuple(tuple(islice(left, size)) for size in sizes), cue)

    def spelled(self, scenario: Scenario, text: str) -> str:
        """Return the text as it is."""
        return text  # never parsed for special tokens, so there is nothing to make harmless

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the end token as text, and where the reply would speak for the player."""
        return tuple(text for text in (self.eos, *player_stops(scenario)) if text)

    def _render(self, messages: list[Message], speaks: bool, texts: int) -> str:
        """Try the conversation as it is, then with the system text before the first player turn, as some demand."""
        refusal: TemplateError | None = None
        for arrange in _ARRANGEMENTS:
            try:
                text = self._template.render(
                    messages=arrange(messages), add_generation_prompt=speaks, bos_token=self.bos, eos_token=self.eos
                )
            except TemplateError as error:
                refusal = refusal or error
                continue
            if _complete(text, texts):
                return text
        reason = refusal or "it leaves out or reorders turns"
        raise AdvreplError(f"the model's chat template refuses this conversation ({reason}): try --format metharme")

    @cached_property
    def _template(self) -> Template:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            return environment.from_string(self.source)
        except TemplateError as error:
            raise AdvreplError(
                f"the model's chat template cannot be read ({error}): choose another with --format"
            ) from error


def _refuse(message: str) -> Any:
    raise TemplateError(message)


def _complete(text: str, count: int) -> bool:
    return [int(number) for number in PLACEHOLDER.findall(text)] == list(range(count))


def _segments(rendered: str, texts: Sequence[str]) -> tuple[tuple[Segment, ...], int]:
    """One segment a text, each with the template's words before it, and where the last one ended."""
    segments, end = [], 0
    for found in PLACEHOLDER.finditer(rendered):
        segments.append(Segment(rendered[end : found.start()], texts[int(found[1])]))
        end = found.end()
    return tuple(segments), end


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
