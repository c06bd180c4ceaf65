"""Where chunks end if logits are to follow from the story alone."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.engines.kv.canonical import chunk_ends, kept

SIZES = st.lists(st.integers(0, 300), max_size=12)


def test_each_segment_is_cut_by_itself() -> None:
    assert chunk_ends((3, 0, 260, 128), 128) == (3, 131, 259, 263, 391)
    assert chunk_ends((), 128) == ()


def test_what_stays_ends_with_a_chunk_of_both() -> None:
    assert kept((3, 131, 200), (3, 131, 259), 250) == 131
    assert kept((3, 131), (3, 131, 259), 130) == 3
    assert kept((3, 131), (4, 131), 131) == 0, "the second chunk was decoded beside others"
    assert kept((), (3,), 3) == 0


@given(SIZES, st.integers(1, 200))
def test_all_tokens_are_in_chunks_that_are_not_too_long(sizes: list[int], chunk: int) -> None:
    ends = chunk_ends(sizes, chunk)
    assert (ends[-1] if ends else 0) == sum(sizes)
    assert all(0 < after - before <= chunk for before, after in zip((0, *ends), ends, strict=False))
    borders = {sum(sizes[: count + 1]) for count in range(len(sizes))} - {0}
    assert borders <= set(ends)


@given(SIZES, SIZES, st.integers(0, 4000), st.integers(1, 200))
def test_nothing_stays_that_was_decoded_in_other_chunks(
    have: list[int], wanted: list[int], common: int, chunk: int
) -> None:
    one, other = chunk_ends(have, chunk), chunk_ends(wanted, chunk)
    keep = kept(one, other, common)
    assert keep <= common and (not keep or one[: one.index(keep) + 1] == other[: other.index(keep) + 1])
