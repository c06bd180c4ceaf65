"""What tests share: a scripted engine, the small real model, saves in a temporary folder."""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from advrepl.cards.character import Character
from advrepl.engines import models
from advrepl.engines.base import LoadOptions, PrefillProgress, Stats, until_stop
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.play.game import Game
from advrepl.prompt.formats import FORMATS
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.story import save_file, saves
from advrepl.story.scenario import START, Scenario
from tests import ROOT, real

# A shell that runs the tests in the background lets them ignore Ctrl-C, and every program they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup does the same to the end of a terminal

# How long an example takes is the machine's mood: what has to be fast has a test that counts calls or processor time.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# What is told of each reply (docs/design.md, "The command line as a contract").
STATS = {
    "prompt", "reused", "shifted", "evicted", "generated", "decoded", "aside", "first_ms", "seconds", "ahead", "stop",
}  # fmt: skip

# The rooms whose tests start programs and read models come first: so no core is left with a long file at the end.
LONGEST = ("terminal", "play", "engines", "tuning", "cli", "convert")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order in which the processes of `make test` take them."""
    rooms = {room: place for place, room in enumerate(LONGEST)}
    items.sort(key=lambda item: rooms.get(item.path.relative_to(ROOT / "tests").parts[0], len(rooms)))


class ScriptedEngine:
    """An engine that says what it was told to say, word by word, and counts words as tokens.

    It honours stops, `max_tokens` and `cancel`, and notes every prompt. It cannot be held to a grammar, but plays one
    back: with `grammars` on, each call takes the next reply, also for single options.
    """

    name, fingerprint = "scripted", "scripted-1"
    n_params = 7_000_000_000
    template: str | None = None
    text_borders = ("", "")
    format_hint: str | None = "metharme"
    shifted = False
    slide_to = 0.75
    more_room = "give a larger --ctx"

    def __init__(self, *replies: str, n_ctx: int = 2000, grammars: bool = False) -> None:
        self.replies, self.n_ctx, self.grammars = list(replies), n_ctx, grammars
        self.prompts: list[str] = []
        self.samplings: list[Sampling] = []
        self.grammars_seen: list[str] = []
        self.costs: list[tuple[int, int]] = []  # tokens decoded and prompts read, which its next calls tell
        self.stats = Stats()
        self.closed = self._cancelled = False

    def count(self, segment: Segment) -> int:
        return len(segment.text.split()) + 1

    def sizes(self, segments: Sequence[Segment]) -> list[int]:
        return list(map(self.count, segments))

    def is_forgeable(self, mark: str) -> bool:
        return True

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        on_prefill: PrefillProgress | None = None,
    ) -> Iterator[str]:
        self.prompts.append("".join(map(str, window.segments)))
        self.samplings.append(sampling)
        self.grammars_seen.append(grammar or "")
        self._cancelled = False
        decoded, whole = self.costs.pop(0) if self.costs else (0, 0)
        self.stats = Stats(prompt=window.used, stop="stop", decoded=decoded, whole=whole)
        yield from until_stop(self._words(sampling.max_tokens), stop)

    def _words(self, limit: int) -> Iterator[str]:
        for word in filter(None, self.replies.pop(0).replace(" ", "\0 ").split("\0")):
            if self._cancelled:
                self.stats.stop = "interrupted"
                return
            if self.stats.generated >= limit:
                self.stats.stop = "length"
                return
            self.stats.generated += 1
            yield word
        self.stats.stop = "end"

    def forget_moved(self) -> None:
        pass  # it has no cache

    def cancel(self) -> None:
        self._cancelled = True

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The small real model; `make test` installs it."""
    path = models.starter_model()
    assert path is not None, "run `make test`, which installs the starter model"
    return path


@pytest.fixture(scope="session")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small real model with few of its layers, where what it says does not matter."""
    return real.shallow_smollm2(tmp_path_factory.mktemp("shallow"))


@pytest.fixture(scope="session")
def open_engine(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LlamaEngine]]:
    """Opens real engines on the small model, or one that is named, and closes them at the end.

    With one thread: two that wait for each other on a busy machine are many times slower.
    """
    log = Log(tmp_path_factory.mktemp("log") / "llama.log")
    opened: list[LlamaEngine] = []

    def open(
        ctx: int = 512,
        shift: bool = True,
        threads: int = 1,
        branches: int = 0,
        exact: bool = False,
        path: Path = smollm2,
    ) -> LlamaEngine:
        kind = BranchingEngine if branches else LlamaEngine
        model = LlamaModel(path, LoadOptions(ctx, threads, branches=branches), log)
        opened.append(kind(model, shift=shift, exact=exact))
        return opened[-1]

    yield open
    for engine in opened:
        engine.close()


@pytest.fixture(scope="session")
def open_shallow(open_engine: Callable[..., LlamaEngine], shallow: Path) -> Callable[..., LlamaEngine]:
    """Opens engines on the shallow model."""
    return partial(open_engine, path=shallow)


@pytest.fixture
def new_game(tmp_path: Path) -> Callable[..., Game]:
    """Makes games on any engine, with a save in the temporary folder."""

    def make(
        engine: object,
        scenario: Scenario = START,
        format: str = "metharme",
        character: Character | None = None,
        **sampling: object,
    ) -> Game:
        path = tmp_path / f"{saves.free_name(tmp_path, 'story')}.json"
        save = saves.Save(
            saves.SCHEMA, scenario.title, saves.now(), saves.ModelRef(), format, dict(sampling), scenario, [], None,
            character=character,
        )  # fmt: skip
        return Game(engine, FORMATS[format], save, save_file.SaveFile(path))  # type: ignore[arg-type]

    return make
