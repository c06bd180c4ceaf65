"""Quantized files beside their F16 over a story: the figures are those of numpy, and each token is of its kind."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from advrepl import AdvreplError
from advrepl.cli.commands import app
from advrepl.cli.judge import aloud
from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.formats import Metharme
from advrepl.story import save_file, saves
from advrepl.story.scenario import START
from advrepl.story.tree import Turn
from advrepl.tuning import judge
from tests import tiny
from tests.convert.converted import convert

TOLD = (
    "I ask Anna where she goes.",
    'The door opens, and Anna comes in. "Where is Tom?" she asks.',
    "I look at the tower.",
    "It is high. On the other side Tom waves; he shouts: “Anna, the bell!”",
)
OPTIONS = LoadOptions(ctx=256, threads=1, gpu_layers=0)


def save_of(*texts: str) -> saves.Save:
    turns = [Turn(i - 1 if i else None, "model" if i % 2 else "user", text) for i, text in enumerate(texts)]
    head = len(turns) - 1
    return saves.Save(saves.SCHEMA, "", saves.now(), saves.ModelRef(), "metharme", {}, START, turns, head)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("judge")
    folder = tiny.make("llama-256", place / "m")
    for kind in ("F16", "Q8_0", "Q2_K"):
        convert(folder, place / f"m-{kind}.gguf", kind)
    return place


def files(place: Path, *kinds: str) -> list[Path]:
    return [place / f"m-{kind}.gguf" for kind in kinds]


def run(place: Path, found: list[Path], save: saves.Save, most: int = 2000) -> list[judge.Judged]:
    log = Log(place / "log")
    return judge.judge(found, save, OPTIONS, most, lambda model: Metharme(), aloud, log, lambda name, share: None)


def by_numpy(file: Path, reference: Path, read: list[judge.Passage]) -> tuple[list[float], list[bool]]:
    """One divergence and one choice for each token that is judged, from logits of our own call of llama.cpp."""
    kl, same = list[float](), list[bool]()
    for passage in read:
        chances = []
        for path in (reference, file):
            logits = tiny.logits(path, list(passage.ids)).astype(np.float64)
            chances.append(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
        p, q = chances
        wanted = [at - 1 for at, kind in enumerate(passage.kinds) if kind]
        kl += [float((p[at] * np.log(p[at] / q[at])).sum()) for at in wanted]
        same += [int(p[at].argmax()) == int(q[at].argmax()) for at in wanted]
    return kl, same


def test_the_figures_are_those_of_numpy(place: Path) -> None:
    found, save = files(place, "F16", "Q8_0", "Q2_K"), save_of(*TOLD)
    model = LlamaModel(found[0], OPTIONS, Log(place / "log"))
    read = judge.passages(model, Metharme(), save, 2000, aloud)
    model.close()
    assert len(read) == 2 and all(len(passage.ids) <= 256 for passage in read)
    kinds = [kind for passage in read for kind in passage.kinds if kind]
    judged = run(place, found, save)
    for one, file in zip(judged, found[1:], strict=True):
        kl, same = by_numpy(file, found[0], read)
        near = 0.1 if "Q8_0" in file.name else 0.02  # theirs is an exact cache, which Q8_0 is close enough to see
        assert one.file == file.name and one.bytes == file.stat().st_size and one.all.tokens == len(kl) == len(kinds)
        assert one.all.kl == pytest.approx(np.mean(kl), rel=near)
        assert one.all.same == pytest.approx(np.mean(same), abs=0.02)
        for kind in judge.KINDS:
            chosen = [value for value, of in zip(kl, kinds, strict=True) if of == kind]
            assert one.kinds[kind].tokens == len(chosen) > 5
            assert one.kinds[kind].kl == pytest.approx(np.mean(chosen), rel=near)
    assert 0 < judged[0].all.kl < judged[1].all.kl / 10


def test_every_token_of_the_turns_is_judged_once_and_none_of_the_marks(place: Path) -> None:
    model = LlamaModel(place / "m-F16.gguf", OPTIONS, Log(place / "log"))
    read = judge.passages(model, Metharme(), save_of(*TOLD), 2000, aloud)
    spelled = b"".join(
        model.vocab.piece(token)
        for passage in read
        for token, kind in zip(passage.ids, passage.kinds, strict=True)
        if kind
    )
    first = judge.passages(model, Metharme(), save_of(*TOLD), 70, aloud)
    model.close()
    assert spelled.decode() == "".join(TOLD)
    assert sum(bool(kind) for passage in first for kind in passage.kinds) == 70


def test_names_speech_and_narration_are_told_apart() -> None:
    names = judge.names_in("\n".join(TOLD))
    assert names == {"Anna", "Tom"}
    text = 'Tom said: "Anna is here."'
    kinds = judge.kinds_of(text, names, aloud)
    spans = [(text.index(part), part) for part in ("Tom", " said: ", '"', "Anna", ' is here."')]
    wanted = ["names", "narration", "speech", "names", "speech"]
    assert [set(kinds[at : at + len(part)]) for at, part in spans] == [{kind} for kind in wanted]


def test_a_name_is_no_beginning_of_a_sentence_and_no_word_that_is_small_elsewhere() -> None:
    assert judge.names_in("The Captain said that I, the captain, saw Anna's cat. Rain fell.") == {"Anna"}


def test_the_smallest_that_is_good_enough_is_named() -> None:
    sized = [(300, 0.01), (200, 0.05), (100, 0.4)]
    judged = [judge.Judged(str(size), size, judge.Agreement(9, kl, 1.0), {}) for size, kl in sized]
    assert [judge.smallest(judged, limit) for limit in (1, 0.05, 0.02, 0.001)] == [*judged[2:0:-1], judged[0], None]


def test_what_cannot_be_compared_is_one_sentence(place: Path) -> None:
    other = tiny.write_folder(place / "other", *tiny.llama(vocab_size=400))
    convert(other, place / "other.gguf", "F16")
    pair = [place / "m-F16.gguf", place / "other.gguf"]
    with pytest.raises(AdvreplError, match=r"other\.gguf has other tokens than m-F16\.gguf: only files of one model"):
        run(place, pair, save_of(*TOLD))
    with pytest.raises(AdvreplError, match=r"the story has \d+ tokens that can be judged, too few"):
        run(place, pair, save_of("Go.", "You go."))


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app(), [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def test_the_command_shows_each_kind_and_names_a_file(place: Path) -> None:
    with save_file.SaveFile(place / "tale.json") as file:
        file.write(save_of(*TOLD))
    given = ["judge", *files(place, "F16", "Q8_0", "Q2_K"), "--on", "tale", "--saves", place, "--ctx", 256]
    lines = call(*given, "--limit", 9).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]][:4] == ["m-Q8_0.gguf", "names", "speech", "narration"]
    assert lines[-1] == "Within 9: m-Q2_K.gguf."
