"""The llama.cpp engine on a real model: cache, seeds, stops, grammar, Ctrl-C."""

import threading
import time
from array import array
from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines import models
from advrepl.engines.kv.reuse import ReusePlan
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.prompt import window
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.story.scenario import START
from advrepl.story.tree import Story

Open = Callable[..., LlamaEngine]
GREEDY = Sampling(temperature=0, max_tokens=12, repeat_penalty=1)


def shown(engine: LlamaEngine, *turns: str, evicted: int = 0, head: str = "You are a storyteller.") -> Window:
    """A window in ChatML, which the model was trained on."""
    segments = tuple(
        Segment(f"<|im_end|>\n<|im_start|>{'assistant' if i % 2 else 'user'}\n", text)
        for i, text in enumerate(turns, evicted)
    )
    cue = (Segment("<|im_end|>\n<|im_start|>assistant\n", ""),)
    prompt = Prompt((Segment("<|im_start|>system\n", head),), tuple((segment,) for segment in segments), cue)
    used = sum(map(engine.count, (*prompt.head, *segments, *cue)))
    return Window(prompt, evicted, used, engine.n_ctx)


def write(engine: LlamaEngine, window: Window, sampling: Sampling = GREEDY, **how: object) -> str:
    return "".join(engine.generate(window, sampling, **how))  # type: ignore[arg-type]


def decoded(engine: LlamaEngine, tokens: list[int]) -> bool:
    """Add tokens to the cache, where a Ctrl-C may have come since it was last looked for; False if that stopped it."""
    sequence = engine.sequence
    done = engine.model.decode(tokens, len(sequence.cached))
    sequence.cached += tokens if done else ()
    return done


def divergence(one: LlamaEngine, other: LlamaEngine) -> float:
    """KL divergence in nats of the distributions from which two engines have just chosen a token."""
    logits = [e.model.logits().astype(np.float64) for e in (one, other)]
    p, q = (x - x.max() - np.log(np.exp(x - x.max()).sum()) for x in logits)
    return float((np.exp(p) * (p - q)).sum())


ONE = Sampling(temperature=0, max_tokens=1)
ROUNDING = 0.01  # nats that another split into batches may make in a 4-bit model; a shift makes more


@pytest.fixture(scope="module")
def engine(open_shallow: Open) -> LlamaEngine:
    return open_shallow(ctx=512)


def test_specials_are_found_in_marks_and_never_in_text(engine: LlamaEngine) -> None:
    assert engine.count(Segment("<|im_end|>", "")) == 1
    assert engine.count(Segment("", "<|im_end|>")) > 3


def test_the_size_of_a_window_is_the_size_of_its_segments(engine: LlamaEngine) -> None:
    window = shown(engine, "Tell me of the sea.", "It was grey.", "And then?")
    write(engine, window)
    assert engine.stats.prompt == window.used


def test_a_reply_is_not_fed_again(engine: LlamaEngine) -> None:
    first = shown(engine, "Tell me of the sea.")
    reply = write(engine, first).strip()
    second = shown(engine, "Tell me of the sea.", reply, "And then?")
    new_turn = engine.count(second.prompt.blocks[-1][-1]) + engine.count(second.prompt.cue[0])
    write(engine, second)
    assert engine.stats.prefilled <= new_turn + 8
    assert engine.stats.reused >= first.used + 8


def test_the_cache_does_not_change_what_is_written(open_shallow: Open) -> None:
    """Played through the cache or fed afresh: the same logits, but for rounding."""
    warm, cold = open_shallow(ctx=512), open_shallow(ctx=512)
    turns = ["Tell me of the sea."]
    for line in ("And then?", "Who was aboard?", "Where did they land?"):
        turns += [write(warm, shown(warm, *turns)).strip(), line]
    for (segment,) in shown(warm, *turns).prompt.blocks:  # the same tokens, where text could be split otherwise
        cold.sequence.token_cache._tokens[segment, False, ""] = array("i", warm.sequence.token_cache.tokens(segment))
    write(warm, shown(warm, *turns), ONE)
    write(cold, shown(cold, *turns), ONE)
    assert warm.stats.reused > 50 and cold.stats.reused == 0
    assert divergence(warm, cold) < ROUNDING


def slide(engine: LlamaEngine) -> tuple[str, int]:
    """Play four turns, drop the first two, and return what is written then, and how much was fed for it."""
    turns = ["Tell me of the sea.", "It was grey and wide.", "And then?", "A ship came.", "Who was aboard?"]
    write(engine, shown(engine, *turns))
    text = write(engine, shown(engine, *turns[2:], evicted=2), ONE)
    return text, engine.stats.prefilled


def test_sliding_moves_the_cache(open_shallow: Open) -> None:
    engine = open_shallow(ctx=512)
    text, fed = slide(engine)
    assert fed <= 2 and engine.stats.shifted > 20 and text
    fresh = open_shallow(ctx=512)
    write(fresh, shown(fresh, "And then?", "A ship came.", "Who was aboard?", evicted=2), ONE)
    assert ROUNDING < divergence(engine, fresh) < 1  # the price of moving: it has seen the turns that are gone


def test_ctrl_c_while_moved_keys_are_turned_spoils_nothing(open_shallow: Open) -> None:
    """llama.cpp turns the keys of all layers again if it was stopped after some of them."""
    engine, undisturbed = open_shallow(ctx=512), open_shallow(ctx=512)
    turns = ["Tell me of the sea.", "It was grey and wide.", "And then?", "A ship came.", "Who was aboard?"]
    late = shown(engine, *turns[2:], evicted=2)
    for each in (engine, undisturbed):
        write(each, shown(each, *turns))
    rest = engine.follow(late)[len(engine.sequence.cached) :]
    engine.model.abort(True)
    assert rest and decoded(engine, rest)
    assert not decoded(engine, [rest[0]])  # but what follows can be stopped
    write(engine, late, ONE)
    write(undisturbed, late, ONE)
    assert undisturbed.stats.shifted > 20 and divergence(engine, undisturbed) < 1e-9


def test_without_shift_sliding_feeds_again_and_stays_exact(open_shallow: Open) -> None:
    engine, fresh = open_shallow(ctx=512, shift=False), open_shallow(ctx=512)
    text, fed = slide(engine)
    turns = ["And then?", "A ship came.", "Who was aboard?"]
    assert fed > 25 and engine.stats.shifted == 0
    write(fresh, shown(fresh, *turns, evicted=2), ONE)
    assert text and divergence(engine, fresh) < ROUNDING


def test_an_edited_turn_leaves_nothing_behind(open_shallow: Open) -> None:
    """The same logits after an edit as if the old words had never been (koboldcpp issue 2425)."""
    engine, fresh = open_shallow(ctx=512), open_shallow(ctx=512)
    write(engine, shown(engine, "My cube is made of toothpaste.", "How odd.", "What is it made of?"))
    edited = ("My cube is made of iron.", "How odd.", "What is it made of?")
    write(engine, shown(engine, *edited), ONE)
    write(fresh, shown(fresh, *edited), ONE)
    assert engine.stats.shifted == 0 and divergence(engine, fresh) < ROUNDING


def test_a_seed_makes_a_reply_repeatable(engine: LlamaEngine) -> None:
    window = shown(engine, "Tell me of the sea.")
    one, again, other = (write(engine, window, Sampling(seed=seed, max_tokens=20)) for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seed=1, mirostat=1),
        Sampling(seed=1, mirostat=2),
        Sampling(
            seed=1, dry_multiplier=0.8, xtc_probability=0.5, typical_p=0.9, presence_penalty=0.2, frequency_penalty=0.1
        ),
        Sampling(seed=1, temperature=2, top_k=0, top_p=1, min_p=0, repeat_last_n=0),
    ],
    ids=["mirostat", "mirostat 2", "everything", "nothing"],
)
def test_every_sampler_writes(engine: LlamaEngine, sampling: Sampling) -> None:
    assert write(engine, shown(engine, "Tell me of the sea."), sampling)


def test_a_logit_bias_forbids_a_word(engine: LlamaEngine) -> None:
    window = shown(engine, "Tell me of the sea.")
    word = write(engine, window, Sampling(temperature=0, max_tokens=1))
    biased = Sampling(temperature=0, max_tokens=1, logit_bias={word: -100})
    assert write(engine, window, biased) != word


def test_a_grammar_holds_and_ends_the_reply(engine: LlamaEngine) -> None:
    window = shown(engine, "Tell me of the sea.")
    for seed in range(5):
        text = write(engine, window, Sampling(seed=seed, max_tokens=50), grammar='root ::= "Go" " " [a-z]{3,9} "\\n"')
        assert text.startswith("Go ") and text.endswith("\n") and text[3:-1].isalpha() and text[3:-1].islower()
        assert engine.stats.stop == "end"


def test_a_stop_text_ends_the_reply(engine: LlamaEngine) -> None:
    window = shown(engine, "Count: 1 2 3 4 5 6")
    whole = write(engine, window, Sampling(temperature=0, max_tokens=30))
    stop = whole[8:12]
    assert write(engine, window, Sampling(temperature=0, max_tokens=30), stop=[stop]) == whole[: whole.find(stop)]
    assert engine.stats.stop == "stop"


def test_emoji_come_whole(engine: LlamaEngine) -> None:
    grammar = 'root ::= "🐉" "🏰" "é"'
    pieces = list(engine.generate(shown(engine, "hi"), Sampling(seed=1), grammar=grammar))
    assert "".join(pieces) == "🐉🏰é" and all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)


@pytest.mark.parametrize("most", range(1, 8))
def test_a_reply_that_is_cut_ends_with_a_whole_character(engine: LlamaEngine, most: int) -> None:
    """Each of these takes several tokens: what there is of the last one is left out, and goes on later as it was."""
    text = "🏚🐉扉を開"
    sampling = Sampling(seed=1, max_tokens=most)
    cut = "".join(engine.generate(shown(engine, "hi"), sampling, grammar=f'root ::= "{text}"'))
    assert text.startswith(cut) and len(cut) < most
    assert len(text.encode()) > engine.stats.generated == most


def test_a_full_context_ends_the_reply(open_shallow: Open) -> None:
    engine = open_shallow(ctx=128)
    write(
        engine, shown(engine, "word " * 60), Sampling(seed=1, max_tokens=500, logit_bias={}), grammar="root ::= [a-z ]*"
    )
    assert engine.stats.stop == "context"
    with pytest.raises(AdvreplError, match=r"tokens do not fit the context of 128: give a larger --ctx"):
        write(engine, shown(engine, "word " * 200))


def test_feeding_is_told_and_can_be_stopped(open_shallow: Open) -> None:
    engine = open_shallow(ctx=2048)
    told: list[tuple[int, int]] = []
    timers: list[threading.Timer] = []
    window = shown(engine, "word " * 1500)

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done:
            timers.append(threading.Timer(0.01, engine.cancel))
            timers[-1].start()

    started = time.perf_counter()
    assert write(engine, window, on_prefill=progress) == ""
    assert engine.stats.stop == "interrupted" and time.perf_counter() - started < 5
    assert told[0] == (0, window.used) and told[-1][0] < window.used
    for timer in timers:
        timer.join()
    assert write(engine, shown(engine, "Tell me of the sea."))  # and the engine goes on


def test_cancel_ends_a_reply(engine: LlamaEngine) -> None:
    pieces = engine.generate(shown(engine, "Tell me of the sea."), Sampling(seed=1, max_tokens=400))
    text = next(pieces)
    engine.cancel()
    text += "".join(pieces)
    assert engine.stats.stop == "interrupted" and engine.stats.generated <= 3


def test_a_real_window_slides_for_the_price_of_a_turn(open_shallow: Open) -> None:
    """The issue's figure: after sliding, at most the new turn's tokens and eight are fed."""
    engine = open_shallow(ctx=512)
    assert engine.template
    format = models.choose_format("chat", engine)
    story, start, slid = Story(), 0, 0
    for turn in range(14):
        story.say("user", f"Go through door number {turn}.")
        shown = window.build(format, START, story, engine.sizes, 512 - 60, start)
        slid, start = slid + (shown.evicted > start), shown.evicted
        text = write(engine, shown, Sampling(seed=turn, max_tokens=48))
        new_turn = engine.count(shown.prompt.blocks[-1][-1]) + engine.count(shown.prompt.cue[0])
        if turn:
            assert engine.stats.prefilled <= new_turn + 8
        story.say("model", text.strip() or "…")
        engine.count(format.spell(START, story.path_turns(start)).blocks[-1][-1])
    assert slid >= 2


def test_what_slides_moves_also_where_the_heads_end_merges_with_what_follows(open_shallow: Open) -> None:
    """`.` and a dialogue, then `.<` and `|user|>`: that one token is decoded in front of what moved."""
    moved = open_shallow(ctx=512)
    head = (Segment("<|system|>", "You are a storyteller, and you tell of the sea."),)
    turns = tuple((Segment("<|user|>", f"{line} I row on across the water to the island."),) for line in "ABCDEF")
    whole = Prompt(head, ((Segment("", "\n\nExample:\nHello."),), *turns), (Segment("<|model|>", ""),))
    later = Window(replace(whole, blocks=turns), 1, 0, 512)
    write(moved, Window(whole, 0, 0, 512), ONE)
    parts = moved.sequence.token_cache.parts(whole.segments)[0], moved.sequence.token_cache.parts(later.segments)[0]
    assert parts[0] != parts[1], "or this tests nothing"
    wanted = moved.follow(later)
    assert moved.stats.shifted >= sum(moved.sizes(later.segments)[1:-1]) and moved.stats.prefilled <= 8
    assert moved.sequence.cached == wanted[: len(moved.sequence.cached)]
    assert moved.model.extent(0) == (0, len(moved.sequence.cached) - 1)


def test_a_token_that_is_decoded_before_others_stands_where_it_belongs(open_shallow: Open) -> None:
    one, other = open_shallow(ctx=512), open_shallow(ctx=512)
    window = shown(one, "I row on across the water.", "The island comes nearer.", "I land there.")
    for engine in (one, other):
        write(engine, window, ONE)
    tokens, at = list(one.sequence.cached), 9
    one._reuse(ReusePlan(at, at + 1, len(tokens) - at - 2, (tokens[at],)))
    assert one.sequence.cached == tokens[:-1] and one.model.extent(0) == (0, len(tokens) - 2)
    other._reuse(ReusePlan(len(tokens) - 1))
    assert decoded(one, tokens[-1:]) and decoded(other, tokens[-1:])
    assert divergence(one, other) < 1e-3
