"""What a prompt is made of, before any tokenizer has seen it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of prompt that is tokenised by itself, so its border is a token border and its size is exact.

    `mark` is ours (a role marker, in which special tokens are recognised); `text` is foreign and stays plain text,
    whatever it says.
    """

    mark: str
    text: str

    def __str__(self) -> str:
        return self.mark + self.text


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation as one format spells it; `turns` has one segment a turn."""

    head: tuple[Segment, ...]
    turns: tuple[Segment, ...]
    cue: tuple[Segment, ...]  # what makes the model speak; empty where its last turn is to be continued

    def __str__(self) -> str:
        return "".join(map(str, (*self.head, *self.turns, *self.cue)))


@dataclass(frozen=True, slots=True)
class Window:
    """What the model is shown: the head, the turns that fit, the cue. Sizes are in tokens."""

    prompt: Prompt
    evicted: int  # turns of the path, from its beginning, that are not shown
    used: int
    budget: int

    @property
    def segments(self) -> tuple[Segment, ...]:
        return (*self.prompt.head, *self.prompt.turns, *self.prompt.cue)
