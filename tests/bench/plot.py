"""A line chart as SVG: a logarithmic scale upwards, turns to the right, the names beside the lines' ends.

Draws just what the benchmark needs.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 20, 45
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito, for all eyes
LETTER = 14  # between two lines of text


def svg(curves: Mapping[str, Sequence[float]], upwards: str, rightwards: str) -> str:
    """Each curve has one positive value a turn, from turn 1 on."""
    values = [value for curve in curves.values() for value in curve]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values) * 1.01))
    longest = max(map(len, curves.values()))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_grid(low, high, longest),
        f'<text x="{LEFT}" y="{TOP - 7}">{escape(upwards)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}">{escape(rightwards)}</text>',
    ]
    ends = _apart([_y(curve[-1], low, high) for curve in curves.values()])
    for index, (name, curve) in enumerate(curves.items()):
        color = COLOURS[index % len(COLOURS)]
        points = " ".join(f"{_x(turn, longest):.1f},{_y(v, low, high):.1f}" for turn, v in enumerate(curve, 1))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{ends[index] + 4:.1f}" fill="{color}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(low: float, high: float, longest: int) -> list[str]:
    parts = []
    power = low
    while power <= high:
        y = _y(power, low, high)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{power:g}</text>')
        power *= 10
    for turn in sorted({1, *range(10, longest + 1, 10)}):
        parts.append(f'<text x="{_x(turn, longest):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{turn}</text>')
    return parts


def _x(turn: int, longest: int) -> float:
    return LEFT + (turn - 1) * (WIDTH - LEFT - RIGHT) / max(longest - 1, 1)


def _y(value: float, low: float, high: float) -> float:
    share = math.log(value / low) / math.log(high / low)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _apart(places: Sequence[float]) -> list[float]:
    """The places of the names, moved down so far that none covers another."""
    moved = list(places)
    order = sorted(range(len(places)), key=places.__getitem__)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + LETTER)
    return moved
