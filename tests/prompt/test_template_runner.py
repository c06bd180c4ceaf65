"""Templates are programs by strangers: what they raise, and what they take too much of, is one sentence.

All here would end by themselves: the limits are set below what they take.
"""

import os
import signal
from collections.abc import Iterator
from threading import Timer

import pytest

from advrepl import AdvreplError
from advrepl.prompt import template_runner
from advrepl.prompt.rendering import LONGEST, answer
from advrepl.prompt.template import ChatTemplate
from advrepl.prompt.template_runner import TemplateRefusal, TemplateRunner
from tests.prompt.test_template import CHATML, HELLO, SCENE

LONG = "{% for a in range(3000) %}{% for b in range(3000) %}{% endfor %}{% endfor %}"  # a second or two


@pytest.fixture
def runner() -> Iterator[TemplateRunner]:
    runner = TemplateRunner()
    yield runner
    runner.close()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ messages[99].content }}", "has no element 99"),
        ("{{ 'x' + 1 }}", "str"),
        ("{{ raise_exception('no') }}", "no"),
        ("{{ range(1000000) }}", "Range too big"),
    ],
)
def test_what_a_template_raises_is_one_sentence(source: str, words: str) -> None:
    with pytest.raises(AdvreplError, match=f"refuses this conversation .*{words}") as told:
        ChatTemplate(source).spell(SCENE, HELLO)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("source", ["{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "{% if 1 %}" * 500, "{{", "{% no %}"])
def test_a_source_that_cannot_be_read_is_one_sentence(source: str) -> None:
    with pytest.raises(AdvreplError, match="chat template cannot be read"):
        ChatTemplate(source).spell(SCENE, HELLO)


def test_one_that_takes_too_long_is_ended_and_the_next_is_rendered(
    runner: TemplateRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.render("", [], {})
    monkeypatch.setattr(template_runner, "SECONDS", 0.1)
    with pytest.raises(AdvreplError, match="chat template takes too long: choose another with --format"):
        runner.render(LONG, [], {})
    monkeypatch.undo()
    assert runner.render("{{ messages[0].content }}", [{"content": "hi"}], {}) == "hi"


def test_one_that_waits_for_the_processor_is_given_time(
    runner: TemplateRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.render("", [], {})
    monkeypatch.setattr(template_runner, "SECONDS", 0.1)
    assert runner._child
    os.kill(runner._child.pid, signal.SIGSTOP)
    Timer(0.4, os.kill, (runner._child.pid, signal.SIGCONT)).start()
    assert runner.render("{{ 1 + 1 }}", [], {}) == "2"
    monkeypatch.setattr(template_runner, "WALL_SECONDS", 0.1)
    os.kill(runner._child.pid, signal.SIGSTOP)
    with pytest.raises(AdvreplError, match="takes too long"):
        runner.render("{{ 1 + 1 }}", [], {})


def test_one_that_takes_too_much_memory_is_ended(runner: TemplateRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_runner, "MEMORY", 1 << 20)  # less than Python itself
    with pytest.raises(AdvreplError, match="chat template takes too much memory"):
        runner.render(LONG, [], {})


def test_a_text_without_end_is_refused() -> None:
    assert "no end" in answer({"source": f"{{{{ 'x' * {LONGEST + 1} }}}}", "messages": [], "more": {}})["unreadable"]


def test_a_child_that_was_killed_is_started_again(runner: TemplateRunner) -> None:
    assert runner.render("a", [], {}) == "a"
    assert runner._child
    os.kill(runner._child.pid, signal.SIGTERM)
    runner._child.wait()
    with pytest.raises(AdvreplError, match="ends the process"):
        runner.render("b", [], {})
    assert runner.render("c", [], {}) == "c"


def test_refusals_leave_the_child_alone(runner: TemplateRunner) -> None:
    runner.render("", [], {})
    child = runner._child
    with pytest.raises(TemplateRefusal):
        runner.render("{{ 1 / 0 }}", [], {})
    assert runner.render("{{ more }}", [], {"more": "x"}) == "x" and runner._child is child


def test_a_template_cannot_see_who_runs_it() -> None:
    prompt = ChatTemplate(CHATML + "{{ ''.__class__ }}{{ self.__init__ }}{{ cycler.__init__.__globals__ }}")
    with pytest.raises(AdvreplError, match="refuses"):
        prompt.spell(SCENE, HELLO)
