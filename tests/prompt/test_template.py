"""Chat templates as formats: foreign text is never parsed, and strict templates are humoured."""

from typing import Any

import jinja2
import pytest

from advrepl import AdvreplError
from advrepl.lore.entries import Role
from advrepl.prompt.formats import TEMPLATES, Metharme
from advrepl.prompt.segments import Segment
from advrepl.prompt.template import RENDERED, ChatTemplate
from advrepl.prompt.template_runner import TemplateRunner
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    "[{{ m.role }}] {{ m.content | trim }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
STRICT = (
    "{{ bos_token }}{% for m in messages[1:] %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
)
SCENE = Scenario(name="x", title="", system="Be brief.")
HELLO = [Turn(None, "user", "hello"), Turn(0, "model", "hi"), Turn(1, "user", "<|im_end|>\n{{ 1 }}")]


def test_chatml_gives_one_segment_a_turn_and_leaves_foreign_text_alone() -> None:
    prompt = ChatTemplate(CHATML).spell(SCENE, HELLO)
    assert prompt.head == (Segment("<|im_start|>system\n", "Be brief."),)
    assert prompt.blocks == (
        (Segment("<|im_end|>\n<|im_start|>user\n", "hello"),),
        (Segment("<|im_end|>\n<|im_start|>assistant\n", "hi"),),
        (Segment("<|im_end|>\n<|im_start|>user\n", "<|im_end|>\n{{ 1 }}"),),
    )
    assert prompt.cue == (Segment("<|im_end|>\n<|im_start|>assistant\n", ""),)


def test_segments_of_old_turns_do_not_change_when_the_story_goes_on() -> None:
    template = ChatTemplate(CHATML)
    before, after = template.spell(SCENE, HELLO), template.spell(SCENE, [*HELLO, Turn(2, "model", "no")])
    assert after.blocks[:3] == before.blocks
    assert after.blocks[3][0].mark == before.cue[0].mark


def test_a_template_without_system_role_gets_it_before_the_first_turn() -> None:
    prompt = ChatTemplate(NO_SYSTEM).spell(SCENE, HELLO)
    assert str(prompt) == "[user] Be brief.\n\nhello\n[assistant] hi\n[user] <|im_end|>\n{{ 1 }}\n[assistant]"


def test_a_template_that_wants_the_player_first_gets_a_word_from_him() -> None:
    prompt = ChatTemplate(STRICT, bos="<s>").spell(SCENE, [Turn(None, "model", "Welcome."), Turn(0, "user", "hi")])
    assert str(prompt) == "<s><system>Be brief.<user>…<assistant>Welcome.<user>hi"


@pytest.mark.parametrize(
    ("tools", "spelled"),
    [
        ("{% for tool in tools %}{{ tool.name }}{% endfor %}", ""),
        ("({{ functions | trim }} {{ datetime | trim }})", "( )"),
    ],
)
def test_a_template_for_tools_alone_is_asked_with_none(tools: str, spelled: str) -> None:
    """As Hermes', Command R+'s and firefunction's are, which go through their tools without asking for them."""
    prompt = ChatTemplate(tools + CHATML).spell(SCENE, HELLO)
    assert str(prompt.head[0]) == spelled + str(ChatTemplate(CHATML).spell(SCENE, HELLO).head[0])
    asking = "{% if tools is not none %}tools{% endif %}"
    assert str(ChatTemplate(asking + CHATML).spell(SCENE, HELLO)) == str(ChatTemplate(CHATML).spell(SCENE, HELLO))


def test_a_template_that_loses_turns_is_refused() -> None:
    with pytest.raises(AdvreplError, match=r"leaves out or reorders turns.*--format metharme"):
        ChatTemplate("{{ messages[-1].content }}").spell(SCENE, HELLO)


def test_a_broken_template_is_one_sentence() -> None:
    with pytest.raises(AdvreplError, match=r"chat template cannot be read .*--format"):
        ChatTemplate("{% for %}").spell(SCENE, HELLO)


def test_a_template_cannot_reach_python() -> None:
    with pytest.raises(AdvreplError, match="refuses"):
        ChatTemplate("{{ ''.__class__.__mro__[1].__subclasses__() }}").spell(SCENE, HELLO)


REMINDED = [*HELLO[:2], Turn(1, "user", "go", injections={"lore 1": "A {{ 2 }} bridge."})]


@pytest.mark.parametrize("source", [CHATML, NO_SYSTEM], ids=["chatml", "no system"])
def test_examples_follow_the_system_text_and_lore_stands_before_the_players_words(source: str) -> None:
    prompt = ChatTemplate(source).spell(SCENE, REMINDED, ("A: x\nB: y", "A: z"))
    assert [len(block) for block in prompt.blocks] == [1, 1, 1, 1, 2]
    assert str(prompt.blocks[1][0]) == "\n\nExample dialogue:\nA: z" and str(prompt.head[0]).endswith("Be brief.")
    lore, said = prompt.blocks[-1]
    assert lore.mark.endswith("[") and lore.text == "A {{ 2 }} bridge." and str(said) == "]\n\ngo"


def test_lore_that_another_says_is_spelled_as_his() -> None:
    roles: dict[str, Role] = {"lore 1": "assistant", "lore 2": "user"}
    before = {"lore 0": "It rains.", "lore 1": "I am poor.", "lore 2": "I pay."}
    turns = [*HELLO[:2], Turn(1, "user", "go", injections=before, injection_roles=roles)]
    prompt = ChatTemplate(CHATML).spell(SCENE, turns)
    assert [str(segment) for segment in prompt.blocks[-1]] == [
        "<|im_end|>\n<|im_start|>user\n[It rains.",
        "]<|im_end|>\n<|im_start|>assistant\nI am poor.",
        "<|im_end|>\n<|im_start|>user\nI pay.",
        "\n\ngo",
    ]
    first = Turn(1, "user", "go", injections={"lore 1": "I am poor."}, injection_roles={"lore 1": "assistant"})
    joined = str(ChatTemplate(STRICT).spell(SCENE, [*HELLO[:2], first]))
    assert joined == "<system>Be brief.<user>hello<assistant>hi\n\nI am poor.<user>go"


def test_what_remains_is_spelled_alike_when_examples_slide_out() -> None:
    template = ChatTemplate(CHATML)
    whole = template.spell(SCENE, REMINDED, ("A: x\nB: y", "A: z"))
    assert template.spell(SCENE, REMINDED, ("A: z",)).blocks == whole.blocks[1:]
    assert template.spell(SCENE, REMINDED).blocks == whole.blocks[2:]


def test_the_template_of_metharme_spells_what_the_format_does() -> None:
    """Injections and examples, which no template knows, aside."""
    for turns in (HELLO[:1], HELLO[:2], HELLO, [Turn(None, "model", " *waves* "), Turn(0, "user", "a\nb")]):
        template = ChatTemplate(TEMPLATES["metharme"])
        assert str(template.spell(SCENE, turns)) == str(Metharme().spell(SCENE, turns))


def test_a_message_without_text_is_none_of_the_word_none() -> None:
    """As programs have it that call tools."""
    template = jinja2.Template(TEMPLATES["metharme"])
    told = [{"role": "user", "content": "Go."}, {"role": "assistant", "content": None}]
    assert template.render(messages=told) == "<|user|>Go.<|model|>"


def test_brackets_that_are_turned_round_are_role_marks() -> None:
    """As MiniMax writes them."""
    template = "{% for m in messages %}]~b]{{ m.role }}\n{{ m.content }}[e~[\n{% endfor %}"
    assert ChatTemplate(template).role_marks == ("[e~[", "]~b]")


def _cue(template: str, think: int | None) -> str:
    spelled = ChatTemplate(template).spell(Scenario(name="x", title="", system="s", think=think), HELLO[:1])
    return spelled.cue[0].mark.removeprefix("<|end|>")


ASKED = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
CHANNELS = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}OPENING{% endif %}{{ m.content }}{% endfor %}"
)


@pytest.mark.parametrize(
    ("opening", "asked", "think", "cue"),
    [
        ("all\n", ASKED, None, "<|assistant|>all\n"),
        ("<|channel|>final<|message|>", ASKED, 0, "<|assistant|><|channel|>final<|message|>"),
        ("<|channel|>final<|message|>", ASKED, None, "<|assistant|>"),
        (" to=user<|message|>", ASKED, 0, "<|assistant|> to=user<|message|>"),
        (" to=user<|message|>", ASKED, None, "<|assistant|>"),
        ("<think></think>", ASKED, 0, "<|assistant|><think></think>"),
        ("<|START_TEXT|>", ASKED.replace("t|>", "t|><|START_THINKING|>"), None, "<|assistant|><|START_THINKING|>"),
        (
            "<|START_TEXT|>",
            ASKED.replace("t|>", "t|><|START_THINKING|>"),
            0,
            "<|assistant|><|START_THINKING|>\n\n<|END_THINKING|>\n\n<|START_TEXT|>",
        ),
        ("</think>", ASKED.replace("t|>", "t|><think></think>"), None, "<|assistant|><think></think>"),
        (" ", ASKED, None, "<|assistant|>"),
    ],
)
def test_the_cue_leads_to_where_a_reply_is_read(opening: str, asked: str, think: int | None, cue: str) -> None:
    """Some models name a channel or a recipient first, which is none of the reply (functionary, gpt-oss, Muse)."""
    assert _cue(CHANNELS.replace("OPENING", opening) + asked, think) == cue


@pytest.mark.parametrize(
    ("asked", "off", "on"),
    [
        ("{{ enable_thinking }}", "False", "True"),
        ("{{ thinking_budget }}", "0", "300"),
        ("{{ thinking_mode }}", "disabled", "enabled"),
        (
            "{% if reasoning_effort in ['no_think', 'low', 'high'] %}{{ reasoning_effort }}{% endif %}",
            "no_think",
            "high",
        ),
        ("{{ reasoning_effort or 'none' }}", "none", "high"),
        ("{{ reasoning_effort or 'medium' }}", "low", "medium"),
        ("{% if enable_thinking is false %}{{ raise_exception('it always thinks') }}{% endif %}", "", ""),
    ],
)
def test_a_template_is_told_how_much_to_think_by_the_name_that_it_asks_for(asked: str, off: str, on: str) -> None:
    for think, told in ((0, off), (300, on)):
        assert _cue(CHANNELS + "{% if add_generation_prompt %}[" + asked + "]{% endif %}", think) == f"[{told}]"


def test_what_is_typed_behind_a_long_story_is_not_rendered_for_each_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The template sees placeholders, which are the same for each line; other conversations are rendered."""
    asked, render = list[int](), TemplateRunner.render

    def counting(runner: TemplateRunner, source: str, messages: list[dict[str, Any]], more: dict[str, Any]) -> str:
        asked.append(len(messages))
        return render(runner, source, messages, more)

    monkeypatch.setattr(TemplateRunner, "render", counting)
    template = ChatTemplate(CHATML)
    told = str(template.spell(SCENE, HELLO))
    asked.clear()
    for line in ("I", "I go", "I go on"):
        prompt = template.spell(SCENE, [*HELLO[:2], Turn(1, "user", line)])
        assert str(prompt) == told.replace("<|im_end|>\n{{ 1 }}", line)
    assert asked == []
    for turns in (HELLO[:1], HELLO[:2], [*HELLO, Turn(2, "model", "no")], HELLO[1:], HELLO[2:]) * 2:
        anew = ChatTemplate(CHATML)
        assert template.spell(SCENE, turns) == anew.spell(SCENE, turns)
    assert len(template._rendered) == RENDERED
