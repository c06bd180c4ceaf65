"""The window: what is dropped when, and what it costs to find out."""

from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.prompt import window as module
from advrepl.prompt.formats import Metharme
from advrepl.prompt.segments import Segment
from advrepl.prompt.window import before_player, build, surplus
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Story

SCENE = Scenario(name="x", title="", system="one two three")
DIALOGUES = msgspec.structs.replace(SCENE, examples="\n<START>\n".join(["a b c d e f g h"] * 4))


def count(segments: Sequence[Segment]) -> list[int]:
    return [len(segment.text.split()) + 1 for segment in segments]


def story_of(*sizes: int) -> Story:
    story = Story()
    for index, size in enumerate(sizes):
        story.say("user" if index % 2 == 0 else "model", " ".join([f"w{index}"] * (size - 1)))
    return story


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 400))
def test_surplus_leaves_all_that_fit_or_at_most_the_target(sizes: list[int], room: int) -> None:
    target = room * 0.75
    dropped = surplus(sizes, room, target)
    if sum(sizes) <= room:
        assert dropped == 0
    elif dropped < len(sizes) - 1:
        assert sum(sizes[dropped:]) <= target < sum(sizes[dropped - 1 :])


def test_a_window_with_room_shows_everything() -> None:
    shown = build(Metharme(), SCENE, story_of(5, 10, 5), count, budget=100)
    assert (shown.evicted, shown.used, shown.budget) == (0, 4 + 20 + 1, 100)
    assert [segment.mark for segment in shown.segments] == [
        "<|system|>",
        "<|user|>",
        "<|model|>",
        "<|user|>",
        "<|model|>",
    ]


def test_turns_go_several_at_a_time_and_the_window_begins_with_the_player() -> None:
    window = build(Metharme(), SCENE, story_of(*[10] * 11), count, budget=100)
    assert window.evicted == 4  # of 95 tokens for turns three quarters stay: 71, so seven turns
    assert window.prompt.blocks[0][-1].mark == "<|user|>"
    assert build(Metharme(), SCENE, story_of(*[10] * 13), count, 100, window.evicted).evicted == 4


def test_after_an_undo_the_window_stays_until_it_is_half_empty() -> None:
    story = story_of(*[10] * 11)
    assert build(Metharme(), SCENE, story, count, 100, start=4).evicted == 4
    story.goto(6)
    assert build(Metharme(), SCENE, story, count, 100, start=4).evicted == 0


def test_cost_does_not_grow_with_the_story() -> None:
    asked: list[int] = []

    def counting(segments: Sequence[Segment]) -> list[int]:
        asked.extend(1 for _ in segments)
        return count(segments)

    start = 0
    story = Story()
    for index in range(401):
        story.say("user" if index % 2 == 0 else "model", "word " * 9)
        asked.clear()
        start = build(Metharme(), SCENE, story, counting, 200, start).evicted
        assert len(asked) < 70


@pytest.mark.parametrize("start", [0, 4990], ids=["told elsewhere", "a larger context"])
def test_the_first_window_of_a_long_story_costs_what_it_shows(start: int) -> None:
    asked: list[int] = []

    def counting(segments: Sequence[Segment]) -> list[int]:
        asked.append(len(segments))
        return count(segments)

    shown = build(Metharme(), SCENE, story_of(*[10] * 5001), counting, 5000, start)
    assert 300 < len(shown.segments) < 500 and shown.prompt.blocks[0][-1].mark == "<|user|>"
    assert sum(asked) < 10 * len(shown.segments), "not each turn of the story, nor the window for each few turns"


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(80, 300), st.integers(0, 80), st.integers(1, 100))
def test_how_far_it_looks_in_one_go_changes_no_window(sizes: list[int], budget: int, start: int, step: int) -> None:
    story, scene = story_of(*sizes, 5), DIALOGUES if step % 2 else SCENE
    known = build(Metharme(), scene, story, count, budget, start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STEP_BACK", step)
        for more in (0, 1, 8, 1 << 40):
            patch.setattr(module, "SURELY_MORE", more)
            assert build(Metharme(), scene, story, count, budget, start) == known


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(80, 300))
def test_what_is_shown_always_fits_and_ends_with_the_last_turn(sizes: list[int], budget: int) -> None:
    story, start = Story(), 0
    for index, size in enumerate(sizes):
        story.say("user" if index % 2 == 0 else "model", f"w{index} " * size)
        window = build(Metharme(), SCENE, story, count, budget, start)
        assert window.used <= budget and window.used == sum(count(window.segments))
        assert window.evicted >= start and window.prompt.blocks[-1][-1].text.startswith(f"w{index} ")
        start = window.evicted


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(80, 300), st.integers(1, 300))
def test_few_turns_are_shown_where_few_are_wanted(sizes: list[int], budget: int, turns: int) -> None:
    shown = build(Metharme(), SCENE, story_of(*sizes), count, budget, turns=turns)
    room = budget - sum(count((*shown.prompt.head, *shown.prompt.cue)))
    assert shown == build(Metharme(), SCENE, story_of(*sizes), count, budget, turns=min(turns, room))
    taken = [sum(count(block)) for block in shown.prompt.blocks]
    assert sum(taken) <= turns or len(taken) == 1
    assert sum(sizes) > turns or shown == build(Metharme(), SCENE, story_of(*sizes), count, budget)


def test_a_system_text_that_does_not_fit_names_the_sizes() -> None:
    with pytest.raises(AdvreplError, match=r"system text takes 5 tokens and the context has room for 5 "):
        build(Metharme(), SCENE, story_of(3), count, budget=5)


def test_a_turn_that_does_not_fit_names_the_sizes() -> None:
    with pytest.raises(AdvreplError, match=r"last turn takes 500 tokens and the context has room for 95 "):
        build(Metharme(), SCENE, story_of(5, 5, 500), count, budget=100)


def test_a_reply_may_have_used_the_room_kept_free_for_it() -> None:
    assert build(Metharme(), SCENE, story_of(5, 120), count, budget=100).used == 4 + 120


def test_examples_slide_out_before_the_turns_and_several_at_once() -> None:
    story, start, seen = story_of(10), 0, []
    for index in range(1, 16):
        story.say("model" if index % 2 else "user", " ".join([f"w{index}"] * 9))
        window = build(Metharme(), DIALOGUES, story, count, 110, start)
        assert window.used <= 110
        start = window.evicted
        seen.append(start)
    assert sorted(seen) == seen and 1 not in seen and seen[-1] > 4
    first = next(at for at in seen if at)
    assert 1 < first <= 4, "the examples go first, more than one at a time"


def test_examples_that_never_fit_do_not_keep_a_story_from_beginning() -> None:
    huge = msgspec.structs.replace(SCENE, examples="word " * 500)
    assert build(Metharme(), huge, Story(), count, 100).evicted == 1
    assert build(Metharme(), huge, story_of(5), count, 100).evicted == 1


def test_what_stands_before_the_player_is_found_without_a_look_behind_it() -> None:
    seen = list[int]()

    class Path(list[int]):
        def __iter__(self) -> Iterator[int]:
            for index in super().__iter__():
                seen.append(index)
                yield index

    story = Story()
    for role in ("model", "model", "user", "model", "user"):
        story.say(role, "…")
    story.path = Path(story.path)
    assert before_player(SCENE, story) == 2 and seen == [0, 1, 2]
