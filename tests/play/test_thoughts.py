"""What a model thinks is no prose: it is told apart, bounded, kept by itself, and shown to no later prompt."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from advrepl import AdvreplError, thinking
from advrepl.play.events import Event, Note, Reply
from advrepl.play.game import Game
from advrepl.play.reply import Piece
from advrepl.play.thoughts import Thought, longest, read_thinking
from advrepl.prompt.formats import Format
from advrepl.prompt.template import ChatTemplate
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import ModelRef, Save, load
from advrepl.story.scenario import Scenario
from advrepl.terminal.commands.table import run
from advrepl.thinking import FORMS, Marks
from tests.conftest import ScriptedEngine

PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
OPENS = PLAIN + "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
ITSELF = PLAIN + "{% if add_generation_prompt %}<|assistant|>{% endif %}"
SWITCHED = PLAIN + (
    "{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
SCENE = Scenario(name="x", title="", system="s", start="", options=0)
TAGS = [Marks(f"<{tag}>", f"</{tag}>") for tag in (
    "think", "thinking", "thought", "thoughts", "reasoning", "Think", "THINKING", "seed:think", "mm:think",
    "think:opensource", "reflection", "analysis",
)] + [Marks(begin, end) for begin, end in (
    ("<|thinking|>", "<|/thinking|>"), ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"), ("<|reasoning_start|>", "<|reasoning_end|>"),
    ("<|start_of_thought|>", "</thought>"), ("<|thought|>", "<|thought_end|>"), ("<|think|>", "</|think|>"),
)]  # fmt: skip
Make = Callable[..., tuple[Game, ScriptedEngine]]


@pytest.fixture
def make(tmp_path: Any) -> Iterator[Make]:
    files = []

    def made(template: str, *replies: str, options: int = 0, think: int | None = None) -> tuple[Game, ScriptedEngine]:
        engine, format = ScriptedEngine(*replies), ChatTemplate(template)
        scene = msgspec.structs.replace(SCENE, options=options, think=think)
        file = SaveFile(tmp_path / "story.json")
        files.append(file)
        save = Save(2, "", "", ModelRef(), "chat", {}, scene, [], None)
        return Game(engine, format, save, file), engine

    yield made
    for file in files:
        file.close()


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


@pytest.mark.parametrize("form", [*TAGS, *FORMS, Marks("[think]", "[/Think]")], ids=lambda form: form.begin)
def test_a_model_that_begins_to_think_by_itself(make: Make, form: Marks) -> None:
    # The engine is stopped where a mark is whole, and goes on from there.
    game, engine = make(ITSELF, f"{form.begin}so", f" it goes {form.end}\n\nGood", " evening!", "Yes.")
    events = list(game.act("hi"))
    assert said(events) == "Good evening!" and isinstance(events[-1], Reply) and events[-1].text == "Good evening!"
    assert any(isinstance(event, Thought) and event.tokens for event in events)
    kept = load(game.file.path).turns[-1]
    assert (kept.text, kept.thoughts == "so it goes", "Good" in kept.thoughts) == ("Good evening!", True, False)
    list(game.act("and?"))
    assert "so it goes" not in engine.prompts[-1] and "<|assistant|>Good evening!<|user|>and?" in engine.prompts[-1]


def test_thoughts_that_the_template_begins_are_between_the_cue_and_the_prose(make: Make) -> None:
    game, engine = make(OPENS, "he greets me </think>", " *waves*")
    assert said(list(game.act("hi"))) == "*waves*"
    assert game.story.turns[-1].thoughts == "he greets me"
    assert engine.prompts[1].endswith("<|assistant|><think>\nhe greets me </think>")


@pytest.mark.parametrize(
    ("said_at_once", "thoughts"),
    [
        ("<think>\nso it goes\n</think>\n\nGood evening!", "so it goes"),
        (" to=self<|message|>so it goes<|eom|><|start|>assistant to=user<|message|>Good evening!", "so it goes"),
        ("<|channel|>analysis<|message|>so it goes<|end|><|start|>assistant<|channel|>final<|message|>Good evening!",
         "so it goes"),
        ("<|START_THINKING|>so it goes<|END_THINKING|><|START_TEXT|>Good evening!<|END_TEXT|>", "so it goes"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whole", [True, False])
def test_thoughts_and_reply_in_one_piece_or_in_many(make: Make, said_at_once: str, thoughts: str, whole: bool) -> None:
    """Servers may send more than a token at a time."""
    game, engine = make(ITSELF)
    told = str(game.planner.player_turn("hi").window.prompt)
    pieces = [said_at_once] if whole else list(said_at_once)

    def rest(limit: int) -> Iterator[str]:
        there = engine.prompts[-1].removeprefix(told)
        engine.stats.stop = "end"
        yield from pieces if not there else [said_at_once[len(there) :]]

    engine._words = rest  # type: ignore[method-assign]
    assert said(list(game.act("hi"))) == "Good evening!"
    kept = game.story.turns[-1]
    assert (kept.text, kept.thoughts) == ("Good evening!", thoughts)


@pytest.mark.parametrize("mark", ["</think>\n\n", "</mm:think>", "<|content|>", "</Thinking>"])
def test_a_model_that_only_says_that_it_has_thought(make: Make, mark: str) -> None:
    game, _ = make(ITSELF, f"{mark}Good", " evening!")
    assert said(list(game.act("hi"))) == "Good evening!" and not game.story.turns[-1].thoughts


@pytest.mark.parametrize("more", ["<think_off>", "<think_on>\n<think>\nhm\n</think>"])
def test_a_model_that_judges_whether_it_is_to_think(make: Make, more: str) -> None:
    game, _ = make(
        ITSELF, "<judge>\nIt", f" is a greeting.\n</judge>\n\n{more}\n\n<answer>\nGood", " evening!\n</answer>"
    )
    assert said(list(game.act("hi"))) == "Good evening!"
    assert game.story.turns[-1].thoughts.split() == ["It", "is", "a", "greeting.", *["hm"] * ("hm" in more)]


def test_a_mark_of_thoughts_ends_no_reply() -> None:
    template = PLAIN.replace(
        "{{ m.content }}", "{% if m.role == 'assistant' %}<|content|></Think>{% endif %}{{ m.content }}"
    )
    assert ChatTemplate(template).role_marks == ("<|user|>", "<|assistant|>")


def test_a_word_behind_the_last_mark_is_prose(make: Make) -> None:
    game, engine = make(OPENS, "hm </think>\n\nGood", " evening! So late?")
    assert said(list(game.act("hi"))) == "Good evening! So late?"
    assert engine.prompts[1].endswith("hm </think>\n\nGood")


def test_what_only_looks_like_thinking_is_prose(make: Make) -> None:
    for text in (
        "<thin ice> cracks.",
        "<thinker> <Thinks>",
        "<thought of you>",
        "< think",
        "*thinks* <think>",
        "<",
        "[THIN] air",
    ):
        game, _ = make(ITSELF, text)
        events = list(game.act("hi"))
        assert said(events) == text and not any(isinstance(event, Thought) for event in events)
        game.file.close()


@pytest.mark.parametrize(
    ("replies", "text", "thoughts"),
    [
        (["*waves*\n<think> hm hm </think>\nSo late?"], "*waves*\nSo late?", "hm hm"),
        (["*waves* <Thought> hm </Thought> So late?"], "*waves* So late?", "hm"),
        (["He greets me.\nI wave. </think>\n\n*waves* So late?"], "*waves* So late?", "He greets me.\nI wave."),
        (["He greets me. [/THINK] *waves*"], "*waves*", "He greets me."),
        (['<think step="1"> …', " a <think> b </think>", " c </think> *waves*"], "*waves*", "a <think> b\n\nc"),
        (["<think> …", " hm </thinking>", " *waves*"], "*waves*", "hm"),
        (["*waves* So late?\n</think>"], "*waves* So late?", ""),
        (["*waves* So late?\n<think> now he may say"], "*waves* So late?", ""),
    ],
)
def test_thoughts_in_the_midst_of_a_reply_are_no_prose(
    make: Make, replies: list[str], text: str, thoughts: str
) -> None:
    """Some models think again, or leave the first mark out: then all that stands before the last one is thought."""
    game, engine = make(ITSELF, *replies, "Yes.")
    events = list(game.act("hi"))
    assert isinstance(events[-1], Reply) and events[-1].text == text
    kept = load(game.file.path).turns[-1]
    assert (kept.text, kept.thoughts) == (text, thoughts)
    list(game.act("and?"))
    assert f"<|assistant|>{text}<|user|>and?" in engine.prompts[-1]


def test_thoughts_end_at_their_limit_and_the_reply_comes(make: Make) -> None:
    game, engine = make(OPENS, "a b c d e f </think> x", "Good evening!", think=3)
    events = list(game.act("hi"))
    assert said(events) == "Good evening!" and [e.tokens for e in events if isinstance(e, Thought)][-1] == 3
    assert engine.samplings[0].max_tokens == 3 and engine.prompts[1].endswith("<think>\na b c\n</think>\n\n")


def test_thoughts_are_closed_as_they_were_begun(make: Make) -> None:
    for mark, closed in (
        ("<Think>", "<Think>a b\n</Think>\n\n"),
        ("<|channel|>", "<|channel|>a b<|end|><|start|>assistant<|channel|>final<|message|>"),
    ):
        game, engine = make(
            PLAIN + "{% if add_generation_prompt %}<|assistant|>" + mark + "{% endif %}", "a b", "Good!"
        )
        assert said(list(game.act("hi"))) == "Good!" and engine.prompts[1].endswith(closed)
        game.file.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "\n<answer>\n"), ("\n\n<Answer>", " "), ("", "<response>"), ("", "<|begin_of_solution|>"), ("<", "")],
)
def test_a_tag_around_a_reply_that_was_thought_about_is_no_prose(make: Make, before: str, after: str) -> None:
    game, _ = make(OPENS, f"hm </think>{before}", f"{after}Good evening!\n</answer> So late?")
    list(game.act("hi"))
    assert game.story.turns[-1].text == ("<Good evening!" if before == "<" else "Good evening!")


def test_what_thoughts_cost_is_told(make: Make) -> None:
    """The engine is asked three times for such a reply: for its beginning, what is thought, and what is said."""
    game, engine = make(ITSELF, "<think> a", " b c d </think> x", "Good evening!")
    for number, generate in enumerate((7, 20, 300)):
        engine.costs.append((generate, int(not number)))
    stats = next(event.stats for event in game.act("hi") if isinstance(event, Reply))
    assert (stats["generated"], stats["decoded"], game.read_in_full) == (2, 327, 1)


def test_thoughts_that_run_into_the_end_are_closed(make: Make) -> None:
    game, engine = make(OPENS, "a b", "Good evening!")
    assert said(list(game.act("hi"))) == "Good evening!" and engine.prompts[1].endswith("a b\n</think>\n\n")


@pytest.mark.parametrize("template", [OPENS, SWITCHED])
def test_a_model_that_is_not_to_think_finds_no_thoughts_open(make: Make, template: str) -> None:
    game, engine = make(template, "Good evening!", think=0)
    assert said(list(game.act("hi"))) == "Good evening!"
    assert engine.prompts[0].endswith("<|assistant|><think>\n\n</think>\n\n")


def test_a_model_that_thinks_all_the_same_is_stopped_at_once(make: Make) -> None:
    game, engine = make(ITSELF, "<think> a b", "Good evening!", think=0)
    assert said(list(game.act("hi"))) == "Good evening!" and game.story.turns[-1].thoughts == ""
    assert engine.prompts[1].endswith("<think>\n</think>\n\n")


def test_options_are_read_behind_the_thoughts(make: Make) -> None:
    game, engine = make(OPENS, "hm - a plan\n- another </think>\n\n", "You wake.", " Go.\n- Stay.\n", options=2)
    reply = list(game.act("hi"))[-1]
    assert isinstance(reply, Reply) and (reply.text, reply.options) == ("You wake.", ("Go.", "Stay."))
    assert engine.prompts[2].endswith("another </think>\n\nYou wake.\n-")


def test_thoughts_take_nothing_of_the_replys_length(make: Make) -> None:
    game, engine = make(OPENS, "a " * 300 + "</think> ", "one two three.")
    reply = list(game.act("hi"))[-1]
    assert isinstance(reply, Reply) and reply.stats["generated"] == 3
    assert engine.samplings[1].max_tokens == replace(game.sampling).max_tokens


def test_a_reply_that_the_writer_ends_has_its_stats(make: Make) -> None:
    game, _ = make(ITSELF, "You wake.\n- Go.\n- Stay.\n", " Go.\n- Stay.\n", options=2)
    stats = next(event.stats for event in game.act("hi") if isinstance(event, Reply))
    assert stats["prompt"] > 0 and stats["generated"] > 4 and stats["stop"] == "end"


def test_continue_keeps_the_thoughts_and_thinks_no_more(make: Make) -> None:
    game, _ = make(OPENS, "hm </think>", "You wake.", " It is late.")
    list(game.act("hi"))
    list(game.go_on())
    assert (game.story.turns[-1].text, game.story.turns[-1].thoughts) == ("You wake. It is late.", "hm")


def test_think_shows_and_bounds_thoughts(make: Make) -> None:
    game, _ = make(OPENS, "thought\nhm <|x|> so </think>", "You wake.")
    list(game.act("hi"))

    def told(line: str) -> str:
        return "".join(event.text for event in run(game, line) if isinstance(event, Note))

    assert told("/think") == "hm  so" and told("/think 30") == "up to 30 tokens of thinking"
    assert (told("/think off"), game.scenario.think) == ("no thinking", 0)
    assert (told("/think on"), game.scenario.think) == ("thinking is on", None)
    with pytest.raises(AdvreplError, match="thinking is off, or a number of tokens such as 300, not 'loud'"):
        read_thinking("loud")


def test_thoughts_take_at_most_a_quarter_of_the_context() -> None:
    assert (longest(None, 8192), longest(None, 512), longest(0, 512), longest(60, 512)) == (1024, 128, 0, 60)


def test_a_cue_tells_whether_thoughts_have_begun() -> None:
    open, done = "<|a|><think>\n", "<|a|><think>\n\n</think>\n\n"
    assert thinking.begun(open) == TAGS[0] and thinking.begun(done) is None and thinking.begun("") is None
    assert thinking.settled(done) and not thinking.settled(open) and thinking.closed(open) == done


def test_only_templates_that_know_of_thoughts_keep_room_for_them() -> None:
    formats: list[Format] = [ChatTemplate(OPENS), ChatTemplate(ITSELF)]
    assert [format.thinks for format in formats] == [True, False]
