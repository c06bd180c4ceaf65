"""The tokens of segments are remembered for prompts of any length, and for no more than they need."""

from advrepl.engines.kv.borders import Apart
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
    assert len(cache._tokens) == max(REMEMBERED, EACH * 20)
