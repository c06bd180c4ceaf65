"""Macros: what each becomes, that a second prompt is the same to the byte, and that no text is too much."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand, hidden_keys

CONTEXT = MacroContext(
    user="Ann",
    char="Bob",
    description="{{char}} likes {{random::tea::rum}}.",
    personality="{{description}} {{personality}}",
    greetings=("Hello, {{user}}.", "Go away."),
    original="Be {{char}}.",
    last_message="{{roll:6}}",
    version="1.2",
    now=datetime(2026, 11, 21, 16, 5, 9, tzinfo=UTC),
    idle=timedelta(hours=3),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{USER}} and {{Char}}, <user> and <BOT>, <Char>", "Ann and Bob, Ann and Bob, Bob"),
        ("{{{char}}} {{ user }} {{charVersion}}", "{Bob} Ann 1.2"),
        ("{{unknown}} {{unknown::{{char}}}} {{user's}} {{}}", "{{unknown}} {{unknown::Bob}} {{user's}} {{}}"),
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
        ("{{setglobalvar::n::a::b}}{{addglobalvar::n:: c}}{{getglobalvar::n}}{{getvar::n}}", "a::b c"),
        ("{{if description}}yes{{else}}no{{/if}}{{if !x}}1{{/if}}{{if 0}}2{{if 1}}3{{/if}}{{else}}4{{/if}}", "yes4"),
        ("{{if}}open, {{else}} and {{/else}}", "{{if}}open, {{else}} and {{/else}}"),
        ("{{greeting}} {{charFirstMessage::1}} {{greeting::9}}", "Hello, Ann. Go away. "),
        ("{{original}} {{original}}", "Be Bob. "),
        ("{{lastMessage}}", "{{roll:6}}"),
        ("{{roll:d1}} {{roll 3d1+2}} {{roll 1}} {{roll:0}} {{roll:9999d9}} {{roll:2d}}",
         "1 5 1 {{roll:0}} {{roll:9999d9}} {{roll:2d}}"),
        ("{{pick:only}} {{random::,::,}} {{random:a\\,b}}", "only , a,b"),
    ],
)  # fmt: skip
def test_macros_become(text: str, expected: str) -> None:
    assert expand(text, CONTEXT, {}, "note") == expected


def test_dice_are_in_range_and_lists_give_every_choice() -> None:
    results = {expand("{{roll:d4}}{{random:a, {{char}}}}", CONTEXT, {}, "note", seed=str(seed)) for seed in range(200)}
    assert results == {f"{die}{word}" for die in "1234" for word in ("a", "Bob")}


def test_a_separator_inside_a_value_separates_nothing() -> None:
    context = MacroContext(char="Smith, John::Jr")
    assert expand("{{random::{{char}}}} {{pick:{{char}}}}", context, {}) == "Smith, John::Jr Smith, John::Jr"


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
    assert expand("{{lastMessage}}", later, values, "note", current_messages=True) == "other"
    assert expand("{{roll:1000000}}", CONTEXT, {}, "a", seed="s") != expand(
        "{{roll:1000000}}", CONTEXT, {}, "b", seed="s"
    )


def test_a_counter_does_not_count_on_when_the_prompt_is_built_again() -> None:
    values: dict[str, str] = {}
    assert [expand("{{incvar::n}}", CONTEXT, values, place) for place in ("a", "b", "a", "b")] == ["1", "2", "1", "2"]


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
    text = "{{reverse:" * 20 + "x" + "}}" * 20
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
