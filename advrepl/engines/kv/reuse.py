"""Decide what of a cache is kept, moved and computed again. Pure functions on token ids.

Does not touch a cache (an engine does) and does not decide what is shown to the model (prompt/window.py).
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

STRETCH = 1024  # tokens
MOST_JOINT = 4  # tokens at the head's end that may have merged with what followed it


class ReusePlan(Struct, frozen=True):
    """Say how a cache becomes what is wanted, in tokens.

    Keep `keep` at the front, move `moved` from position `source` down to right behind them and `joint`, which is
    computed, drop everything else; the rest of what is wanted is to be prefilled.
    """

    keep: int
    source: int = 0
    moved: int = 0
    joint: tuple[int, ...] = ()

    @property
    def start(self) -> int:
        """Return the position to which tokens are moved."""
        return self.keep + len(self.joint)

    @property
    def reused(self) -> int:
        """Return how many tokens are not computed again."""
        return self.keep + self.moved


def plan_reuse(
    cached: Sequence[int], wanted: Sequence[int], head: int = 0, evicted: int = 0, old_head: int | None = None
) -> ReusePlan:
    """Return how to get from the cached tokens to the wanted ones with the least prefilling.

    `head` tokens are fixed at the front, and the window dropped `evicted` tokens right behind them since `cached` was
    built. Only there, and only by that much, may a block move: it was computed while the dropped turns could be seen,
    which is forgivable for turns that slid out and wrong for words that were edited away
    (koboldcpp issue 2425). At least the last wanted token is always prefilled, for its logits.
    `old_head`: its tokens in `cached`, of which the last may be others, merged with what followed them.
    """
    most = len(wanted) - 1
    keep = min(common_prefix(cached, wanted), most)
    same = min(keep, head)
    if evicted > 0 and head - same <= MOST_JOINT:
        source = (head if old_head is None else old_head) + evicted
        moved = min(common_prefix(cached[source:], wanted[head:]), most - head)
        if source > head and head + moved > keep and (moved > 0 or same == head):
            return ReusePlan(same, source, moved, tuple(wanted[same:head]))
    return ReusePlan(keep)


def seen_whole(keep: int, missing: Iterable[tuple[int, int]], window: int) -> int:
    """Return the most tokens, at most `keep`, behind which nothing is missing that the next one attends to.

    `missing`: positions without cells, from the first to before the last; `window`: tokens that every layer sees, the
    next one among them; 0: all.
    """
    for start, end in sorted(missing, reverse=True):
        first = keep - window + 1 if window else 0
        if max(start, first) < min(end, keep):
            keep = start
    return keep


def moved_gaps(missing: Iterable[tuple[int, int]], plan: ReusePlan) -> tuple[tuple[int, int], ...]:
    """Return where cells are missing once a plan was followed."""
    by, end = plan.source - plan.start, plan.source + plan.moved
    front = ((start, min(stop, plan.keep)) for start, stop in missing)
    block = ((max(start, plan.source) - by, min(stop, end) - by) for start, stop in missing) if plan.moved else ()
    return tuple((start, stop) for start, stop in (*front, *block) if start < stop)


def common_prefix(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many tokens, or whatever else, two sequences have in common at their front."""
    most, at = min(len(one), len(other)), 0
    while at < most:  # whole stretches at once, in C: a loop in Python takes 10 ms for the tokens of a large context
        end = min(at + STRETCH, most)
        if list(one[at:end]) != list(other[at:end]):
            return next(place for place in range(at, end) if one[place] != other[place])
        at = end
    return most


def match_sampled(text: bytes, pieces: Sequence[bytes], fresh: bool) -> tuple[int, int]:
    """Return how many of the sampled pieces spell the beginning of the text, and how many of its bytes they cover.

    `fresh`: the text begins a reply, whose leading white space was sampled but is not kept.
    """
    offset = len(text) - len(text.lstrip()) if fresh else 0
    spelled, count, covered = b"", 0, 0
    for index, piece in enumerate(pieces, 1):
        spelled += piece
        shown = spelled.lstrip() if fresh else spelled
        if not text.startswith(shown, offset):
            break
        if _whole(text, offset + len(shown)):
            count, covered = index, offset + len(shown)
    return count, covered


def _whole(text: bytes, at: int) -> bool:
    """Tell whether this is a border between UTF-8 characters."""
    return at >= len(text) or text[at] & 0xC0 != 0x80
