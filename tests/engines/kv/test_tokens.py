"""The tokens of segments are remembered for prompts of any length, and for no more than they need."""

import random
from collections.abc import Sequence

import pytest

from advrepl.engines.kv.borders import Apart, Borders
from advrepl.engines.kv.tokens import EACH, REMEMBERED, TokenCache
from advrepl.prompt.segments import Segment


class Counted:
    """Tokenizes letter by letter, and counts how often."""

    calls = 0

    def __call__(self, segment: Segment, first: bool) -> tuple[int, ...]:
        self.calls += 1
        return tuple(map(ord, str(segment)))


def turns(start: int, end: int) -> list[Segment]:
    return [Segment("<|user|>", f"turn {at}") for at in range(start, end)]


def test_a_prompt_of_thousands_of_turns_is_not_tokenized_anew_for_each_turn() -> None:
    encode, length = Counted(), 3000
    cache = TokenCache(encode, lambda _: b"", Apart())
    cache.parts(turns(0, length))
    encode.calls = 0
    for at in range(1, 20):  # it slides
        cache.parts(turns(at, length + at))
    assert encode.calls == 2 * 19  # what is first is encoded as such, and what is new


def test_an_early_reply_of_a_long_prompt_keeps_the_tokens_that_it_was_sampled_as() -> None:
    cache = TokenCache(Counted(), lambda token: chr(token % 1000).encode(), Apart())
    cue = Segment("<|model|>", "")
    cache.begin([cue])
    cache.sampled = [(1000 + ord(letter), letter.encode()) for letter in "Hm."]
    reply = Segment("<|model|>", "Hm.")
    story = [reply]
    sampled = cache.tokens(reply)
    assert sampled[-3:] == tuple(1000 + ord(letter) for letter in "Hm.")
    cache.begin([cue])
    for at in range(2000):
        story.append(Segment("<|user|>", f"turn {at}"))
        cache.parts(story)
    assert cache.parts([Segment("", ""), *story])[1] == sampled


def test_a_long_run_of_short_prompts_remembers_few() -> None:
    cache = TokenCache(Counted(), lambda _: b"", Apart())
    for at in range(2000):
        cache.parts(turns(at, at + 20))
    assert max(REMEMBERED, EACH * 20) // 2 < len(cache._tokens) <= max(REMEMBERED, EACH * 20)


class Looked(Apart):
    """Counts the segments of which a lead is looked for."""

    count = 0

    def split(self, segments: Sequence[Segment], start: int = 0) -> list[tuple[Segment, str]]:
        self.count += len(segments) - start
        return super().split(segments, start)


def test_more_behind_a_long_prompt_costs_what_is_new() -> None:
    """A reply and its options ask for the window twenty times, each time with a little more."""
    borders, length = Looked(), 3000
    cache = TokenCache(Counted(), lambda _: b"", borders)
    cache.parts(turns(0, length))
    borders.count = 0
    for at in range(1, 20):
        cache.parts(turns(0, length + at))
        cache.begin(turns(0, length + at))
    assert borders.count <= 19 * 3


@pytest.mark.parametrize("lead", ["", "<"])
def test_a_prompt_has_the_tokens_of_its_segments_whatever_was_asked_before(lead: str) -> None:
    class Leading(Borders):
        def lead(self, segment: Segment) -> str:
            return lead

    chance = random.Random(1)
    cache = TokenCache(Counted(), lambda _: b"", Leading(Counted(), {}))
    for _ in range(300):
        prompt = [Segment("<|user|>", chance.choice("abc")) for _ in range(chance.randrange(1, 6))]
        anew = TokenCache(Counted(), lambda _: b"", Leading(Counted(), {}))
        assert cache.parts(prompt) == anew.parts(prompt)
        assert "".join(chr(token) for part in cache.parts(prompt) for token in part) == "".join(map(str, prompt))


def test_what_stands_in_the_prompt_is_not_forgotten_while_lines_come_and_go() -> None:
    encode, length = Counted(), 100
    cache = TokenCache(encode, lambda _: b"", Apart())
    for at in range(5000):  # what is typed, behind the same prompt
        cache.parts([*turns(0, length), Segment("<|user|>", f"line {at}")])
    encode.calls = 0
    cache.parts([Segment("<|system|>", "another head"), *turns(1, length)])
    assert encode.calls == 1
