"""The whole family as it was published: the same files under the same names, small random weights, and the true small
files where their sums are known. Decoded, converted, and played for a turn; or refused, with the way that there is.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gguf
import pytest
from typer.testing import CliRunner, Result

from advrepl.cli.commands import app
from convert.decode.release_texts import SEVEN, THIRTEEN
from convert.decode.releases import RELEASES, Release
from convert.decode.run import run_jobs
from tests import ROOT, real, tiny
from tests.convert.decode import made
from tests.convert.vocab.test_spm import trained
from tests.terminal.test_pipe import Program

ROWS = 330  # of the small tokenizers
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
)


def gpt2_files(folder: Path) -> None:
    """GPT-2's two files beside the newer one, and the tokens that GPT-J's rows without a meaning have."""
    tiny.write_tokenizer(folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    tiny.write_json(folder / "vocab.json", model["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(model["merges"]) + "\n", encoding="utf-8")
    first = len(model["vocab"])
    tiny.write_json(
        folder / "added_tokens.json", {f"<|extratoken_{i + 1}|>": first + i for i in range(tiny.ROWS - first)}
    )
    (folder / "tokenizer.json").unlink()


def pieces(folder: Path) -> None:
    trained(folder)
    (folder / "tokenizer.vocab").unlink()
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    tiny.write_json(folder / "special_tokens_map.json", names)


def tekken(folder: Path) -> None:
    tiny.write_tokenizer(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tiny.cut_by(tokenizer, tiny.TEKKEN)
    tiny.write_json(folder / "tokenizer.json", tokenizer)
    tiny.write_json(folder / "tokenizer_config.json", {"eos_token": "</s>", "chat_template": CHATML})


@dataclass(frozen=True)
class Member:
    """A model of the family, small; `wanted`: what the table in docs/models.md says of it."""

    row: str
    folder: str
    model: Callable[[], tuple[tiny.Config, dict[str, tiny.Floats]]]
    tokenizer: Callable[[Path], None]
    files: tuple[str, ...]  # the weights
    format: str
    release: Release | None = None
    converts: bool = True


def llama(context: int, eps: float = 1e-6) -> tuple[tiny.Config, dict[str, tiny.Floats]]:
    return tiny.llama(
        5, vocab_size=ROWS, max_position_embeddings=context, rms_norm_eps=eps, bos_token_id=1, eos_token_id=2
    )


def nemo() -> tuple[tiny.Config, dict[str, tiny.Floats]]:
    names = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": None}
    return tiny.llama(5, head_dim=32, num_key_value_heads=2, rope_theta=1e6, max_position_embeddings=4096, **names)


def shards(count: int, kind: str = "bin") -> tuple[str, ...]:
    stem = {"bin": "pytorch_model", "safetensors": "model"}[kind]
    return tuple(f"{stem}-{number + 1:05d}-of-{count:05d}.{kind}" for number in range(count))


WHOLE = ("pytorch_model.bin",)
OLD = {release.name: release for release in RELEASES}
LONG = {"max_position_embeddings": 2048}
neox = partial(tiny.gptneox, **LONG)
MEMBERS = (
    Member(
        "Pygmalion 350M", "pygmalion-350m", partial(tiny.opt, **LONG), gpt2_files, WHOLE, "pygmalion", converts=False
    ),
    Member("Pygmalion 1.3B", "pygmalion-1.3b", neox, tiny.write_tokenizer, WHOLE, "pygmalion"),
    Member("Metharme 1.3B", "metharme-1.3b", neox, tiny.write_tokenizer, WHOLE, "metharme"),
    Member(
        "Pygmalion 2.7B", "pygmalion-2.7b", partial(tiny.gptneo, **LONG), gpt2_files, WHOLE, "pygmalion", converts=False
    ),
    Member("Pygmalion 6B", "pygmalion-6b", partial(tiny.gptj, n_positions=2048), gpt2_files, shards(2), "pygmalion"),
    *(
        Member(f"{name} {size}", folder, lambda: llama(2048), pieces, shards(count), name.lower(), OLD[folder])
        for size, count in (("7B", len(SEVEN.shards)), ("13B", len(THIRTEEN.shards)))
        for name in ("Pygmalion", "Metharme")
        for folder in [f"{name}-{size}".lower()]
    ),
    Member("Pygmalion-2 7B", "pygmalion-2-7b", lambda: llama(4096, 1e-5), pieces, shards(2), "metharme"),
    Member("Pygmalion-2 13B", "pygmalion-2-13b", lambda: llama(4096, 1e-5), pieces, shards(3), "metharme"),
    Member("Mythalion 13B", "mythalion-13b", lambda: llama(4096, 1e-5), pieces, shards(3), "metharme"),
    Member("Pygmalion-3 12B", "pygmalion-3-12b", nemo, tekken, shards(5, "safetensors"), "chat"),
    Member("Eleusis 12B", "eleusis-12b", nemo, tekken, shards(5, "safetensors"), "chat"),
)


def publish(member: Member, place: Path) -> Path:
    """The folder as it lies on the hub; of a release, what comes out of decoding."""
    folder = place / member.folder
    folder.mkdir()
    config, tensors = member.model()
    tiny.write_json(folder / "config.json", config)
    member.tokenizer(folder)
    write_weights(folder, member.files, tensors)
    return folder


def write_weights(folder: Path, files: tuple[str, ...], tensors: dict[str, tiny.Floats]) -> None:
    if files == WHOLE:
        real.write_bin_shards(folder, tensors, 1)
        (folder / shards(1)[0]).rename(folder / WHOLE[0])
        (folder / "pytorch_model.bin.index.json").unlink()
    elif files[0].endswith(".bin"):
        real.write_bin_shards(folder, tensors, len(files))
    else:
        names, parts = list(tensors), len(files)
        for number, file in enumerate(files):
            tiny.write_safetensors(folder / file, {name: tensors[name] for name in names[number::parts]}, "BF16")
        where = {name: files[at % parts] for at, name in enumerate(names)}
        tiny.write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})


def decode(member: Member, folder: Path, place: Path) -> Path:
    """Publish the folder as XOR files, with the true small files, and decode it; then the small model's own again."""
    assert member.release is not None
    true = {name: text.encode() for name, text in member.release.texts.items() if name in member.release.sums}
    own = {file.name: file.read_bytes() for file in folder.iterdir()}
    release = made.Release(place / "published", member.folder)
    for name, raw in {**own, **true}.items():
        release.add(name, raw, hashlib.shake_256(name.encode()).digest(len(raw)))
        if name in true and member.release.name != "metharme-7b":  # whose JSON is XORed too
            (release.xor / name).write_bytes(raw)
    found = {checked.name: checked for checked in run_jobs(release.plan())}
    assert release.results() == release.expected
    assert {found[name].verdict for name in true} == {"right"}
    assert {found[name].verdict for name in member.files} == {"wrong"}  # small ones, not those of which the sums are
    assert all(member.release.size.base in found[name].causes[0] for name in member.files)
    for name in ("config.json", "pytorch_model.bin.index.json", "tokenizer.model"):
        (release.out / name).write_bytes(own[name])
    return release.out.rename(place / "decoded")


def call(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app(), [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def convert_and_play(member: Member, folder: Path, place: Path) -> None:
    file = place / f"{member.folder}-F16.gguf"
    assert member.format in call("convert", folder, "-q", "F16", "-o", file).output
    code, out, err = Program(place).play("-m", str(file), "--json", lines=b"look around\n")
    assert code == 0, err
    ready, *rest = map(json.loads, out.splitlines())
    replies = [event for event in rest if event["event"] == "reply"]
    assert ready["format"] == member.format and len(replies) == 2 and replies[1]["stats"]["generated"] > 0
    fields = gguf.GGUFReader(file).fields
    arch = fields["general.architecture"].contents()
    config, _ = member.model()
    assert fields[f"{arch}.context_length"].contents() == context_of(config)


def context_of(config: tiny.Config) -> int:
    return int(config["max_position_embeddings"] if "max_position_embeddings" in config else config["n_positions"])


def test_a_release_is_decoded_converted_and_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_way(next(member for member in MEMBERS if member.folder == "metharme-13b"), tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.folder)
def test_every_member(member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_way(member, tmp_path, monkeypatch)


def test_the_table_in_the_docs_tells_what_is_tested() -> None:
    lines = (ROOT / "docs" / "models.md").read_text(encoding="utf-8").partition("## How small")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    table = {re.sub(r" \(.*\)", "", row[0]): row[1:] for row in cells}
    assert list(table) == [member.row for member in MEMBERS]
    for member in MEMBERS:
        published, here, prompts, context, *_ = table[member.row]
        assert published == ("XOR" if member.release else "folder") and ("decode" in here) == (published == "XOR")
        assert ("convert, play" in here) == member.converts != ("llama.cpp has no" in here)
        assert prompts.split()[0] == member.format
        config, _ = member.model()
        assert context == "as `config.json` says" or int(context) == context_of(config)


def whole_way(member: Member, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(place / "home"))
    folder = publish(member, place)
    if not member.converts:
        told = call("convert", folder, code=1)
        assert "has no counterpart in llama.cpp" in str(told.exception) and "advrepl play -m" in str(told.exception)
        return
    convert_and_play(member, decode(member, folder, place) if member.release else folder, place)
