"""Where a prompt is parted into the chunks that are decoded in one go. Pure functions on positions.

The same tokens in other chunks round differently, by the processor and the type of the weights [measured: up to 2 nats
of a logit]. A line is read before it is whole, and another one may be kept of it: so the places where its chunks end
follow from where it begins and from nothing else, and the words that come of it are the same however it was read.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence, Sized

from advrepl.prompt.segments import Prompt

STEP = 8  # tokens; what is left of a line when it is sent is less, and each chunk costs as much as a token more
LARGE, LARGE_STEP = 3_000_000_000, 4  # parameters, from which on eight tokens take longer than three keys
WORD = 4  # tokens of the last word of a line, at most; scripts without blanks have no words here


def step(n_params: int) -> int:
    """Return the tokens of the first chunks of a line."""
    return LARGE_STEP if n_params >= LARGE else STEP


def line(prompt: Prompt, parts: Sequence[Sized], length: int) -> tuple[int, int]:
    """Return where the last segment before the cue, the player's line, begins and ends in a prompt of `length` tokens.

    `parts`: the tokens of its segments.
    """
    cue = len(prompt.cue)
    end = length - sum(map(len, parts[len(parts) - cue :]))
    return end - (len(parts[-1 - cue]) if prompt.blocks else 0), end


def last_word(piece: Callable[[int], bytes], tokens: Sequence[int], line: int, end: int) -> int:
    """Return where the last word of a line begins: of these tokens, between positions `line` and `end`."""
    behind = (count for count, token in enumerate(reversed(tokens), 1) if count == WORD or piece(token)[:1] == b" ")
    return max(end - next(behind, len(tokens)), line)


def ends(block: int, line: int, end: int, step: int = STEP) -> tuple[int, ...]:
    """Return positions over which no chunk reaches: where the player's block begins, where his line begins, in it.

    The last token of the line, which ends before position `end`, always comes with what follows it, so that what is
    decoded last is never a single token. Chunks of a longer line are longer, an eighth to a quarter of what was read.
    """
    places, at = [block, line], line + step
    while at < end:
        places.append(at)
        at += max(step, 1 << ((at - line).bit_length() - 3))
    return tuple(places)


def next_end(places: Sequence[int], at: int, chunk: int) -> int:
    """Return where a chunk of at most so many tokens ends that begins at position `at`."""
    later = bisect_right(places, at)
    return min(at + chunk, places[later]) if later < len(places) else at + chunk


def kept(places: Sequence[int], keep: int, end: int) -> int:
    """Return how many of `keep` cached tokens are kept: in the player's block, which ends at `end`, whole chunks."""
    earlier = bisect_right(places, keep)
    return places[earlier - 1] if earlier and keep < end else keep
