"""A server is asked once for each text of a prompt, however many there are."""

from typing import Any, cast

import pytest

from advrepl.engines.remote.dialects import APHRODITE, LLAMA_SERVER, Dialect
from advrepl.engines.remote.identify import Server
from advrepl.engines.remote.tokens import REMEMBERED, RemoteTokens
from advrepl.engines.remote.wire import Wire
from advrepl.prompt.segments import Segment


class Counting:
    """A server's letters, and how often it was asked for some."""

    asked = 0

    def post(self, path: str, given: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        letters = list(given.get("content", given.get("prompt", "")))
        return {"tokens": list(map(ord, letters)), "value": len(letters)}


@pytest.mark.parametrize("dialect", [LLAMA_SERVER, APHRODITE], ids=lambda dialect: dialect.name)
def test_a_prompt_of_more_texts_than_are_remembered_is_asked_for_once(dialect: Dialect) -> None:
    wire = Counting()
    tokens = RemoteTokens(cast(Wire, wire), Server(dialect, "model"))
    prompt = [Segment("<|user|>", f"turn {at}") for at in range(REMEMBERED + 1000)]
    for _ in range(3):
        tokens.expect(len(prompt))
        assert [tokens.count(segment) for segment in prompt[-2:]] == [8 + len("turn 9191")] * 2
        for segment in prompt:
            tokens.count(segment)
    assert len(prompt) <= wire.asked <= len(prompt) + 10
    for at in range(len(prompt)):  # what is typed goes, and not what stands in the prompt
        tokens.count(Segment("<|user|>", f"line {at}"))
        tokens.count(prompt[0])
    wire.asked = 0
    tokens.count(prompt[0])
    assert wire.asked == 0
