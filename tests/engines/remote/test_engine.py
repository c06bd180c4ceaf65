"""An engine on a server: who that is, what it is asked, what is read of its cache."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.remote import dialects
from advrepl.engines.remote.address import read_address
from advrepl.engines.remote.identify import told_size
from advrepl.engines.remote.opening import open_server
from advrepl.engines.remote.tokens import estimate
from advrepl.prompt.segments import Segment
from advrepl.sampling.params import PARAMETERS, Sampling
from tests.engines.remote import scripted_server as scripted
from tests.engines.remote.scripted_server import (
    APHRODITE,
    CHAT,
    CONTEXT,
    KINDS,
    KOBOLD,
    LCP,
    LLAMA,
    OTHER,
    VLLM,
    says,
    serving,
)
from tests.engines.remote.test_faults import SAMPLING, engine_on, pieces_and_error, window

GRAMMAR = 'root ::= " " ("yes" | "no") "\\n"'


@pytest.mark.parametrize("kind", KINDS)
def test_three_questions_tell_what_a_server_is(kind: str) -> None:
    with serving(kind) as server, engine_on(server) as (engine, _):
        assert engine.server.dialect.name == kind
        assert engine.n_ctx == CONTEXT
        assert engine.n_params == (134_515_008 if kind == LLAMA else 135_000_000)
        assert engine.slide_to == (0.5 if kind in (VLLM, APHRODITE) else 0.75)
        assert engine.described()["server"].startswith(kind)


def test_the_context_is_what_the_player_says_up_to_what_the_server_has() -> None:
    with serving(LLAMA) as server:
        with engine_on(server, ctx=300) as (engine, _):
            assert engine.n_ctx == 300
        with engine_on(server, ctx=2000) as (engine, _):
            assert engine.n_ctx == CONTEXT


def test_a_server_of_another_kind_is_sent_what_all_know_and_sizes_are_estimated() -> None:
    told: list[str] = []
    with serving(OTHER, says(" Yes.")) as server:
        engine = open_server(read_address(server.url + "/v1"), LoadOptions(), told.append)
        assert pieces_and_error(engine) == (" Yes.", "")
        assert not engine.grammars
        assert engine.described()["tokens"] == "estimated on the safe side, as the server does not count"
        engine.close()
    assert any("--tokenizer FILE counts them" in line for line in told)
    assert any("4096 tokens are taken for it" in line for line in told)
    assert server.asked[0]["max_tokens"] == 20
    assert server.asked[0]["prompt"] == "<|system|>You tell a story.<|user|>Hello there.<|model|>"


def test_a_chat_endpoint_is_used_where_there_is_nothing_else() -> None:
    told: list[str] = []
    with serving(CHAT, says(" Yes.")) as server:
        engine = open_server(read_address(server.url), LoadOptions(), told.append)
        assert pieces_and_error(engine) == (" Yes.", "")
        engine.close()
    assert any("a chat endpoint only" in line for line in told)
    (message,) = server.asked[0]["messages"]
    assert message["content"].startswith("<|system|>You tell")


@pytest.mark.parametrize("kind", KINDS)
def test_every_sampler_is_sent_the_neutral_ones_too_and_always_a_limit(kind: str) -> None:
    with serving(kind) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine)
        (asked,) = server.asked
        dialect = engine.server.dialect
        neutral = {name: getattr(SAMPLING, name) for name in dialect.samplers if name != "logit_bias"}
        assert {name: asked[dialect.samplers[name]] for name in neutral} == neutral
        assert asked[dialect.limit] == 20
        assert asked["stream"] is True
        assert set(dialect.samplers) <= set(PARAMETERS)


@pytest.mark.parametrize(("min_p", "sent"), [(0.0, 1e-30), (0.05, 0.05)])
def test_llama_server_is_to_leave_out_what_has_no_chance_before_typical_p(min_p: float, sent: float) -> None:
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        for typical_p in (0.5, 1.0):
            list(engine.generate(window("Hello"), replace(SAMPLING, typical_p=typical_p, min_p=min_p)))
        typical, usual = server.asked
    assert typical["samplers"] == ["penalties", "dry", "top_k", "min_p", "typ_p", "top_p", "xtc", "temperature"]
    assert typical["min_p"] == sent
    assert usual["samplers"] == ["penalties", "dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]
    assert usual["min_p"] == min_p


def test_what_a_server_does_not_have_is_told_once() -> None:
    sampling = replace(SAMPLING, dry_multiplier=0.8, xtc_probability=0.5, repeat_last_n=0)
    with serving(VLLM) as server, engine_on(server) as (engine, told):
        for _ in range(2):
            list(engine.generate(window("Hello"), sampling))
        assert told == ["vLLM has no dry_multiplier, xtc_probability: the story goes on without"]


def test_that_llama_server_penalizes_nothing_beside_mirostat_is_told_once() -> None:
    sampling = replace(SAMPLING, repeat_penalty=1.1, dry_multiplier=0.8)
    with serving(LLAMA) as server, engine_on(server) as (engine, told):
        list(engine.generate(window("Hello"), sampling))
        assert told == []
        for _ in range(2):
            list(engine.generate(window("Hello"), replace(sampling, mirostat=2)))
        assert told == ["llama-server has no dry_multiplier, repeat_penalty beside mirostat: the story goes on without"]


@pytest.mark.parametrize("kind", [LLAMA, VLLM])
def test_token_ids_are_sent_and_marks_in_foreign_text_are_no_control_tokens(kind: str) -> None:
    shown = window("Say <|user|> now")
    with serving(kind) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine, shown)
        prompt = server.asked[0]["prompt"]
        assert [token for token in prompt if token < scripted.FIRST_ID] == [
            2 + len(mark) % 8 for mark in ("<|system|>", "<|user|>", "<|model|>")
        ]
        assert sum(map(engine.count, shown.segments)) == len(prompt) == engine.stats.prompt


@pytest.mark.parametrize("kind", [LCP, APHRODITE, KOBOLD])
def test_where_text_is_sent_marks_in_foreign_text_are_spelled_apart(kind: str) -> None:
    with serving(kind) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine, window("Say <|user|> and </s> now"))
        assert server.asked[0]["prompt"].endswith("<|user|>Say < |user|> and < /s> now<|model|>")


def test_a_beginning_of_text_is_never_sent_twice() -> None:
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        assert engine.text_borders == ("<|im_start|>", "<|im_end|>")
        engine.tokens.opening = (9,)  # as of a vocabulary that wants one
        shown = window("Hello")
        begun = replace(shown, prompt=replace(shown.prompt, head=(Segment("<|im_start|>", "You tell."),)))
        pieces_and_error(engine, begun)
        assert server.asked[0]["prompt"][:2] == [9, server.ids("You", False)[0]]
        pieces_and_error(engine, shown)
        assert server.asked[1]["prompt"][:2] == [9, 2 + len("<|system|>") % 8]


def test_a_segment_is_counted_once() -> None:
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        before = len(server.tokenized)
        for _ in range(3):
            assert engine.count(Segment("<|user|>", "one two three")) == 4
        assert len(server.tokenized) == before + 2  # the mark and the text


def test_a_llama_cpp_server_begins_each_text_which_is_not_counted() -> None:
    with serving(LCP) as server, engine_on(server) as (engine, _):
        assert engine.count(Segment("<|user|>", "one two three")) == 4


def test_biases_go_to_first_tokens_asked_for_in_one_go() -> None:
    biased = replace(SAMPLING, logit_bias={" dragon fire": -5.0, " I": -100.0, " story": -2.0})
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine)
        before = len(server.tokenized)
        list(engine.generate(window("Hello there."), biased))
        assert len(server.tokenized) == before + 1
        ids = {
            str(server.words.index(word)): bias for word, bias in ((" dragon", -5.0), (" I", -100.0), (" story", -2.0))
        }
        assert server.asked[-1]["logit_bias"] == ids


@pytest.mark.parametrize(("kind", "ends"), [(LLAMA, None), (VLLM, [7, 9, 4, 4, 9])])
def test_a_vllm_is_told_which_tokens_end_a_reply(kind: str, ends: list[int] | None) -> None:
    """It knows the one that its files call eos. Others say nothing in its text, where no stop text meets them."""
    with serving(kind) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine, stop=("<|im_end|>",))
        assert server.asked[0].get("stop_token_ids") == ends  # not </s>, which is two tokens there


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_text_ends_a_reply_and_is_no_part_of_it(kind: str) -> None:
    with serving(kind, says(" Yes", ".<|us", "er|> More")) as server, engine_on(server) as (engine, _):
        assert pieces_and_error(engine, stop=("<|user|>",))[0] == " Yes."
        assert engine.stats.stop == "stop"


@pytest.mark.parametrize(("finish", "stop"), [("stop", "end"), ("length", "length")])
@pytest.mark.parametrize("kind", KINDS)
def test_why_a_reply_ended(kind: str, finish: str, stop: str) -> None:
    with serving(kind, says(" Yes.", finish=finish)) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine)
        assert engine.stats.stop == stop


@pytest.mark.parametrize("kind", KINDS)
def test_a_grammar_is_sent_where_the_server_looks_for_it(kind: str) -> None:
    with serving(kind, says(" yes", "\n")) as server, engine_on(server) as (engine, _):
        assert pieces_and_error(engine, grammar=GRAMMAR, stop=("\n",)) == (" yes", "")
        asked = server.asked[0]
        found = asked["structured_outputs"]["grammar"] if kind in (VLLM, APHRODITE) else asked["grammar"]
        assert found == GRAMMAR
        assert engine.grammars


def test_a_server_that_ignores_grammars_is_found_out_by_its_first_answer() -> None:
    with serving(LLAMA, says(" maybe", "\n")) as server, engine_on(server) as (engine, told):
        assert pieces_and_error(engine, grammar=GRAMMAR, stop=("\n",)) == ("", "")
        assert not engine.grammars
        assert told == ["llama-server does not hold to a grammar: options are read from what the model writes"]


def test_a_grammar_that_llama_cpp_does_not_understand_is_never_sent() -> None:
    with serving(LCP) as server, engine_on(server) as (engine, _):
        assert "does not understand the grammar" in pieces_and_error(engine, grammar='root ::= "a" (')[1]
        assert not server.asked


def test_the_cache_is_moved_when_the_window_slid_and_never_after_an_edit() -> None:
    turns = ["Hello.", "Hi.", "Go on.", "I went.", "And?"]
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        for shown, reuse in (
            (window(*turns), 0),
            (window(*turns, "So.", "More."), 0),  # it grew
            (window(*turns[2:], "So.", "More.", " Yes.", "Then?", evicted=2), 16),  # it slid
            (window(*turns[2:], "So.", "More.", " Yes.", "Then?", evicted=2), 0),  # another take
            (window("I went.", "And?", "So.", "MORE.", " Yes.", "Then?", evicted=3), 0),  # it slid, and was edited
            (window("And?", "So.", "MORE.", " Yes.", evicted=4, head="You are mean."), 0),  # another head
        ):
            pieces_and_error(engine, shown)
            assert server.asked[-1]["n_cache_reuse"] == reuse


@pytest.mark.parametrize("slots", [1, 4])
def test_a_story_stays_in_the_slot_that_holds_it(slots: int) -> None:
    """All players' stories begin alike, and the server takes the slot that begins most alike."""
    with serving(LLAMA, says(" Yes.", cached=99)) as server:
        server.slots = slots
        with engine_on(server) as (engine, _):
            for shown, slot in (
                (window("A", "B", "C"), None),
                (window("A", "B", "C", " Yes.", "E"), 2),
                (window("C", " Yes.", "E", " Yes.", "F", evicted=2), 2),
            ):
                pieces_and_error(engine, shown)
                assert server.asked[-1].get("id_slot") == (slot if slots > 1 else None)


@pytest.mark.parametrize(("cached", "stays"), [(50, True), (3, False)])
def test_a_slot_that_another_story_was_put_into_is_left_to_it(cached: int, stays: bool) -> None:
    """Else both would stay there, and each be read whole in every turn."""
    turns = ["one " * 50]
    with serving(LLAMA, says(" Yes.", cached=cached)) as server:
        server.slots = 4
        with engine_on(server) as (engine, _):
            for _ in range(3):
                pieces_and_error(engine, window(*turns))
                turns += [" Yes.", "Go on."]
            assert server.asked[1]["id_slot"] == 2
            assert (server.asked[2]["id_slot"] == 2) is stays


def test_after_an_edit_out_of_sight_the_server_reads_once_from_the_beginning() -> None:
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        for forgets, reads_on in ((False, True), (True, False), (False, True)):
            if forgets:
                engine.forget_moved()
            pieces_and_error(engine, window("Hello."))
            assert server.asked[-1]["cache_prompt"] is reads_on


def test_stats_are_the_servers_figures() -> None:
    with serving(LLAMA, says(" Yes", ".", cached=5)) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine, window("one two three four"))
        stats, size = engine.stats, len(server.asked[0]["prompt"])
        assert (stats.prompt, stats.reused, stats.generated) == (size, 5, 2)
        assert stats.decoded == size - 5 + 2


def test_figures_that_come_behind_a_stop_text_are_taken() -> None:
    """vLLM sends the stop text and why it ended in one event, and what the request cost in the next."""
    with serving(VLLM, scripted.stops_at(" Yes.<|user|>", cached=6)) as server, engine_on(server) as (engine, _):
        assert pieces_and_error(engine, window("one two three four"), stop=("<|user|>",)) == (" Yes.", "")
        assert engine.stats.reused == 6


def test_a_reply_keeps_the_tokens_it_was_sampled_as() -> None:
    """Its text alone would be counted as one word; it was sampled as two tokens."""
    with serving(LLAMA, says(" Ye", "s.")) as server, engine_on(server) as (engine, _):
        pieces_and_error(engine)
        assert engine.count(Segment("<|model|>", " Yes.")) == 3


@pytest.mark.parametrize(
    ("name", "size"),
    [("Pygmalion-2-7B", 7_000_000_000), ("SmolLM2-135M-Instruct.Q4_1", 135_000_000), ("pygmalion-1.3b", 1_300_000_000),
     ("mythalion-13b.Q4_K_M", 13_000_000_000), ("gpt4", None), ("Q8_0", None)],
)  # fmt: skip
def test_a_name_tells_how_large_a_model_is(name: str, size: int | None) -> None:
    assert told_size(name) == size


def test_an_estimate_is_never_below_the_tokens_of_a_real_model(open_engine: object) -> None:
    engine = open_engine()  # type: ignore[operator]
    for text in ("The door opens, slowly.", "Дверь открылась.", "扉が開いた。", "x = {1: [2, 3]}", "", "ประตูเปิด"):
        assert estimate(text) >= engine.count(Segment("", text))


def test_a_file_counts_for_a_server_that_does_not(smollm2: Path) -> None:
    with serving(OTHER) as server:
        engine = open_server(read_address(server.url), LoadOptions(), lambda _: None, smollm2)
        assert engine.count(Segment("<|im_start|>", "user\nHello there")) == 5
        assert engine.template
        assert engine.template.startswith("{% for message in messages %}")
        engine.close()


def test_several_models_want_a_name() -> None:
    with serving(LLAMA) as server:
        with pytest.raises(AdvreplError, match="has no model other: it has smol-135M"):
            open_server(read_address(f"{server.url}#other"), LoadOptions(), lambda _: None)
        engine = open_server(read_address(f"{server.url}#smol-135M"), LoadOptions(), lambda _: None)
        engine.close()


def test_nobody_there() -> None:
    with serving(LLAMA) as server:
        url = server.url
    with pytest.raises(AdvreplError, match="nothing answers there: start the server, or play a model of this machine"):
        open_server(read_address(url), LoadOptions(), lambda _: None)


def test_dialects_name_only_parameters_that_there_are() -> None:
    known = [each for each in vars(dialects).values() if isinstance(each, dialects.Dialect)]
    assert len(known) == 7
    assert all(set(each.samplers) <= set(PARAMETERS) for each in known)
    assert Sampling().temperature == PARAMETERS["temperature"].default
