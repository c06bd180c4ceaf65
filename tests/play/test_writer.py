"""One reply: prose, options, repetitions. On a scripted engine."""

import pytest

from advrepl.play.writer import Option, Piece, ReplyTask, Writer, Written
from advrepl.prompt import options as menu
from advrepl.prompt.actions import VERBS
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests.conftest import ScriptedEngine

WINDOW = Window(Prompt((Segment("S", "sys"),), ((Segment("U", "go"),),), (Segment("M", ""),)), 0, 4, 100)
SAID = "The old man looks at you and says that the lamp went out three nights ago."


def write(engine: ScriptedEngine, options: int = 3, **task: object) -> tuple[str, list[str], Written]:
    how: dict[str, object] = {"sampling": Sampling(max_tokens=50), "seed": 7, "stops": ("<|user|>",), **task}
    events = list(Writer(engine, ReplyTask(WINDOW, str, option_count=options, **how)).write())  # type: ignore[arg-type]
    written = events[-1]
    assert isinstance(written, Written)
    pieces = "".join(event.text for event in events if isinstance(event, Piece))
    choices = [event.text for event in events if isinstance(event, Option)]
    assert tuple(choices) == written.options or not written.options
    return pieces, choices, written


def test_prose_first_then_options_under_the_grammar() -> None:
    engine = ScriptedEngine(" You enter.\n", " Go up.\n", " Go down.\n", " Wait.\n", grammars=True)
    pieces, choices, written = write(engine)
    assert pieces == written.prose == "You enter."
    assert choices == ["Go up.", "Go down.", "Wait."]
    assert written.text == "You enter.\n- Go up.\n- Go down.\n- Wait."
    assert engine.prompts == ["SsysUgoM", "SsysUgoMYou enter.\n-", *engine.prompts[2:]]
    assert engine.prompts[3] == "SsysUgoMYou enter.\n- Go up.\n- Go down.\n-"
    assert written.stats.stop == "end" and written.stats.generated == 7


def test_the_list_that_the_model_begins_gives_the_style_and_is_never_shown() -> None:
    engine = ScriptedEngine("You enter.\n\n1. Go up.\n2. Go", " Sit.\n", " Stand.\n", " Wait.\n", grammars=True)
    pieces, _, written = write(engine)
    assert pieces == "You enter."
    assert written.text == "You enter.\n1. Sit.\n2. Stand.\n3. Wait."


def test_the_same_option_twice_is_written_again_and_at_last_replaced() -> None:
    engine = ScriptedEngine("You enter.", " Go.\n", *[" go!\n"] * 3, " Wait.\n", grammars=True)
    _, choices, _ = write(engine)
    assert len({choice.casefold() for choice in choices}) == 3
    assert choices == ["Go.", "Look around carefully.", "Wait."]


def test_options_of_the_last_reply_are_avoided_if_the_model_can() -> None:
    earlier = ("A hall.\n- Go up.\n- Go down.\n- Wait.",)
    engine = ScriptedEngine("You enter.", " Go up.\n", " Sing.\n", " Dance.\n", " Jump.\n", grammars=True)
    assert write(engine, earlier=earlier)[1] == ["Sing.", "Dance.", "Jump."]
    stubborn = ScriptedEngine("You enter.", *[" Go up.\n"] * 3, " Sing.\n", " Dance.\n", grammars=True)
    assert write(stubborn, earlier=earlier)[1] == ["Go up.", "Sing.", "Dance."]


def test_a_reply_begins_as_it_is_told_to() -> None:
    engine = ScriptedEngine(" and hear a voice.", grammars=True)
    pieces, _, written = write(engine, options=0, beginning="You open the door")
    assert pieces == written.prose == written.text == "You open the door and hear a voice."
    assert engine.prompts == ["SsysUgoMYou open the door"]


def test_a_beginning_that_the_model_adds_nothing_to_is_no_reply() -> None:
    engine = ScriptedEngine("", " ", " It creaks.", grammars=True)
    assert write(engine, options=0, beginning="You open it")[2].prose == "You open it It creaks."
    assert write(ScriptedEngine(*[""] * 4), options=0, beginning="You wait")[2].prose == "…"


def test_a_reply_that_is_stopped_at_its_beginning_leaves_nothing() -> None:
    task = ReplyTask(WINDOW, str, Sampling(), 7, option_count=3, beginning="You wait")
    *_, written = Writer(ScriptedEngine("", grammars=True), task, cancelled=lambda: True).write()
    assert isinstance(written, Written)
    assert (written.text, written.stats.stop) == ("", "interrupted")


def test_a_reply_that_goes_on_gets_no_beginning() -> None:
    engine = ScriptedEngine(" It rains.")
    assert write(engine, options=0, prefix="You wait.", beginning="You sit")[2].prose == "You wait. It rains."


def test_a_beginning_that_leads_into_a_repetition_is_left() -> None:
    said = "You look at the old man and the lamp goes out again."
    engine = ScriptedEngine(" and the lamp goes out again.", " Nobody here and", " speaks.")
    _, _, written = write(engine, options=0, beginning="You look at the old man", earlier=(said,))
    assert written.prose == "Nobody here speaks."
    assert engine.samplings[1].logit_bias == {" You": -100.0}


def test_options_with_verbs_do_without_those_of_the_last_menus() -> None:
    earlier = tuple(
        f"A hall, a door, a hat.\n- {verb} the hat.\n- {verb} the cat." for verb in ("Take", "Push", "Read", "Hide")
    )
    engine = ScriptedEngine("You enter.", " Open it now.\n", " Close it now.\n", " Wait here.\n", grammars=True)
    _, choices, _ = write(engine, earlier=earlier, verbs=VERBS)
    assert choices == ["Open it now.", "Close it now.", "Wait here."]
    assert '"Take "' in engine.grammars_seen[1] and '"Push "' not in engine.grammars_seen[1]
    assert '"Open "' in engine.grammars_seen[1] and '"Open "' not in engine.grammars_seen[2]


def test_a_model_that_always_offers_one_thing_is_helped_out() -> None:
    earlier = ("A hall.\n- Take the hat.\n- Look around carefully.",)
    engine = ScriptedEngine("You enter.", *[" Grab the hat.\n"] * 3, " Open it.\n", " Hide here.\n", grammars=True)
    _, choices, _ = write(engine, earlier=earlier, verbs=VERBS)
    assert choices == ["Wait and see what happens.", "Open it.", "Hide here."]
    assert [" hat" in sampling.logit_bias for sampling in engine.samplings] == [False, False, True, True, False, False]


def test_a_repetition_is_left_before_it_is_whole() -> None:
    engine = ScriptedEngine(
        f"You knock. {SAID} Again.", " suddenly laughs out loud", " and the door falls shut.", grammars=True
    )
    pieces, _, written = write(engine, options=0, earlier=("Hm.", SAID))
    assert pieces == written.prose
    assert pieces == "You knock. The old man looks suddenly laughs and the door falls shut."
    assert engine.samplings[1].logit_bias == {" at": -100.0} and engine.samplings[1].max_tokens == 2
    assert engine.prompts[2].endswith("MYou knock. The old man looks suddenly laughs")


def test_a_model_that_only_repeats_ends_with_its_sentence() -> None:
    engine = ScriptedEngine(*[f" {SAID} {SAID} {SAID}", " at you and on"] * 30)
    _, _, written = write(engine, options=0, earlier=(SAID,), sampling=Sampling(max_tokens=100))
    assert written.prose.endswith("three nights ago.") and len(engine.prompts) <= 9


def test_an_empty_reply_is_tried_again_and_then_forced() -> None:
    engine = ScriptedEngine("", " \n", "You enter.", grammars=True)
    assert write(engine, options=0)[2].prose == "You enter."
    assert len({sampling.seed for sampling in engine.samplings}) == 3
    assert write(ScriptedEngine(*[""] * 4), options=0)[2].prose == "…"


def test_a_long_reply_ends_with_its_sentence() -> None:
    text = "one two three four. five six seven eight. nine ten eleven twelve. thirteen fourteen."
    for limit, end in ((20, text), (14, text[:65]), (9, text[:41])):
        assert write(ScriptedEngine(text), options=0, sampling=Sampling(max_tokens=limit))[2].prose == end, limit


def test_quotes_are_closed() -> None:
    assert write(ScriptedEngine('He says: "Come in'), options=0)[2].prose == 'He says: "Come in"'
    assert write(ScriptedEngine("He says: “Come in. Now"), options=0)[2].prose == "He says: “Come in. Now”"
    text = 'one two. "three four. five" six. seven eight nine ten.'
    assert (
        write(ScriptedEngine(text), options=0, sampling=Sampling(max_tokens=5))[2].prose
        == 'one two. "three four. five"'
    )


def test_a_reply_that_is_broken_off_says_so() -> None:
    engine = ScriptedEngine("one two three four five six", " Go.\n", " Run.\n", " Sit.\n", grammars=True)
    pieces, _, written = write(engine, sampling=Sampling(max_tokens=4))
    assert pieces == written.prose == "one two three four…" and written.stats.stop == "length"


def test_ctrl_c_keeps_the_prose_and_offers_nothing() -> None:
    engine = ScriptedEngine("You enter the hall.", grammars=True)
    events = Writer(engine, ReplyTask(WINDOW, str, Sampling(), 7, option_count=3)).write()
    assert next(events) == Piece("You")
    engine.cancel()
    written = list(events)[-1]
    assert isinstance(written, Written)
    assert (written.prose, written.options, written.stats.stop) == ("You", (), "interrupted")


@pytest.mark.parametrize(("shown", "kept"), [(1, ()), (2, ("Go up.", "Knock."))])
def test_ctrl_c_among_the_options_keeps_those_that_are_a_choice(shown: int, kept: tuple[str, ...]) -> None:
    engine = ScriptedEngine("You enter.", " Go up.\n", " Knock.\n", " Shout.\n", grammars=True)
    task = ReplyTask(WINDOW, str, Sampling(), 7, option_count=3)
    events = list(Writer(engine, task, cancelled=lambda: len(engine.prompts) > shown).write())
    written = events[-1]
    assert isinstance(written, Written) and sum(isinstance(event, Option) for event in events) == shown
    assert written.options == kept == menu.split(written.text)[1]


@pytest.mark.parametrize(
    ("lists", "options"),
    [
        ([" Go up.\n- Go down.\n- Wait.\n- Sing."], ("Go up.", "Go down.", "Wait.")),
        ([" I do not know.", " Go up.\n- Go down.\n- Wait."], ("Go up.", "Go down.", "Wait.")),
        ([" I do not know.", " No."], ()),
    ],
)
def test_without_a_grammar_the_list_is_read_tried_once_more_and_given_up(
    lists: list[str], options: tuple[str, ...]
) -> None:
    assert write(ScriptedEngine("You enter.", *lists))[2].options == options


def test_a_reply_that_goes_on_shows_only_what_is_new() -> None:
    engine = ScriptedEngine(" and sit down.")
    pieces, _, written = write(engine, options=0, prefix="You enter")
    assert pieces == " and sit down." and written.prose == "You enter and sit down."
    assert engine.prompts == ["SsysUgoMYou enter"]
