"""What a prompt is made of, before any tokenizer has seen it."""

from itertools import chain

from msgspec import Struct


class Segment(Struct, frozen=True):
    """A stretch of prompt, tokenized at once.

    `mark` is ours (a role marker, in which special tokens are recognized); `text` is foreign and stays plain text,
    whatever it says.
    """

    mark: str
    text: str
    plain: bool = False  # the mark holds somebody's name, so special tokens are not recognized in it either

    def __str__(self) -> str:
        return self.mark + self.text


Block = tuple[Segment, ...]


class Prompt(Struct, frozen=True):
    """A conversation as one format spells it."""

    head: Block
    blocks: tuple[Block, ...]  # what slides out as one: a dialogue of the examples, a turn and what stands before it
    cue: Block  # what makes the model speak; empty where its last turn is to be continued

    @property
    def segments(self) -> Block:
        """All segments in their order."""
        return (*self.head, *chain.from_iterable(self.blocks), *self.cue)

    def __str__(self) -> str:
        return "".join(map(str, self.segments))


class Window(Struct, frozen=True):
    """What the model is shown: the head, the blocks that fit, the cue. Sizes are in tokens."""

    prompt: Prompt
    evicted: int  # blocks of the whole story, from its beginning, that are not shown
    used: int
    budget: int
    left_out: tuple[str, ...] = ()  # sources of texts before the last turn that had no room there
    goes_on: bool = False  # does it end in what the model has just written behind this same prompt?

    @property
    def segments(self) -> Block:
        """All segments in their order."""
        return self.prompt.segments
