"""What is kept, moved and fed: evictions may move the cache, edits may not."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.engines.kv.reuse import STRETCH, ReusePlan, common_prefix, match_sampled, plan_reuse

HEAD = [1, 2, 3]


def applied(held: list[int], plan: ReusePlan) -> list[int]:
    return held[: plan.keep] + list(plan.joint) + held[plan.source : plan.source + plan.moved]


def test_a_new_turn_keeps_everything() -> None:
    assert plan_reuse([*HEAD, 10, 11], [*HEAD, 10, 11, 12, 13], head=3) == ReusePlan(keep=5)


def test_an_identical_prompt_feeds_its_last_token_for_the_logits() -> None:
    assert plan_reuse([*HEAD, 10], [*HEAD, 10], head=3) == ReusePlan(keep=3)


def test_an_evicted_turn_lets_the_rest_move() -> None:
    plan = plan_reuse([*HEAD, 10, 11, 20, 21, 30], [*HEAD, 20, 21, 30, 40], head=3, evicted=2)
    assert plan == ReusePlan(keep=3, source=5, moved=3) and plan.reused == 6


def test_an_edit_is_never_taken_for_an_eviction() -> None:
    """The words 10, 11 were edited away: what followed has seen them and must be fed again (koboldcpp issue 2425)."""
    assert plan_reuse([*HEAD, 10, 11, 20, 21, 30], [*HEAD, 20, 21, 30, 40], head=3, evicted=0) == ReusePlan(keep=3)


def test_an_eviction_of_another_size_moves_nothing_that_does_not_match() -> None:
    assert plan_reuse([*HEAD, 10, 11, 20, 21], [*HEAD, 20, 21, 30], head=3, evicted=1) == ReusePlan(keep=3)


def test_a_head_whose_end_merges_with_what_follows_lets_the_rest_move_all_the_same() -> None:
    held, wanted = [1, 2, 9, 8, 10, 11, 20, 21, 30], [*HEAD, 20, 21, 30, 40]
    plan = plan_reuse(held, wanted, head=3, evicted=2, old_head=4)
    assert plan == ReusePlan(keep=2, source=6, moved=3, joint=(3,)) and plan.start == 3
    assert plan_reuse(held, [1, *range(50, 60), 20, 21, 30, 40], head=11, evicted=2, old_head=4) == ReusePlan(keep=1)


def test_repeated_text_is_moved_by_what_was_evicted_and_no_more() -> None:
    held, wanted = [*HEAD, 7, 7, 7, 7, 7, 7], [*HEAD, 7, 7, 7, 7, 8]
    plan = plan_reuse(held, wanted, head=3, evicted=2)
    assert plan.reused == 7 and applied(held, plan) == wanted[:7]


tokens = st.lists(st.integers(0, 3), max_size=30)


@given(tokens, tokens.filter(bool), st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_what_is_reused_is_always_what_is_wanted(
    held: list[int], wanted: list[int], head: int, evicted: int, old_head: int
) -> None:
    plan = plan_reuse(held, wanted, min(head, len(wanted)), evicted, old_head)
    assert applied(held, plan) == wanted[: plan.reused + len(plan.joint)]
    assert plan.start + plan.moved < len(wanted)


def test_a_reply_is_recognised_by_its_pieces_without_their_leading_space() -> None:
    pieces = [b" You", b" are", b" here", b".", b"\n"]
    assert match_sampled(b"You are here.", pieces, fresh=True) == (4, 13)
    assert match_sampled(b" You are here.", pieces, fresh=True) == (4, 14)
    assert match_sampled(b"You are there.", pieces, fresh=True) == (2, 7)
    assert match_sampled(b" are here", [b" are", b" here", b" now"], fresh=False) == (2, 9)
    assert match_sampled(b"They are", pieces, fresh=True) == (0, 0)


def test_a_piece_that_ends_inside_a_character_counts_only_with_the_rest_of_it() -> None:
    euro = "€".encode()
    assert match_sampled(euro + b"5", [euro[:1], euro[1:], b"5"], fresh=True) == (3, 4)
    assert match_sampled(euro, [euro[:1]], fresh=True) == (0, 0)


@given(st.text(max_size=20), st.lists(st.integers(1, 4), max_size=20))
def test_what_is_left_of_a_recognised_text_is_still_text(text: str, cuts: list[int]) -> None:
    data, pieces, at = text.encode(), [], 0
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    count, covered = match_sampled(data, pieces, fresh=False)
    assert b"".join(pieces[:count]) == data[:covered]
    data[covered:].decode()


@given(st.integers(0, 3 * STRETCH), st.integers(0, 3 * STRETCH), st.integers(0, 3 * STRETCH))
def test_what_two_have_in_common_is_found_in_sequences_of_any_length(one: int, other: int, differs: int) -> None:
    changed = tuple(-1 if at == differs else at for at in range(other))
    assert common_prefix(range(one), changed) == min(one, other, differs)
