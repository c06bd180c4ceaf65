"""Macros: what each becomes, that a second prompt is the same to the byte, and that no text is too much."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand, hidden_keys, is_new_each_turn, unknown_note

CONTEXT = MacroContext(
    user="Ann",
    char="Bob",
    description="{{char}} likes {{random::tea::rum}}.",
    personality="{{description}} {{personality}}",
    greetings=("Hello, {{user}}.", "Go away."),
    original="Be {{char}}.",
    last_message="{{roll:6}}",
    version="1.2",
    max_context="4096",
    last_message_id="2",
    now=datetime(2026, 11, 21, 16, 5, 9, tzinfo=UTC),
    idle=timedelta(hours=3),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{USER}} and {{Char}}, <user> and <BOT>, <Char>", "Ann and Bob, Ann and Bob, Bob"),
        ("{{{char}}} {{ user }} {{charVersion}}", "{Bob} Ann 1.2"),
        ("{{unknown}} {{unknown::{{char}}}} {{user's}} {{}}", "{{unknown}} {{unknown::Bob}} Ann {{}}"),
        ("a {{ b }} c }} {{char", "a {{ b }} c }} {{char"),
        ("x{{// a {{user}}\n}}{{comment:c}}{{hidden_key:k}}{{noop}}{{banned \"ugly\"}}y", "xy"),
        ("one\n\n{{trim}}\n\ntwo{{newline}}{{newline::2}}{{space::3}}.", "onetwo\n\n\n   ."),
        ("{{reverse:{{char}}!}}", "!boB"),
        ("{{time}} | {{date}} | {{weekday}} | {{isotime}} | {{isodate}}",
         "4:05 PM | November 21, 2026 | Saturday | 16:05 | 2026-11-21"),
        ("{{time_UTC+2}} {{time::UTC-5}} {{datetimeformat dddd, Do [of] MMM, HH:mm:ss}}",
         "6:05 PM 11:05 AM Saturday, 21st of Nov, 16:05:09"),
        ("{{timeDiff::2024-01-01::2024-01-05}} {{idle_duration}}", "4 days ago 3 hours"),
        ("{{setvar::n::7}}{{incvar::n}} {{getvar::n}} {{decvar::n}} {{addvar::n::0.5}}{{getvar::n}}", "8 8 7 7.5"),
        ("{{setglobalvar::n::a:b}}{{addglobalvar::n:: c}}{{getglobalvar::n}}{{getvar::n}}", "a:bc"),
        ("{{if description}}yes{{else}}no{{/if}}{{if !x}}1{{/if}}{{if 0}}2{{if 1}}3{{/if}}{{else}}4{{/if}}", "yes4"),
        ("{{if}}open, {{else}} and {{/else}}", "{{if}}open,  and {{/else}}"),
        ("{{greeting}} {{charFirstMessage::1}} {{greeting::9}}", "Hello, Ann. Go away. "),
        ("{{original}} {{original}}", "Be Bob. "),
        ("{{lastMessage}}", "{{roll:6}}"),
        ("{{roll:d1}} {{roll 3d1+2}} {{roll 1}} {{roll:0}} {{roll:9999d9}} {{roll:2d}}|", "1 5 1   |"),
        ("{{pick:only}} {{random::,::,}} {{random:a\\,b}}", "only , a,b"),
        ("{{//note}}{{comment::a::b}}{{//}}x{{char}}{{///}}{{// /path}}y", "y"),
        ("{{setvar::x::0}}{{if .x}}a{{else}}b{{/if}}{{if $x}}a{{else}}b{{/if}}{{.x++}}{{if .x}}c{{/if}}", "bb1c"),
        ("{{setvar::x::a}}{{if {{.x == a}}}}yes{{/if}}{{if {{.x != a}}}}no{{else}}else{{/if}}", "yeselse"),
        ("{{setvar::m}}\n  grumpy\n{{/setvar}}[{{getvar::m}}]{{reverse}}ab{{/reverse}}[{{trim}} a {{/trim}}]",
         "[grumpy]ba[a]"),
        ("{{#if description}} a {{else}} b {{/if}}{{if::1::c}}{{if::0::c{{else}}d}}", " a cd"),
        ("{{.x = 5}}{{.x++}} {{.y ?? none}} {{.y || or}} {{.y ??= set}} {{.y}} {{.x -= 2}}{{.x}} {{$g}}|",
         "6 none or set set 4 |"),
        ("{{if user}}\n    # Head\n      more\n  less\n{{/if}}", "# Head\n  more\nless"),
        ("\\{\\{char\\}\\} {{if 1}}\\{x\\}{{/if}}", "{{char}} {x}"),
        ("{{hasvar::x}} {{setvar::x::1}}{{hasvar::x}} {{deletevar::x}}{{varexists::x}}", "false true false"),
        ("{{setvarkey::o::k::v}}{{getvarkey::o::k}} {{getvar::o}} {{setvarkey::l::1::b}}{{getvar::l}}",
         'v {"k":"v"} [null,"b"]'),
        ("{{setvar::n::007}}{{getvar::n}} {{addvar::n::0.5}}{{getvar::n}} {{addvar::n::x}}{{getvar::n}}", "7 7.5 7.5x"),
        ("{{setvar::l::[]}}{{addvar::l::a}}{{incvar::l}}", '["a",1]'),
        ("{{version}} {{maxContext}} {{isMobile}} {{hasExtension::x}} {{lastSwipeId}}{{instructInput}}|",
         "1.2 4096 false false |"),
        ("{{allChatRange}} {{outlet::none}}|", "0-2 |"),
        ("{{roll:abc}}|{{roll:2d6kh1}}|{{user::x}} {{user x}} {{space::x}}", "||{{user::x}} {{user x}} {{space::x}}"),
        ("{{foo}}{{char}}{{/foo}} {{user}}", "{{foo}}Bob{{/foo}} Ann"),
    ],
)  # fmt: skip
def test_macros_become(text: str, expected: str) -> None:
    assert expand(text, CONTEXT, {}, "note") == expected


def test_dice_are_in_range_and_lists_give_every_choice() -> None:
    results = {expand("{{roll:d4}}{{random:a, {{char}}}}", CONTEXT, {}, "note", seed=str(seed)) for seed in range(200)}
    assert results == {f"{die}{word}" for die in "1234" for word in ("a", "Bob")}


def test_a_name_with_a_separator_is_one_of_several_choices_but_a_single_one_is_a_list() -> None:
    context = MacroContext(char="Smith, John::Jr")
    assert expand("{{pick::{{char}}::{{char}}}}", context, {}) == "Smith, John::Jr"
    assert expand("{{setvar::l::a,a}}{{random:{{getvar::l}}}}", context, {}) == "a"


def test_names_are_inert() -> None:
    assert expand("{{user}}", MacroContext(user="{{roll:6}} <bot>"), {}) == "{{roll:6}} <bot>"


def test_a_field_reads_the_same_wherever_it_is_named() -> None:
    values: dict[str, str] = {}
    alone = expand(CONTEXT.description, CONTEXT, values, "card.description")
    assert alone in ("Bob likes tea.", "Bob likes rum.")
    assert expand("{{description}}{{personality}}", CONTEXT, values, "note") == f"{alone}{alone} "


def test_what_was_rolled_is_remembered_per_place_and_occurrence() -> None:
    values: dict[str, str] = {}
    text = "{{roll:1000}} {{roll:1000}} {{time}} {{lastMessage}}"
    first = expand(text, CONTEXT, values, "note", seed="s")
    later = MacroContext(now=datetime(1999, 1, 1, tzinfo=UTC), last_message="other")
    assert expand(text, later, values, "note", seed="other") == first
    assert len(set(first.split()[:2])) == 2
    assert sorted(values) == [
        "note|{{lastMessage}}#0",
        "note|{{roll:1000}}#0",
        "note|{{roll:1000}}#1",
        "note|{{time}}#0",
    ]
    assert expand("{{lastMessage}}", later, values, "note", turn="1") == "other"
    assert expand("{{roll:1000000}}", CONTEXT, {}, "a", seed="s") != expand(
        "{{roll:1000000}}", CONTEXT, {}, "b", seed="s"
    )


def test_a_counter_does_not_count_on_when_the_prompt_is_built_again() -> None:
    values: dict[str, str] = {}
    assert [expand("{{incvar::n}}", CONTEXT, values, place) for place in ("a", "b", "a", "b")] == ["1", "2", "1", "2"]


def test_what_is_told_anew_is_rolled_anew() -> None:
    text = "{{roll:1000000}} {{random::a::b::c::d::e::f::g}} {{incvar::n}} {{pick::1::2::3::4::5::6::7::8}}"
    values: dict[str, str] = {}
    told = [expand(text, CONTEXT, dict(values), "lore.1", seed="s", turn=turn).split() for turn in ("4", "4", "6", "8")]
    assert told[0] == told[1]  # a turn that is planned again
    assert len({each[0] for each in told}) == 3
    assert len({each[3] for each in told}) == 1
    assert expand(text, CONTEXT, values, "lore.1", seed="s", turn="4").split()[2] == "1"
    assert expand(text, CONTEXT, values, "lore.1", seed="s", turn="6").split()[2] == "2"
    assert values == {"var:n": "2"}


def test_entries_with_the_same_words_roll_by_themselves() -> None:
    text = "{{pick::red::black::blond::white::grey::green::blue}}"
    assert len({expand(text, CONTEXT, {}, f"lore.{entry}", seed="s", turn="1") for entry in range(20)}) > 3


def test_unknown_macros_are_named_once() -> None:
    texts = ("{{char}} {{strange::a}} {{// note}} {{.x}} {{if 1}}{{ODD}}{{/if}}", "{{strange}}{{/odd}}{{original}}")
    assert unknown_note(*texts) == ["macros that nobody knows stay as they are: {{strange}}, {{ODD}}"]
    assert unknown_note("plain {{user}}") == []
    many = "{{a}}{{b}}{{c}}{{d}}{{e}}{{" + "x" * 50 + "}}{{g}}"
    assert unknown_note(many)[0].endswith("{{a}}, {{b}}, {{c}}, {{d}}, {{e}} and 2 more")
    assert unknown_note("{{" + "x" * 50 + "}}")[0].endswith(": {{" + "x" * 37 + "…")


@pytest.mark.parametrize(
    "text", ["{{roll:6}}", "{{if 1}}{{random::a::b}}{{/if}}", "{{.x++}}", "{{time_UTC+2}}", "{{$g}}"]
)
def test_what_may_read_otherwise_in_each_turn(text: str) -> None:
    assert is_new_each_turn(text)
    assert not is_new_each_turn("{{pick::a::b}} {{char}} <USER> {{description}} roll")


def test_markup_around_a_section_is_no_name() -> None:
    text = "<USER> <User>\nsailor\n</User> <bot> <char>{{char}}</char> <Char>"
    assert expand(text, CONTEXT, {}) == "Ann <User>\nsailor\n</User> Bob <char>Bob</char> Bob"


def test_hidden_keys_are_found() -> None:
    assert hidden_keys("a {{hidden_key:dragon}} b {{HIDDEN_KEY: cave}}") == "dragon  cave"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{setvar::x::" + "a" * 5000 + "}}" + "{{setvar::x::{{getvar::x}}{{getvar::x}}}}" * 40, "10,000 characters"),
        ("{{char}}" * 5001, "5,000 macros"),
        ("{{if 1}}" * 200 + "{{/if}}" * 200, "60 deep"),
        ("{{description}}" * 2000, "1,000,000 characters"),
    ],
)
def test_limits_are_told_with_their_figures(text: str, message: str) -> None:
    with pytest.raises(AdvreplError, match=message):
        expand(text, MacroContext(description="d" * 1000), {}, "note")


def test_fields_that_name_each_other_do_not_explode() -> None:
    fields = ["description", "personality", "scenario", "persona", "system", "creator_notes"]
    macros = [
        "{{personality}}",
        "{{scenario}}",
        "{{persona}}",
        "{{charPrompt}}",
        "{{charCreatorNotes}}",
        "{{description}}",
    ]
    context = MacroContext(**{field: macro * 10 for field, macro in zip(fields, macros, strict=True)})  # type: ignore[arg-type]
    assert expand("{{description}}", context, {}) == ""


def test_too_deep_nesting_stays_text() -> None:
    text = "{{reverse:" * 44 + "x" + "}}" * 44
    assert expand(text, CONTEXT, {}).count("{{reverse:") + expand(text, CONTEXT, {}).count(":esrever{{") == 4
    assert expand("{{" * 10_000 + "}}" * 10_000, CONTEXT, {}) == "{{" * 10_000 + "}}" * 10_000


NAMES = ["user", "description", "personality", "random", "roll", "setvar", "getvar", "addvar", "incvar", "if", "else"]
NAMES += ["/if", "trim", "reverse", "time", "datetimeformat ", "timediff", "newline", "greeting", "//", "original"]
PARTS = st.one_of(
    st.sampled_from(["{{", "}}", "::", ":", ",", "\\,", "{{{", "<user>", "\n", " ", "6", "2d6", *NAMES]),
    st.sampled_from([f"{{{{{name}" for name in NAMES]),
    st.text(max_size=8),
)
TEXTS = st.lists(PARTS, max_size=60).map("".join)


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_expands_or_is_refused_in_a_sentence(text: str, description: str, greeting: str) -> None:
    context = MacroContext(description=description, personality=greeting, greetings=(greeting,), now=CONTEXT.now)
    values: dict[str, str] = {}
    try:
        first = expand(text, context, values, "note")
        if "getvar" not in (text + description + greeting).lower():  # a variable may be read before it is first set
            assert expand(text, context, values, "note") == first
    except AdvreplError:
        pass
