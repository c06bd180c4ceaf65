"""Whole conversions, run by llama.cpp: the numbers of transformers, the real model, and nothing left behind."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from convert import ConvertError, run
from convert.run import Request, prepare
from tests import real, tiny
from tests.convert.converted import quiet

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "logits.npz")
STEP = 15  # of golden/make_logits.py

# llama.cpp looks GELU up in a table of half precision numbers, which costs GPT-J and GPT-NeoX two digits.
TOLERANCE = {"llama": 1e-4, "gptj": 5e-3, "gptneox": 5e-3}


def converted(folder: Path, kind: str, **options: Any) -> run.ConvertResult:
    return run.convert(prepare(Request(folder, folder.parent / f"{folder.name}-{kind}.gguf", kind, **options)), quiet)


def kinds(file: Path) -> dict[str, str]:
    return {t.name: t.tensor_type.name for t in gguf.GGUFReader(file).tensors}


# The numbers


@pytest.mark.parametrize("name", tiny.SHAPES)
def test_logits_are_those_of_transformers(tmp_path: Path, name: str) -> None:
    got = tiny.logits(converted(tiny.make(name, tmp_path / name), "F32").out, tiny.tokens_of(300, tiny.ROWS))
    tolerance = TOLERANCE[name.partition("-")[0]]
    assert np.abs(got[::STEP] - GOLDEN[f"{name}/logits"]).max() < tolerance
    # Two words can be as good as equally likely; everywhere else the choice is the same, at all 300 places.
    clear = GOLDEN[f"{name}/lead"] > 2 * tolerance
    assert clear.sum() > 280
    assert (got.argmax(1) == GOLDEN[f"{name}/likely"])[clear].all()


@pytest.mark.parametrize("name", [name for name in tiny.SHAPES if not name.startswith("llama")])
def test_what_remains_is_the_engines_gelu_table(tmp_path: Path, name: str) -> None:
    """Against transformers with llama.cpp's GELU put in, the mapping itself is seen to be exact.

    The two still round a value to different halves now and then, so a few logits are further off.
    """
    got = tiny.logits(converted(tiny.make(name, tmp_path / name), "F32").out, tiny.tokens_of(300, tiny.ROWS))
    assert np.quantile(np.abs(got[::STEP] - GOLDEN[f"{name}/table"]), 0.95) < 1e-4


@pytest.mark.parametrize("name", ["llama-256", "gptj", "gptneox", "llama-grouped"])
@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K_M"])
def test_quantized_files_load_and_stay_near(tmp_path: Path, name: str, kind: str) -> None:
    got = tiny.logits(converted(tiny.make(name, tmp_path / name), kind).out, tiny.tokens_of(300, tiny.ROWS))
    assert np.isfinite(got).all()
    wanted = GOLDEN[f"{name}/logits"]
    error = np.sqrt(np.mean((got[::STEP] - wanted) ** 2)) / wanted.std()
    assert error < (0.05 if kind == "Q8_0" else 0.35)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_the_first_file_follows_the_sources_type(tmp_path: Path, dtype: str) -> None:
    folder = tiny.make("llama", tmp_path / "m", dtype=dtype)
    assert prepare(Request(folder, tmp_path / "o.gguf", "Q4_K_M")).first_type == dtype
    assert prepare(Request(folder, tmp_path / "o.gguf", "BF16")).first_type == "BF16"


def test_bf16_reaches_the_quantizer_unsqueezed(tmp_path: Path) -> None:
    """Values of a million are beyond F16, and Q8_0 holds them: on the way they must not have been F16."""
    config, tensors = tiny.llama(hidden_size=256, intermediate_size=256, num_hidden_layers=1)
    tensors["model.embed_tokens.weight"] *= np.float32(1e6)
    folder = tiny.write_folder(tmp_path / "m", config, tensors, "BF16")
    found = {t.name: t for t in gguf.GGUFReader(converted(folder, "Q8_0").out).tensors}["token_embd.weight"]
    back = gguf.quants.dequantize(found.data, found.tensor_type)
    assert found.tensor_type.name == "Q8_0"
    assert np.abs(back - tensors["model.embed_tokens.weight"]).max() < 1e6 / 100


# What the file says


def test_the_file_tells_what_it_was_made_from(tmp_path: Path) -> None:
    folder = tiny.make("gptj", tmp_path / "pygmalion-6b")
    (folder / "README.md").write_text(
        "---\nlicense: creativeml-openrail-m\nlanguage:\n- en\nthumbnail:\n"
        "tags:\n- text generation\n- conversational\n---\n\n"
        "# Pygmalion 6B\n\nfrom https://huggingface.co/PygmalionAI/pygmalion-6b and https://huggingface.co/a/b\n"
    )
    result = converted(folder, "Q8_0", format="pygmalion")
    fields = {
        n: f.contents() for n, f in gguf.GGUFReader(result.out).fields.items() if n.startswith(("general", "adv"))
    }
    assert fields == {
        "general.architecture": "phi2", "general.type": "model", "general.name": "Pygmalion 6B",
        "general.size_label": "141K", "general.basename": "pygmalion", "general.finetune": "6b",
        "general.license": "creativeml-openrail-m", "general.languages": ["en"],
        "general.tags": ["text generation", "conversational"], "general.quantization_version": 2,
        "general.source.url": "https://huggingface.co/PygmalionAI/pygmalion-6b", "general.file_type": 7,
        "advrepl.prompt_format": "pygmalion",
        "advrepl.source.files": ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"],
        "advrepl.source.sha256": [
            hashlib.sha256((folder / n).read_bytes()).hexdigest()
            for n in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")
        ],
    }  # fmt: skip


@pytest.mark.parametrize("asked", ["metharme", None])
def test_the_prompt_format_is_noted_as_asked_whatever_the_names_say(tmp_path: Path, asked: str | None) -> None:
    folder = tiny.make("llama", tmp_path / "pygmalion-7b")
    plan = prepare(Request(folder, tmp_path / "o.gguf", format=asked))
    assert plan.fields.get("advrepl.prompt_format") == asked


# Refused before anything is written


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ftype": "Q4_K_X"}, "-q Q4_K_X: unknown type; the types are F32, BF16, F16, Q8_0"),
        ({"ftype": "IQ2_XS"}, "IQ2_XS needs an importance matrix: --imatrix auto makes one"),
        ({"ftype": "IQ2_XS", "imatrix": "gone.dat"}, "gone.dat: No such file"),
        ({"calibration": Path("gone.txt")}, "gone.txt: no such file; --calibration takes a text"),
    ],
)
def test_what_cannot_be_done_is_said_first(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    folder = tiny.make("llama", tmp_path / "m")
    with pytest.raises(ConvertError, match=sentence):
        prepare(Request(folder, tmp_path / "deep" / "o.gguf", **options))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


def test_a_full_disk_is_noticed_before_writing(tmp_path: Path) -> None:
    """A checkpoint of 3 TB that is one hole: the disk knows its size and holds none of it."""
    inner = 1 << 30
    config, tensors = tiny.llama(intermediate_size=176, num_hidden_layers=4)
    folder = tiny.write_folder(tmp_path / "m", config | {"intermediate_size": inner}, {})
    header, end = {}, 0
    for name, values in tensors.items():
        shape = [inner if n == 176 else n for n in values.shape]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + 4 * prod(shape)]}
        end += 4 * prod(shape)
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    with pytest.raises(
        ConvertError, match=r"not enough space; the result takes about .* GB and a temporary .* are free"
    ):
        prepare(Request(folder, tmp_path / "deep" / "o.gguf", imatrix=run.AUTO))
    with pytest.raises(ConvertError, match=r"not enough space; the result takes about [^ ]* GB, .* are free"):
        prepare(Request(folder, tmp_path / "deep" / "o.gguf"))
    assert not (tmp_path / "deep").exists()


def test_a_folder_is_no_place_for_the_result(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="is a folder; -o takes the name of the file to write"):
        prepare(Request(tiny.make("llama", tmp_path / "m"), tmp_path))


# Nothing stays behind


def test_only_the_result_stays(tmp_path: Path) -> None:
    result = converted(tiny.make("llama", tmp_path / "m"), "Q4_K_M")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "m-Q4_K_M.gguf"]
    assert result.bytes == result.out.stat().st_size
    assert set(result.seconds) - {"write"} == {"quantize"}


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    config, tensors = tiny.llama()
    tensors["model.layers.1.mlp.down_proj.weight"][3, 3] = np.nan
    folder = tiny.write_folder(tmp_path / "m", config, tensors)
    out = tmp_path / "m-Q4_K_M.gguf"
    out.write_bytes(b"the old one")
    with pytest.raises(ConvertError, match=r"^tensor 'blk.1.ffn_down.weight' holds values"):
        converted(folder, "Q4_K_M")
    assert out.read_bytes() == b"the old one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "m-Q4_K_M.gguf"]


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_ctrl_c_while_quantizing_ends_the_child_and_cleans_up(tmp_path: Path) -> None:
    folder = tiny.write_folder(tmp_path / "m", *tiny.llama(hidden_size=1024, intermediate_size=8192), dtype="F32")
    code = (
        "import sys; from pathlib import Path; from convert.run import *\n"
        "def stage(t):\n print(t, flush=True); return lambda *a: t == 'quantizing' and print(*a, flush=True)\n"
        "convert(prepare(Request(Path(sys.argv[1]), Path(sys.argv[2]), 'Q2_K')), stage)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "o.gguf")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("blk.0"):
            break
    os.killpg(process.pid, signal.SIGINT)  # the whole group, as a terminal does
    start = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - start < 5
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


# A real model


@pytest.fixture(scope="module")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real.smollm_folder(tmp_path_factory.mktemp("real") / "SmolLM2-135M")


def test_a_real_model_comes_back_as_it_was(smollm: Path, tmp_path: Path) -> None:
    """Its own GGUF file, made into a Hugging Face folder and back: the same weights and the same vocabulary."""
    out = tmp_path / "o.gguf"
    run.convert(prepare(Request(smollm, out, "BF16")), quiet)
    theirs, ours = real.smollm_reader(), gguf.GGUFReader(out)
    found = {t.name: t for t in ours.tensors}
    assert set(found) == {t.name for t in theirs.tensors}
    for tensor in theirs.tensors[:12]:
        exact = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        expected = exact if exact.ndim == 1 else (tiny.bf16(exact).astype(np.uint32) << 16).view(np.float32)
        back = gguf.quants.dequantize(found[tensor.name].data, found[tensor.name].tensor_type)
        assert (back == expected).all(), tensor.name
    for key in ("tokens", "token_type", "merges", "pre", "eos_token_id", "bos_token_id", "add_bos_token"):
        name = f"tokenizer.ggml.{key}"
        assert ours.fields[name].contents() == theirs.fields[name].contents(), key


def test_a_real_model_says_the_same_after_quantizing(smollm: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.gguf"
    run.convert(prepare(Request(smollm, out, "Q8_0")), quiet)
    prompt = "The capital of France is the city of Paris. The capital of Germany is the city of"
    ids = tiny.token_ids(out, [prompt.encode()])[0]
    (berlin,) = tiny.token_ids(out, [b" Berlin"])[0]
    assert tiny.logits(out, ids)[-1].argmax() == berlin
    assert json.loads((smollm / "config.json").read_text())["tie_word_embeddings"] is True
    assert "output.weight" not in kinds(out)
