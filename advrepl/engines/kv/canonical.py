"""Where prefilling is cut into chunks if logits are to follow from the story alone (--exact). Pure functions.

A token's keys and values differ in their last bits with the tokens that it was decoded beside. So here each segment of
a prompt is decoded by itself, and what was sampled one by one, or in other chunks, is decoded again.
"""

from bisect import bisect_right
from collections.abc import Sequence

from advrepl.engines.kv.reuse import common_prefix


def chunk_ends(sizes: Sequence[int], chunk: int) -> tuple[int, ...]:
    """Return the positions at which the chunks of segments with so many tokens end; `chunk`: the most in one go."""
    ends, at = list[int](), 0
    for size in sizes:
        ends += range(at + chunk, at + size, chunk)
        at += size
        if size:
            ends.append(at)
    return tuple(ends)


def kept(have: Sequence[int], wanted: Sequence[int], common: int) -> int:
    """Return how many tokens at the front can stay: whole chunks that end where they are wanted to end.

    `have`, `wanted`: the ends of the chunks there are and of those that are to be; `common`: tokens that are the same.
    """
    same = wanted[: common_prefix(have, wanted)]
    return same[count - 1] if (count := bisect_right(same, common)) else 0
