"""Which copies of a recurrent state are kept, and where one goes back to."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.engines.kv.reuse import ReusePlan, moved_gaps, seen_whole
from advrepl.engines.kv.snapshots import ROOM, SnapshotKind, Snapshots

HEAD, BORDER, PASSING = SnapshotKind.HEAD, SnapshotKind.BORDER, SnapshotKind.PASSING


class Large(bytes):
    """A copy that says it takes a third of the room."""

    def __len__(self) -> int:
        return ROOM // 3


def test_one_goes_back_to_the_last_copy_before() -> None:
    copies = Snapshots()
    for at in (10, 30, 20):
        copies.add(at, BORDER, b"%d" % at)
    assert [copies.last(keep) for keep in (9, 10, 29, 30, 99)] == [0, 10, 20, 30, 30]
    assert copies.data(20) == b"20"
    other = copies.copy()
    copies.cut(29)
    assert copies.last(99) == 20 and other.last(99) == 30


def test_the_oldest_of_a_kind_go_where_there_is_no_room() -> None:
    copies = Snapshots()
    copies.add(5, HEAD, Large())
    for at in range(10, 200, 10):
        copies.add(at, BORDER, Large())
        copies.add(at + 5, PASSING, Large())
    kept = [at for at, _, _ in Snapshots.worth_storing(copies)]
    assert copies.last(9) == 5 and copies.last(155) == 5 and copies.last(165) == 160
    assert kept == [5, 195]


def test_what_was_put_away_is_taken_back() -> None:
    copies = Snapshots()
    copies.add(3, HEAD, b"head")
    for at in range(8, 400, 8):
        copies.add(at, PASSING, b"x")
    again = Snapshots.of(copies.worth_storing())
    assert again.last(5) == 3 and again.last(399) == 392 and again.worth_storing() == copies.worth_storing()


@given(st.integers(0, 60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4), st.integers(0, 20))
def test_nothing_is_missing_that_the_next_token_sees(keep: int, missing: list[tuple[int, int]], window: int) -> None:
    gone = {at for start, end in missing for at in range(start, end)}

    def whole(length: int) -> bool:
        return gone.isdisjoint(range(max(length - window + 1, 0) if window else 0, length))

    found = seen_whole(keep, missing, window)
    assert found <= keep and whole(found)
    if whole(keep):
        assert found == keep


@given(
    st.integers(0, 20), st.integers(0, 20), st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4),
)  # fmt: skip
def test_gaps_move_with_what_they_are_in(keep: int, between: int, moved: int, missing: list[tuple[int, int]]) -> None:
    plan = ReusePlan(keep, keep + between, moved) if moved else ReusePlan(keep)
    gone = {at for start, end in missing for at in range(start, end)}
    cells = [*range(keep), *range(plan.source, plan.source + plan.moved)]
    left = {at for start, end in moved_gaps(missing, plan) for at in range(start, end)}
    assert left == {place for place, at in enumerate(cells) if at in gone}
