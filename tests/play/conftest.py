from collections.abc import Callable, Iterable, Iterator

import pytest

from advrepl.engines.base import PrefillProgress
from advrepl.play.game import Game
from advrepl.prompt.segments import Window
from advrepl.sampling.params import Sampling
from tests.conftest import ScriptedEngine


class AnsweringEngine(ScriptedEngine):
    """Answers each question with what `answer` makes of its grammar, letter by letter."""

    def __init__(self, answer: Callable[[str], str], n_ctx: int = 2000) -> None:
        super().__init__(n_ctx=n_ctx, grammars=True)
        self.answer = answer

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        on_prefill: PrefillProgress | None = None,
    ) -> Iterator[str]:
        self.prompts.append(str(window.prompt))
        assert grammar
        yield from self.answer(grammar)


@pytest.fixture
def opened() -> Iterator[Callable[[Game], Game]]:
    """Close the games that it is given when the test is over."""
    games: list[Game] = []
    yield lambda game: games.append(game) or game  # type: ignore[func-returns-value]
    for game in games:
        game.close()
