"""What is looked at instead of read: a bar of parts, a row of values; each also in words.

Pure: screen.py writes them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

from advrepl.play.events import Note
from advrepl.terminal.text import wrap

FILLS = "█▓▒░"  # of the parts, in their order; what is left is free
FREE = "·"
UNBROKEN = "\N{NO-BREAK SPACE}"
STEPS = "▁▂▃▄▅▆▇█"
LONGEST = 40  # values in a row


class Bar(Note, frozen=True):
    """Parts of a whole, with what is free of it; the text is for those who do not draw it."""

    parts: tuple[tuple[str, int], ...]
    whole: int

    @classmethod
    def of(cls, parts: Sequence[tuple[str, int]], whole: int) -> Self:
        """Return the bar of these parts, those that are empty left out."""
        kept = tuple((name, size) for name, size in parts if size > 0)
        free = whole - sum(size for _, size in kept)
        told = ", ".join(f"{name} {size:,}" for name, size in (*kept, ("free", free)))
        return cls(f"{told} of {whole:,} tokens", kept, whole)

    def drawn(self, width: int) -> str:
        """Return the bar in so many columns, and below it what its parts are."""
        cells = shares([*(size for _, size in self.parts)], self.whole, width)
        fills = (FILLS * 2)[: len(self.parts)]
        bar = "".join(fill * count for fill, count in zip(fills, cells, strict=True))
        free = self.whole - sum(size for _, size in self.parts)
        named = [*zip(fills, self.parts, strict=True), (FREE, ("free", free))]
        legend = f"{UNBROKEN * 2} ".join(
            f"{fill} {name} {size:,}".replace(" ", UNBROKEN) for fill, (name, size) in named
        )
        return bar + FREE * (width - len(bar)) + "\n" + wrap(legend, width)


def shares(sizes: Sequence[int], whole: int, width: int) -> list[int]:
    """Return how many of `width` cells each size takes: one at the least, and never more than there are in all."""
    ends, done = [0], 0
    for at, size in enumerate(sizes):
        done += size
        least, most = ends[-1] + 1, width - (len(sizes) - at - 1)
        ends.append(max(min(round(done * width / max(whole, 1)), most), min(least, width)))
    return [end - begin for begin, end in pairwise(ends)]


def spark(values: Sequence[float]) -> str:
    """Return the last values as a row of bars, the highest one full; values are not negative."""
    shown = values[-LONGEST:]
    top = max(shown, default=0) or 1
    return "".join(STEPS[min(int(value / top * len(STEPS)), len(STEPS) - 1)] for value in shown)
