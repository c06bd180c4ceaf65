"""Chat templates of today: what they are written for, the right values as transformers 5.24 renders them."""

import pytest

from advrepl.prompt.formats import TEMPLATES, of_file
from advrepl.prompt.template import ChatTemplate
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn
from tests.prompt.test_template import CHATML, HELLO, NO_SYSTEM, SCENE, STRICT

CUE = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
TOLD = "<|system|>Be brief.<|user|>hello<|assistant|>hi<|user|><|im_end|>\n{{ 1 }}<|assistant|>"
LOOP = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
SAID = "<|{{ m.role }}|>{{ m.content }}"


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}{% generation %}" + SAID + "{% endgeneration %}{% endfor %}" + CUE,
        "{% for m in messages %}" + SAID + "{% if loop.last %}{% break %}{% endif %}{% endfor %}" + CUE,
        "{% for m in messages %}{% if not m.role %}{% continue %}{% endif %}" + SAID + "{% endfor %}" + CUE,
        "{% for m in messages %}<|{{ m.role }}|>{% for c in m.content %}{{ c.text }}{% endfor %}{% endfor %}" + CUE,
        "{% for m in messages %}<|{{ m.role }}|>{{ m['content'][0]['text'] }}{% endfor %}" + CUE,
        "{% for m in messages %}<|{{ m.role }}|>{{ ([''] + m.content)[1].text }}{% endfor %}" + CUE,
        "{% if tools is not none %}{{ raise_exception('tools') }}{% endif %}{% for m in messages %}" + SAID
        + "{% endfor %}" + CUE,
        "{% set d = strftime_now('%Y') | int %}{% if d > 2000 %}" + LOOP + "{% endif %}"
        + CUE,
        "{% set x = '<é>' | tojson %}{% if x == '\"<é>\"' %}" + LOOP + "{% endif %}" + CUE,
    ],
    ids=["generation", "break", "continue", "parts", "first part", "parts only", "tools", "strftime_now", "tojson"],
)  # fmt: skip
def test_a_template_finds_what_it_is_written_for(source: str) -> None:
    assert str(ChatTemplate(source).spell(SCENE, HELLO)) == TOLD


def test_what_generation_marks_has_a_scope_of_its_own() -> None:
    source = "{% set x = 'a' %}{% generation %}{% set x = 'b' %}{% endgeneration %}{{ x }}{{ messages[0].content }}"
    assert str(ChatTemplate(source).spell(SCENE, [])) == "aBe brief."


@pytest.mark.parametrize(
    ("source", "marks"),
    [
        (CHATML, ("<|im_end|>", "<|im_start|>")),
        (
            "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }}</s>{% else %}[INST] "
            "{{ m.content }} [/INST]{% endif %}{% endfor %}",
            ("[/INST]", "[INST]", "</s>"),
        ),
        (
            "{% for m in messages %}### {{ {'user': 'Instruction', 'assistant': 'Response'}[m.role] }}:\n"
            "{{ m.content }}\n\n{% endfor %}{% if add_generation_prompt %}### Response:\n{% endif %}",
            ("\n### Response:", "\n### Instruction:"),
        ),
        (
            "{{ messages[0].content }}{% for m in messages[1:] %} {{ 'USER' if m.role == 'user' else 'ASSISTANT' }}: "
            "{{ m.content }}{% endfor %} ASSISTANT:",
            ("\nUSER:", " USER:", "\nASSISTANT:", " ASSISTANT:"),
        ),
        (
            "{% for m in messages %}<｜{{ m.role }}｜>{{ m.content }}{% endfor %}<｜assistant｜><think>\n",
            ("<｜user｜>", "<｜assistant｜>"),
        ),
        (
            "{% for m in messages %}[|{{ m.role }}|]{{ m.content }}[|endofturn|]\n{% endfor %}[|assistant|]",
            ("[|user|]", "[|assistant|]", "[|endofturn|]"),
        ),
        (
            "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}"
            "{{ '<|return|>' if loop.last and m.role == 'assistant' else '<|end|>' }}{% endfor %}<|start|>assistant",
            ("<|start|>", "<|end|>", "<|return|>"),
        ),
        (
            "{% for m in messages %}<|start|>{{ m.role }}{% if m.role == 'assistant' %} to=user{% endif %}<|message|>"
            "{{ m.content }}<|eot|>{% endfor %}<|start|>assistant",
            ("<|start|>", "<|eot|>"),
        ),
    ],
    ids=["chatml", "mistral", "alpaca", "vicuna", "thinking", "exaone", "gpt-oss", "muse"],
)
def test_the_templates_role_marks_end_a_reply(source: str, marks: tuple[str, ...]) -> None:
    assert set(ChatTemplate(source, "<s>").stops(Scenario(name="x", title="", system="s"))) == set(marks)


@pytest.mark.parametrize("source", [CHATML, NO_SYSTEM, STRICT])
def test_neighbours_of_one_role_are_one_message(source: str) -> None:
    story = [
        *HELLO[:1],
        Turn(0, "user", "hello?"),
        Turn(1, "model", "hi"),
        Turn(2, "model", "yes"),
        Turn(3, "user", "so"),
    ]
    prompt = ChatTemplate(source).spell(SCENE, story)
    assert "hello\n\nhello?" in str(prompt) and "hi\n\nyes" in str(prompt)
    assert [len(block) for block in prompt.blocks] == [1] * 5


@pytest.mark.parametrize(
    ("key", "template", "names", "format"),
    [
        (None, CHATML, ["Pygmalion-3-12B"], "chat"),
        (None, CHATML, ["pygmalion-6b"], "chat"),
        ("metharme", CHATML, ["Pygmalion-3-12B"], "metharme"),
        (None, "{{ '<|user|>' + '<|model|>' }}", ["pygmalion-6b"], "metharme"),
        (None, TEMPLATES["metharme"], ["merged"], "metharme"),
        (
            None,
            "{% for m in messages %}{{ '<|' ~ (m.role | replace('assistant', 'model')) ~ '|>' ~ m.content }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|' ~ 'model' ~ '|>' }}{% endif %}",
            ["merged"],
            "metharme",
        ),
        (None, "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}\n{% endfor %}<|model|>\n", ["merged"], "chat"),
        (None, "{% for m in messages %}{{ raise_exception('no <|model|>') }}", ["merged"], "chat"),
        (None, None, ["", "pygmalion-6b"], "pygmalion"),
        (None, "", ["Eleusis-12B"], None),
    ],
)
def test_a_file_tells_its_format(key: str | None, template: str | None, names: list[str], format: str | None) -> None:
    assert of_file(key, template, names) == format
