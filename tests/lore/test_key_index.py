"""What was found in a text is remembered, however many are looked through in a row."""

from collections.abc import Sequence

import pytest

from advrepl.lore.entries import Entry
from advrepl.lore.key_index import KEPT_TEXTS, KeyIndex


@pytest.mark.parametrize("entries", [1, 3000], ids=["turns", "entries that wake each other"])
def test_a_text_is_searched_once_while_it_is_looked_through(entries: int) -> None:
    searched = list[str]()

    class Counting(KeyIndex):
        def _search(self, text: str) -> set[tuple[int, str]]:
            searched.append(text)
            return super()._search(text)

    index = Counting([Entry(str(at), f"content {at}", keys=(f"key{at}x",)) for at in range(entries)])
    turns = [f"turn {at} of key0x" for at in range(KEPT_TEXTS)]
    contents = [f"content {at}" for at in range(entries)]

    def turn(line: str) -> None:
        rounds: Sequence[list[str]] = [[*turns, line], contents[::2], contents[1::2]]
        for texts in rounds:
            index.candidates(texts)

    turn("first")
    searched.clear()
    for number in range(5):
        turn(f"line {number}")
    assert searched == [f"line {number}" for number in range(5)]
