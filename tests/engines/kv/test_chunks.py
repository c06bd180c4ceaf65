"""Where chunks end: at places that follow from where a line begins alone."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.engines.kv import chunks


def test_a_line_is_parted_every_eight_tokens_and_a_long_one_less_often() -> None:
    assert chunks.ends(90, 100, 100) == (90, 100)
    assert chunks.ends(90, 100, 108) == (90, 100)  # its last token comes with what follows
    assert chunks.ends(90, 100, 109) == (90, 100, 108)
    assert chunks.ends(100, 100, 120) == (100, 100, 108, 116)
    places = chunks.ends(0, 0, 1000)
    assert places[2:10] == (8, 16, 24, 32, 40, 48, 56, 64)
    assert places[10:15] == (80, 96, 112, 128, 160) and len(places) < 32


def test_a_large_model_reads_fewer_tokens_at_once() -> None:
    assert chunks.step(135_000_000) == 8 and chunks.step(6_700_000_000) == 4
    assert chunks.ends(0, 0, 15, 4) == (0, 0, 4, 8, 12)


def test_the_last_word_is_what_a_key_may_change() -> None:
    pieces = [b" care", b" then", b" I", b" tur", b"n", b"."]

    def last_word(*tokens: int) -> int:
        return chunks.last_word(pieces.__getitem__, tokens, 90, 100)

    assert last_word(0, 1, 3) == 99 and last_word(1, 2, 3, 4, 5) == 97
    assert last_word(4) == 99 and last_word() == 100
    assert last_word(*[4] * 9) == 96, "a script without blanks has no words"
    assert chunks.last_word(pieces.__getitem__, [4, 4, 4], 99, 100) == 99


@given(st.integers(0, 900), st.integers(1, 900), st.integers(1, 900))
def test_a_longer_line_has_all_the_places_of_a_shorter_one(line: int, short: int, more: int) -> None:
    places, longer = chunks.ends(line, line, line + short), chunks.ends(line, line, line + short + more)
    assert longer[: len(places)] == places
    assert all(line <= place < line + short for place in places)


@given(st.integers(1, 900), st.integers(0, 900), st.integers(1, 200))
def test_chunks_reach_over_no_place(length: int, at: int, most: int) -> None:
    places = chunks.ends(50, 60, 60 + length)
    end = chunks.next_end(places, at, most)
    assert at < end <= at + most
    assert not any(at < place < end for place in places)


@given(st.integers(1, 900), st.integers(0, 1000))
def test_whole_chunks_of_the_block_are_kept_and_all_before_and_behind_it(length: int, keep: int) -> None:
    end = 60 + length
    places = chunks.ends(50, 60, end)
    kept = chunks.kept(places, keep, end)
    if keep < 50 or keep >= end:
        assert kept == keep
    else:
        assert kept in places and not any(kept < place <= keep for place in places)
