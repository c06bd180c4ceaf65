"""Which tail is put back, and what it costs to find out; the cells are made up."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from advrepl.engines.kv.tails import LEAST, MOST, Tail, Tails


class Seen(list[int]):
    """Counts the tokens that are looked at."""

    looked = 0

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        Seen.looked += len(found) if isinstance(found, list) else 1
        return found


def tail(tokens: list[int], start: int, copies: tuple[int, ...] = ()) -> Tail:
    return Tail(tokens, start, [b"cells"], (), None, (), [(at, 0, b"") for at in copies])


def test_takes_behind_a_long_story_are_told_apart_by_themselves() -> None:
    """Each was compared with the whole window: a quarter of a second for each option of a reply."""
    story, tails = list(range(50_000)), Tails()
    for take in range(MOST - 1):
        tails.add(tail(Seen([*story, *[100_000 + take] * 40]), len(story)))
    Seen.looked = 0
    assert tails.find([*story, *[7] * 40], len(story)) is None
    tails.add(tail(Seen([*story, *[8] * 40]), len(story)))
    assert Seen.looked < MOST * 100 and tails.count == MOST
    found = tails.find([*story, *[8] * 40, 9], len(story))
    assert found and found[1] == len(story) + 40


TOKENS = st.lists(st.integers(0, 1), min_size=LEAST, max_size=3 * LEAST)


@given(st.data(), st.lists(TOKENS, min_size=1, max_size=8), TOKENS)
def test_the_tail_that_reaches_furthest_is_found(data: st.DataObject, told: list[list[int]], wanted: list[int]) -> None:
    tails, kept, held = Tails(), list[Tail](), data.draw(st.integers(0, len(wanted)))
    for tokens in told:
        whole = wanted[: data.draw(st.integers(0, len(wanted)))] + tokens
        start = data.draw(st.integers(0, len(whole) - 1))
        copies = tuple(sorted(data.draw(st.sets(st.integers(1, len(whole)), max_size=3)))) if not start else ()
        new = tail(whole, start, copies)
        kept = [each for each in kept if not (each.start >= start and whole[: len(each.tokens)] == each.tokens)]
        tails.add(new)
        kept.append(new)
    assert set(tails._kept) == set(kept)
    reaches = [each.reach(wanted) for each in kept if each.start <= held < len(each.tokens)]
    found = tails._furthest(wanted, held)
    assert (found[1] if found else held) == max([held, *reaches])
