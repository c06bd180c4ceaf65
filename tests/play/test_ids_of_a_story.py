"""A story that is played on: whenever the model begins to write, it holds the ids that the reference tokenizer makes of
the whole prompt as one text, through turns, options, retries, undos, edits, branches, slides and resumes.

Random moves on small models with the family's kinds of vocabularies. What the model writes is dictated, as the ids in
which it was trained to write it: a reply by itself, so that its first piece may begin with a blank that the text does
not have, and with the words before it no piece is shared.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.kv.reuse import common_prefix
from advrepl.engines.kv.store import KvStore
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.engines.vocabulary import Vocabulary
from advrepl.play import moves
from advrepl.play.events import Slid
from advrepl.play.game import Game
from advrepl.prompt.segments import Window
from advrepl.sampling.params import Sampling
from advrepl.story import saves
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import ModelRef, with_scenario
from advrepl.story.scenario import START, Scenario
from convert import run
from tests import tiny
from tests.engines.kv.test_borders import PAIRS, Reference, formats, text

CTX = 512
MOVES = ("act", "act", "act", "act", "option", "retry", "undo", "edit", "go", "go_on", "memory", "resume")
OPTIONS = ('Say "Go!"', "Open the (red) door.", "Wait… and see.", "Ask for *tea*", "Look at <it>", "Take 3rd lamp!")
SPOKEN = ("The lamp", "Brindle", "«no»", "'twas", "(quiet)", "*nods*", "a>b", "naïve", "龍")
BEGINS, ENDS = ("", "", '"', "*", "(", "He says, "), (*".!?…>", ".*", ".)", "</", '."')


@dataclass
class Dictated:
    """What a model writes, and what it is held to: `checked` prompts were, `apart` stood replies in them."""

    reference: Reference
    prefixed: bool  # does the reference put a blank before a text by itself?
    rand: random.Random
    shown: Window | None = None
    checked: int = 0
    apart: int = 0
    bare: set[str] = field(default_factory=set)  # replies that were written without a blank before them

    def next(self, vocab: Vocabulary, held: Sequence[int], grammar: bool) -> list[int]:
        """Hold the ids before it to the reference, and return those of what is written now."""
        assert self.shown is not None
        self.check(str(self.shown.prompt), vocab, held)
        said = self.rand.choice(OPTIONS) if grammar else reply(self.rand)
        if grammar or self.prefixed or self.rand.random() < 0.5 or str(self.shown.prompt).endswith(":"):
            return vocab.plain(f" {said}")
        self.bare.add(said)
        return vocab.plain(said)

    def check(self, told: str, vocab: Vocabulary, held: Sequence[int]) -> None:
        ids = [token for at, token in enumerate(held) if at or token != vocab.bos]
        blank = "" if self.prefixed else " "
        apart = dict.fromkeys(blanks_in(told, spelled(vocab, ids).removeprefix("" if blank else " ")), blank)
        wanted = self.wanted(told, apart)
        for at in sorted(told.find(said) for said in self.bare if said in told):
            other = self.wanted(told, apart | {at: ""})
            if common_prefix(ids, other) > common_prefix(ids, wanted):
                apart, wanted = apart | {at: ""}, other
        same = common_prefix(ids, wanted)
        assert ids == wanted, [spelled(vocab, found[max(same - 3, 0) : same + 6]) for found in (ids, wanted)]
        self.checked, self.apart = self.checked + 1, self.apart + len(apart)

    def wanted(self, told: str, apart: dict[int, str]) -> list[int]:
        """The reference's ids of a text that is cut where replies begin, with what was written before each."""
        places = [0, *sorted(apart), len(told)]
        parts = (apart.get(start, "") + told[start:end] for start, end in pairwise(places))
        return [token for part in parts for token in self.reference(part)]


def spelled(vocab: Vocabulary, ids: Sequence[int]) -> str:
    return b"".join(vocab.piece(token) or vocab.special(token).encode() for token in ids).decode(errors="replace")


def blanks_in(told: str, spelled: str) -> list[int]:
    """Where a blank is spelled that is not in the text: there a reply begins that was written with one before it."""
    places, at = list[int](), 0
    for letter in spelled:
        if told[at : at + 1] == letter:
            at += 1
        else:
            assert letter == " ", (told[:at], spelled)
            places.append(at)
    assert at == len(told)
    return places


def reply(rand: random.Random) -> str:
    """Words as in a story, of which nothing will be cut off."""
    words = " ".join(rand.choices(SPOKEN, k=rand.randint(3, 20)))
    return f"{rand.choice(BEGINS)}{words}{rand.choice(ENDS)}"


class Speaker(BranchingEngine):
    """A model that says what is dictated."""

    dictated: Dictated

    def generate(self, window: Window, sampling: Sampling, **how: Any) -> Iterator[str]:
        self.dictated.shown = window
        return super().generate(window, sampling, **how)

    @contextmanager
    def _sampler(self, sampling: Sampling, grammar: str | None, prompt: Sequence[int]) -> Iterator[Callable[[], int]]:
        assert self.sequence.cached == list(prompt)
        said = iter(self.dictated.next(self.model.vocab, prompt, grammar is not None))
        yield lambda: next(said, self.model.vocab.eos)


class Played:
    """A story, with all that a player may do to it."""

    def __init__(self, model: Path, dictated: Dictated, format: str, scenario: Scenario, folder: Path) -> None:
        self.model, self.dictated, self.rand, self.folder = model, dictated, dictated.rand, folder
        self.format, self.log, self.slid = formats()[format], Log(folder / "log"), 0
        sampling = {"seed": 1, "max_tokens": 120, "loop_guard": 0, "stop_at_name": False}
        self.save = saves.Save(saves.SCHEMA, "", saves.now(), ModelRef(), format, sampling, scenario, [], None)
        self.open()
        self.follow(self.game.open())

    def open(self) -> None:
        engine = Speaker(LlamaModel(self.model, LoadOptions(CTX, 1), self.log))
        engine.dictated = self.dictated
        self.game = Game(engine, self.format, self.save, SaveFile(self.folder / "story.json"))
        self.game.planner.plain_model = True
        self.game.kv_store = KvStore(engine, self.folder / "story.json", 1 << 30)

    def follow(self, events: Iterator[Any]) -> None:
        self.slid += sum(isinstance(event, Slid) for event in events)

    def move(self, name: str) -> None:
        try:
            getattr(self, name)()
        except AdvreplError as refused:
            assert "take back" in str(refused) or "already" in str(refused) or "opens with" in str(refused)

    def act(self) -> None:
        self.follow(self.game.act(text(self.rand).strip() or "Go on."))

    def option(self) -> None:
        options = self.game.options()
        self.follow(self.game.act(self.rand.choice(options) if options else "I nod."))

    def retry(self) -> None:
        self.follow(self.game.retry())

    def undo(self) -> None:
        self.game.undo()
        self.act()

    def edit(self) -> None:
        path = self.game.story.path
        turn = self.rand.choice(path[-5:])
        moves.edit(self.game, turn, text(self.rand).strip() or "Nothing.")
        self.act()

    def go(self) -> None:
        """To any reply there ever was."""
        replies = [i for i, turn in enumerate(self.game.story.turns) if turn.role == "model"]
        moves.go(self.game, self.rand.choice(replies))
        self.act()

    def go_on(self) -> None:
        self.follow(self.game.go_on())

    def memory(self) -> None:
        self.game.change(with_scenario(self.game.state.save, memory=self.rand.choice(("", "It rains.", '"Hm…"'))))
        self.act()

    def resume(self) -> None:
        self.save = self.game.state.save
        self.game.close()
        self.open()
        store = self.game.kv_store
        assert store and not store.load(self.game.window)
        self.act()


Walk = Callable[[str, str, int, int], Played]


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name == "tekken")) for name in PAIRS]
)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Reference]:
    """A small model with a vocabulary, and its reference tokenizer."""
    folder = tmp_path_factory.mktemp("ids") / "m"
    vocab, reference = PAIRS[request.param](folder)
    config, tensors = tiny.llama(
        1, vocab_size=vocab.size, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    config |= {"bos_token_id": max(vocab.bos, 0), "eos_token_id": max(vocab.eos, 0)}
    tiny.write_json(folder / "config.json", config)
    tiny.write_safetensors(folder / "model.safetensors", tensors, "F16")
    request_ = run.Request(folder, folder.with_suffix(".gguf"), "F16")
    made = run.convert(run.prepare(request_), lambda title: lambda label, done, total: None)
    return request.param, made.out, reference


@pytest.fixture
def walk(model: tuple[str, Path, Reference], tmp_path: Path) -> Iterator[Walk]:
    stories = list[Played]()

    def begin(format: str, kind: str, seed: int, steps: int) -> Played:
        name, file, reference = model
        dictated = Dictated(reference, name == "sentencepiece", random.Random(f"{name} {format} {kind} {seed}"))
        scenario = START
        if kind == "roleplay":
            told = {
                "system": "Brindle keeps an inn.",
                "narrator": "Brindle",
                "opening": '*waves* "Come in!"',
                "start": "",
            }
            scenario = msgspec.structs.replace(START, roleplay=True, options=0, **told)
        stories.append(played := Played(file, dictated, format, scenario, tmp_path))
        for _ in range(steps):
            played.move(dictated.rand.choice(MOVES))
        return played

    yield begin
    for story in stories:
        story.game.close()


@pytest.mark.parametrize(("format", "kind"), [("metharme", "game"), ("pygmalion", "roleplay")])
def test_the_ids_are_the_references(walk: Walk, format: str, kind: str) -> None:
    played = walk(format, kind, 1, 14)
    assert played.dictated.checked >= 12 and (played.dictated.apart or format == "pygmalion")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 4))
@pytest.mark.parametrize("kind", ["game", "roleplay"])
@pytest.mark.parametrize("format", formats())
def test_so_they_are_in_long_stories(walk: Walk, format: str, kind: str, seed: int) -> None:
    played = walk(format, kind, seed, 60)
    assert played.dictated.checked >= 50 and played.slid and (played.dictated.apart or format == "pygmalion")
