"""One reply: prose, options, repetitions. On a scripted engine."""

import pytest

from advrepl.play.reply import Option, Piece, ReplyTask, Written
from advrepl.play.writer import Writer
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


def test_a_beginning_is_shown_before_the_model_has_read_it() -> None:
    """But what may turn out to be the beginning of a banned phrase."""
    for bans, shown in (((), "You take a deep"), (("a deep breath",), "You take")):
        engine = ScriptedEngine(" look.", grammars=True)
        task = ReplyTask(WINDOW, str, Sampling(), 7, beginning="You take a deep", bans=bans)
        assert next(Writer(engine, task).write()) == Piece(shown)
        assert not engine.prompts


def test_a_beginning_that_the_model_adds_nothing_to_is_gone_on_from() -> None:
    engine = ScriptedEngine("", " ", " It creaks.", grammars=True)
    assert write(engine, options=0, beginning="You open it")[2].prose == "You open it It creaks."
    assert write(ScriptedEngine(*[""] * 4), options=0, beginning="You wait")[2].prose == "You wait…"


def test_a_reply_of_a_small_model_is_one_paragraph_and_no_mere_echo() -> None:
    engine = ScriptedEngine(" around.\n\nExplain what", " A lamp burns on the table.", grammars=True)
    pieces, _, written = write(engine, options=0, beginning="You look", least=6)
    assert pieces == written.prose == "You look around. A lamp burns on the table."
    assert engine.grammars_seen[1] and engine.prompts[1].endswith("You look around.")
    longer = ScriptedEngine(" around the room and see a lamp.\nIt is", grammars=True)
    assert write(longer, options=0, beginning="You look", least=6)[0] == "You look around the room and see a lamp."
    stopped = ScriptedEngine(" around.", grammars=True)
    assert write(stopped, options=0, beginning="You look")[0] == "You look around."  # where none is asked for


def test_a_reply_of_a_small_model_goes_on_to_the_end_of_its_sentence() -> None:
    """A base model ends its paragraph before a list, or a line of a poem."""
    engine = ScriptedEngine(" at the sign on the wall:\n- A", " it says nothing.", grammars=True)
    assert write(engine, options=0, beginning="You look", least=4)[0] == (
        "You look at the sign on the wall: it says nothing."
    )


def test_quotation_marks_that_close_nothing_are_left_out_of_a_small_models_reply() -> None:
    said = ' I want to talk.""Is that so?" I think it is."'
    pieces, _, written = write(ScriptedEngine(said, grammars=True), options=0, least=4)
    assert pieces == written.prose == 'I want to talk. "Is that so?" I think it is.'
    assert write(ScriptedEngine(said, grammars=True), options=0)[0] == said.strip()  # a large one's is its own


def test_a_reply_that_is_stopped_at_its_beginning_leaves_what_was_shown() -> None:
    task = ReplyTask(WINDOW, str, Sampling(), 7, option_count=3, beginning="You wait")
    *_, written = Writer(ScriptedEngine("", grammars=True), task, cancelled=lambda: True).write()
    assert isinstance(written, Written)
    assert (written.text, written.stats.stop) == ("You wait", "interrupted")


def test_a_reply_that_goes_on_gets_no_beginning() -> None:
    engine = ScriptedEngine(" It rains.")
    assert write(engine, options=0, prefix="You wait.", beginning="You sit")[2].prose == "You wait. It rains."


def test_a_beginning_stays_where_what_follows_is_a_repetition() -> None:
    said = "You look at the old man and the lamp goes out again."
    engine = ScriptedEngine(" and the lamp goes out again.", ". Nobody here", " speaks.")
    _, _, written = write(engine, options=0, beginning="You look at the old man", earlier=(said,))
    assert written.prose == "You look at the old man. Nobody speaks."
    assert engine.samplings[1].logit_bias == {" and": -100.0}


def test_what_the_player_does_twice_is_told_twice() -> None:
    deed = "You follow the wet footprints down to the cold dark water"
    engine = ScriptedEngine(" once more and find a boat.", grammars=True)
    _, _, written = write(engine, options=0, beginning=deed, earlier=(f"{deed} and wait.",))
    assert written.prose == f"{deed} once more and find a boat." and len(engine.prompts) == 1


def test_a_small_model_has_room_to_end_its_sentence() -> None:
    names = [f" {a}{b}ord" for a in "bcdfgh" for b in "aeioulmnrt"]
    prose = "".join(name + "." * (number in (29, 39)) for number, name in enumerate(names))
    for soft_end, count in ((0.55, 30), (0.75, 40)):
        engine = ScriptedEngine(prose, grammars=True)
        task = ReplyTask(WINDOW, str, Sampling(max_tokens=50), 7, soft_end=soft_end)
        *_, written = Writer(engine, task).write()
        assert isinstance(written, Written) and len(written.prose.split()) == count


def test_options_with_verbs_do_without_those_of_the_last_menus() -> None:
    earlier = tuple(
        f"A hall, a door, a hat.\n- {verb} the hat.\n- {verb} the cat." for verb in ("Take", "Push", "Read", "Hide")
    )
    engine = ScriptedEngine("A lamp burns.", " Open it now.\n", " Close it now.\n", " Wait here.\n", grammars=True)
    _, choices, _ = write(engine, earlier=earlier, verbs=VERBS)
    assert choices == ["Open it now.", "Close it now.", "Wait here."]
    assert '"Take " ("the lamp")' in engine.grammars_seen[1] and '"Push "' not in engine.grammars_seen[1]
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


# --- what it must not say


@pytest.mark.parametrize("line", ["Bob: no", "bob: no", "**BOB:** no", "Bob : no", "Bob\nno"])
def test_a_line_in_the_players_name_ends_the_reply_in_any_spelling(line: str) -> None:
    pieces, _, written = write(ScriptedEngine(f"A bell rings.\n{line}, and more."), options=0, stops=("\nBob:",))
    assert pieces == written.prose == "A bell rings." and written.stats.stop == "stop"


def test_a_name_alone_at_the_end_is_taken_off() -> None:
    assert write(ScriptedEngine("A bell rings.\nBob"), options=0, stops=("\nBob:",))[2].prose == "A bell rings."


def test_a_player_called_like_a_word_ends_nothing_unless_he_asks_for_it() -> None:
    text = "She smiles.\n\nWill you stay?\n\nMay be."
    assert write(ScriptedEngine(text), options=0, stops=("\nWill:",))[0] == text
    asked = Sampling(stop_at_name=1)
    assert write(ScriptedEngine(text), options=0, stops=("\nWill:",), sampling=asked)[0] == "She smiles."


@pytest.mark.parametrize("front", ["Mira: ", "mira : ", "**Mira:** ", "Mira:\n"])
def test_the_speakers_own_label_is_left_out(front: str) -> None:
    pieces, _, written = write(ScriptedEngine(f"{front}Come in, Bob: now."), options=0, speaker="Mira")
    assert pieces == written.text == "Come in, Bob: now."


def test_a_reply_that_only_begins_with_the_name_is_whole() -> None:
    assert write(ScriptedEngine("Mira smiles."), options=0, speaker="Mira")[0] == "Mira smiles."
    assert write(ScriptedEngine("Mira"), options=0, speaker="Mira")[0] == "Mira"


def test_dialogue_is_no_list() -> None:
    text = "He looks up.\n- Who goes there? he asks.\nHe steps aside."
    engine = ScriptedEngine(text, " Go.\n", " Run.\n", " Sit.\n", grammars=True)
    pieces, choices, written = write(engine)
    assert pieces == written.prose == text and choices == ["Go.", "Run.", "Sit."]
    assert menu.split(written.text) == (text, ("Go.", "Run.", "Sit."))


def test_one_line_behind_which_the_model_ends_is_a_list() -> None:
    engine = ScriptedEngine("He looks up.\n1) Go", " Go.\n", " Run.\n", " Sit.\n", grammars=True)
    assert write(engine)[2].text == "He looks up.\n1) Go.\n2) Run.\n3) Sit."


def test_in_a_story_of_another_language_nothing_english_is_offered() -> None:
    prose = "Ты стоишь у двери, и она медленно открывается."
    engine = ScriptedEngine(prose, *[" Войти в дом.\n"] * 4, " Бежать прочь.\n", grammars=True)
    assert write(engine)[1] == ["Войти в дом.", "Внимательно осмотреться.", "Бежать прочь."]
    assert engine.samplings[1].logit_bias[" Ты"] == -4.0 and " You" not in engine.samplings[1].logit_bias
    polish = "Stoisz przed drzwiami i nie wiesz, co się za nimi kryje."
    engine = ScriptedEngine(polish, *[" Otwórz drzwi.\n"] * 4, " Uciekaj stąd.\n", grammars=True)
    assert write(engine)[1] == ["Otwórz drzwi.", "Uciekaj stąd."]
    asked = ScriptedEngine(polish, *[" Otwórz drzwi.\n"] * 4, " Uciekaj stąd.\n", grammars=True)
    assert write(asked, language="de")[1][1] == "Sieh dich genau um."


def test_a_form_under_each_reply_stays_and_the_guard_can_be_turned_off() -> None:
    form = "[HP: 10 | Gold: 3 | Place: the old mill by the river | Time: night]"
    engine = ScriptedEngine(f"It rains.\n\n{form}")
    assert write(engine, options=0, earlier=(f"He nods.\n\n{form}",))[0] == f"It rains.\n\n{form}"
    loose = Sampling(loop_guard=0)
    assert write(ScriptedEngine(SAID), options=0, earlier=(SAID,), sampling=loose)[0] == SAID


def test_a_repetition_in_a_script_without_spaces_is_left() -> None:
    said = "彼は古い扉の前に立って、ランプが三日前の夜に消えたと言った。"
    engine = ScriptedEngine(said, "雨が 降る また", "。")
    assert write(engine, options=0, earlier=(said,))[0] == "雨が 降る。"
    assert engine.samplings[1].logit_bias == {" 彼は古い扉の前に立って、ランプが三日前の夜に消えたと言った。": -100.0}


BANNED = ("shivers down", "a testament to")


def test_a_banned_phrase_is_written_otherwise_and_was_never_shown() -> None:
    engine = ScriptedEngine("He nods. It sent Shivers  DOWN his back.", " a chill and more", " through him.")
    pieces, _, written = write(engine, options=0, bans=BANNED)
    assert pieces == written.prose == "He nods. It sent a chill through him."
    assert engine.samplings[1].logit_bias[" Shivers"] == -100.0 and engine.samplings[1].max_tokens == 2
    assert engine.prompts[1].endswith("MHe nods. It sent")


def test_a_model_that_knows_only_the_phrase_ends_with_its_sentence() -> None:
    engine = ScriptedEngine("He nods. It sent shivers down", *[" shivers down"] * 90)
    pieces, _, written = write(engine, options=0, bans=BANNED, sampling=Sampling(max_tokens=100))
    assert pieces == written.prose == "He nods. It sent…" and len(engine.prompts) < 12
    later = ScriptedEngine(
        "It sent shivers down", " a chill and more", " up. He nods. It is a testament to", *[" a testament to"] * 90
    )
    assert write(later, options=0, bans=BANNED)[0] == "It sent a chill up. He nods."


def test_a_sentence_that_always_comes_to_a_phrase_is_begun_anew() -> None:
    """Once a reply has come to a phrase, it is shown in whole sentences: so they can be taken from their beginning."""
    engine = ScriptedEngine(
        "It sent shivers down", " a chill and more", " up. Yes, it sent shivers down",
        *[" shivers down"] * 5, " Nobody speaks at all", ".",
    )  # fmt: skip
    pieces, _, written = write(engine, options=0, bans=BANNED)
    assert pieces == written.prose == "It sent a chill up. Nobody speaks."
    cuts = [prompt.split("MIt sent a chill up.")[-1] for prompt in engine.prompts[3:]]
    assert cuts == [" Yes, it sent"] * 3 + [" Yes,"] * 2 + ["", " Nobody speaks"]


def test_options_hold_no_banned_phrase() -> None:
    engine = ScriptedEngine("He nods.", " Go on.\n", " Sing now.\n", " Look around.\n", " Wait.\n", grammars=True)
    assert write(engine, bans=("go ON",))[1] == ["Sing now.", "Look around.", "Wait."]
    assert engine.samplings[2].logit_bias[" Go"] == -100.0
    stubborn = ScriptedEngine("He nods.", *[" Go on.\n"] * 3, " Sing now.\n", " Wait.\n", grammars=True)
    assert write(stubborn, bans=("go on", "look around"))[1] == ["Wait and see what happens.", "Sing now.", "Wait."]


def test_a_beginning_that_holds_a_banned_phrase_is_left_out() -> None:
    assert write(ScriptedEngine("It rains."), options=0, beginning="You go on", bans=("go on",))[0] == "It rains."


def test_what_was_shown_before_a_ban_stays() -> None:
    engine = ScriptedEngine(" his back.")
    written = write(engine, options=0, prefix="It sent shivers down", bans=BANNED)[2]
    assert written.prose == "It sent shivers down his back."


def test_no_option_needs_what_is_not_there() -> None:
    lines = (" You wait.", " Give the key to her.\n", " Walk on.\n", " Put down the rope.\n", " Call out.\n")
    engine = ScriptedEngine(*lines, grammars=True)
    assert write(engine, options=2, held=("rope",))[2].options == ("Walk on.", "Put down the rope.")
    engine = ScriptedEngine(*lines, grammars=True)
    assert write(engine, options=2)[2].options == ("Give the key to her.", "Walk on.")
