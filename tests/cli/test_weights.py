"""The commands as a player types them: XOR release to a model that writes, with what is printed on the way."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from advrepl import AdvreplError
from advrepl.cli import weights
from advrepl.engines.llama import trial
from convert import ConvertError
from tests import real, tiny

app = typer.Typer()
app.command()(weights.decode)
app.command()(weights.convert)


def call(*args: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in args], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def encode(folder: Path, base: Path, release: Path) -> None:
    """A release of `folder`: its files XORed with a base of random bytes, its README as it is."""
    noise = np.random.PCG64(7)
    base.mkdir()
    release.mkdir()
    for file in folder.iterdir():
        data = np.frombuffer(file.read_bytes(), np.uint8)
        other = noise.random_raw(data.size // 8 + 1).view(np.uint8)[: data.size]
        (base / file.name).write_bytes(other.tobytes())
        (release / file.name).write_bytes((data ^ other).tobytes())
    (release / "README.md").write_text("# Metharme-like SmolLM2\n\nUses `<|user|>` and `<|model|>`.\n")


def sum_list(folder: Path) -> str:
    return "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in folder.iterdir())


@pytest.mark.parametrize("model", ["shallow", pytest.param("smollm2", marks=pytest.mark.slow)])
def test_a_real_model_the_whole_way(
    model: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a release of SmolLM2 as two .bin shards; the whole model also says what it would have said."""
    source = request.getfixturevalue(model)
    reader = gguf.GGUFReader(source)
    smollm = real.smollm_folder(tmp_path / "real" / "SmolLM2", dtype="", reader=reader)
    real.write_bin_shards(smollm, real.smollm_tensors(reader, 9, 3), count=2)
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    encode(smollm, tmp_path / "base", tmp_path / "xor")
    (tmp_path / "sums.txt").write_text(sum_list(smollm))
    decoded = call(
        "decode", tmp_path / "xor", tmp_path / "base", tmp_path / "SmolLM2", "--sha256", tmp_path / "sums.txt"
    )
    assert decoded.stdout.count(" right") == 6
    assert f"advrepl convert {tmp_path / 'SmolLM2'}" in decoded.stdout
    shutil.rmtree(tmp_path / "base")
    made = call("convert", tmp_path / "SmolLM2")
    out = tmp_path / "home" / "models" / "SmolLM2-Q4_K_M.gguf"
    assert f"advrepl play -m {out}" in made.stdout
    assert "metharme" in made.stdout
    assert "Needs about" in made.stderr
    prompt = "Once upon a time, there was a little"
    ids = tiny.token_ids(out, [prompt.encode()])[0]
    assert np.corrcoef(tiny.logits(out, ids)[-1], tiny.logits(source, ids)[-1])[0, 1] > 0.9
    for _ in range(2):
        ids.append(int(tiny.logits(out, ids)[-1].argmax()))
    tokens = reader.fields["tokenizer.ggml.tokens"]
    written = "".join(bytes(tokens.parts[tokens.data[i]]).decode() for i in ids[-2:]).replace("Ġ", " ")
    assert model == "shallow" or written == " girl named"
    assert three_options_in_every_turn(out, tmp_path)


def three_options_in_every_turn(model: Path, folder: Path) -> bool:
    """Play two turns of the adventure on it, as its README's format wants it."""
    # One thread: two that wait for each other on a busy machine are many times slower.
    how = ["--ctx", "512", "--max-tokens", "24", "--seed", "1", "--threads", "1", "--json"]
    how += ["--saves", str(folder / "saves")]
    played = subprocess.run(
        [sys.executable, "-m", "advrepl", "play", "-m", str(model), *how],
        input="1\nlook around\n",
        capture_output=True,
        text=True,
        check=True,
    )
    events = [json.loads(line) for line in played.stdout.splitlines()]
    replies = [event for event in events if event["event"] == "reply"]
    assert events[0]["format"] == "metharme" and len(replies) == 3
    return all(len(set(reply["options"])) == 3 for reply in replies)


def small_release(tmp_path: Path) -> tuple[Path, Path]:
    folder = tiny.make("llama", tmp_path / "m")
    encode(folder, tmp_path / "base", tmp_path / "xor")
    return tmp_path / "xor", tmp_path / "base"


def test_without_sums_nothing_is_called_right(tmp_path: Path) -> None:
    result = call("decode", *small_release(tmp_path), tmp_path / "out")
    assert result.stdout.count("unknown") >= 4
    assert "No sums are known" in result.stdout
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (tmp_path / "m" / "model.safetensors").read_bytes()


def test_a_wrong_sum_is_told_with_causes_and_the_file_stays(tmp_path: Path) -> None:
    xor, base = small_release(tmp_path)
    (tmp_path / "sums.txt").write_text(f"{'0' * 32}  model.safetensors\n")
    result = call("decode", xor, base, tmp_path / "out", "--md5", tmp_path / "sums.txt", code=1)
    assert re.search(r"model.safetensors +wrong", result.stdout)
    assert "usual causes: the base was converted by another version of transformers" in result.stdout
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_a_known_json_that_came_out_wrong_is_offered_and_taken(tmp_path: Path) -> None:
    """A folder called pygmalion-7b whose special_tokens_map.json has another base: its text is built in."""
    xor, base, out = tmp_path / "pygmalion-7b", tmp_path / "base", tmp_path / "out"
    xor.mkdir()
    base.mkdir()
    (xor / "special_tokens_map.json").write_bytes(b"\x01\x02" * 200)
    (base / "special_tokens_map.json").write_bytes(b"\x77" * 400)
    told = call("decode", xor, base, out, code=1)
    assert "special_tokens_map.json came out wrong, its text is known: SHA-256 " in told.stdout
    assert "Run again with --rebuild to use it." in told.stdout
    call("decode", xor, base, out, "--rebuild")
    assert json.loads((out / "special_tokens_map.json").read_text())["bos_token"]["content"] == "<s>"


def test_what_reads_as_json_is_replaced_only_if_asked_for_twice(tmp_path: Path) -> None:
    """Somebody's fine-tune in a folder that is called like the release it was made from."""
    xor, base, out = tmp_path / "pygmalion-7b", tmp_path / "base", tmp_path / "out"
    xor.mkdir()
    base.mkdir()
    (xor / "config.json").write_text('{"hidden_size": 5120}')
    for asked in ((), ("--rebuild",)):
        told = call("decode", xor, base, out, *asked, code=1)
        assert "Run again with --rebuild --rebuild to use it." in told.stdout
        assert (out / "config.json").read_text() == '{"hidden_size": 5120}'
    told = call("decode", xor, base, out, "--rebuild", "--rebuild")
    assert "What came out is kept as config.json.orig." in told.stdout
    assert json.loads((out / "config.json").read_text())["hidden_size"] == 4096
    assert (out / "config.json.orig").read_text() == '{"hidden_size": 5120}'


def test_the_type_may_be_written_small(tmp_path: Path) -> None:
    folder = tiny.make("gptj", tmp_path / "m")
    result = call("convert", folder, "-q", "q8_0", "-o", tmp_path / "x.gguf")
    assert (tmp_path / "x.gguf").is_file()
    assert "Q8_0" in result.stdout
    assert "quantize" in result.stdout  # the seconds of each step
    assert "not known; give --format when playing" in result.stdout


def test_a_refusal_is_one_sentence(tmp_path: Path) -> None:
    folder = tiny.make("gptj", tmp_path / "m")
    tiny.write_json(folder / "config.json", {"model_type": "gpt_neo"})
    with pytest.raises(ConvertError, match="advrepl play -m HF_DIR"):
        call("convert", folder)


@pytest.mark.parametrize(
    ("name", "readme", "asked", "expected"),
    [
        ("metharme-7b", "", None, "metharme"),
        ("Pygmalion-2-7b", "", None, "metharme"),
        ("Pygmalion2-7B", "", None, "metharme"),
        ("pygmalion-2.7b", "", None, "pygmalion"),
        ("pygmalion-7b", "", None, "pygmalion"),
        ("merged", "# Metharme 7B\n", None, "metharme"),
        ("merged", "use `<|user|>` and `<|model|>`", None, "metharme"),
        ("merged", "X's Persona: ...\n<START>\n", None, "pygmalion"),
        ("merged", "", None, None),
        ("metharme-7b", "", "chat", "chat"),
    ],
)
def test_the_prompt_format_is_found_and_noted(
    tmp_path: Path, name: str, readme: str, asked: str | None, expected: str | None
) -> None:
    folder = tiny.make("llama", tmp_path / name)
    (folder / "README.md").write_text(readme)
    call("convert", folder, "-q", "F16", "-o", tmp_path / "x.gguf", *(("--format", asked) if asked else ()))
    noted = gguf.GGUFReader(tmp_path / "x.gguf").fields.get("advrepl.prompt_format")
    assert (noted.contents() if noted else None) == expected


def test_a_chat_template_tells_its_format_or_is_one(tmp_path: Path) -> None:
    folder = tiny.make("llama", tmp_path / "merged")
    for template, expected in (("{{ messages }}", "chat"), ("{{ '<|user|>' + '<|model|>' }}", "metharme")):
        tiny.write_json(folder / "tokenizer_config.json", {"chat_template": template})
        call("convert", folder, "-q", "F16", "-o", tmp_path / "x.gguf")
        assert gguf.GGUFReader(tmp_path / "x.gguf").fields["advrepl.prompt_format"].contents() == expected


def test_an_unknown_prompt_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = tiny.make("gptj", tmp_path / "m")
    with pytest.raises(AdvreplError, match="there is no prompt format 'alpaca': use metharme, pygmalion or chat"):
        call("convert", folder, "-o", tmp_path / "deep" / "x.gguf", "--format", "alpaca")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    ("name", "start", "sentence"),
    [
        ("ggml-model-q4_0.bin", b"tjgg" + bytes(60), "an old GGML file, which llama.cpp no longer reads: convert"),
        ("old.bin", b"lmgg" + bytes(60), "an old GGML file"),
        ("old.gguf", b"fmgg" + bytes(60), "an old GGML file"),
        ("notes.txt", b"hello, world", "no model: give a Hugging Face folder, its .safetensors file, or a .gguf"),
        ("empty.safetensors", b"", "no model: give"),
        ("w.safetensors", bytes([2, 0, 0, 0, 0, 0, 0, 0]) + b"{}", "has no config.json beside it"),
        ("pytorch_model.bin", b"PK" + bytes(60), "has no config.json beside it"),
        ("cut.gguf", b"GGUF" + bytes(60), "is cut short or damaged"),
        ("lfs.gguf", b"version https://git-lfs.github.com/spec/v1", "Git LFS left only a pointer for lfs.gguf"),
    ],
)
def test_a_file_that_is_no_folder_is_told_in_one_sentence(
    tmp_path: Path, name: str, start: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(start)
    with pytest.raises((ConvertError, AdvreplError)) as caught:
        call("convert", tmp_path / name, "-o", tmp_path / "out.gguf")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out.gguf").exists()


def test_what_is_converted_here_needs_no_trial_and_what_says_so_by_itself_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    ours, theirs = tmp_path / "ours.gguf", tmp_path / "theirs.gguf"
    call("convert", tiny.make("llama", tmp_path / "m"), "-q", "F16", "-o", ours)
    shutil.copy(ours, theirs)
    tried, run = list[str](), subprocess.run

    def noted(words: list[str], **how: Any) -> Any:
        tried.append(words[-1])
        return run(words, **how)

    monkeypatch.setattr(subprocess, "run", noted)
    for path in (ours, theirs):
        trial.check_loads(path)
    assert tried == [str(theirs)]


def test_a_single_file_of_weights_converts_and_a_gguf_is_quantized_again(tmp_path: Path) -> None:
    folder = tiny.make("llama-256", tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "finetune.safetensors")
    call("convert", folder / "finetune.safetensors", "-q", "F16", "-o", tmp_path / "one.gguf")
    call("convert", tmp_path / "one.gguf", "-q", "Q8_0", "-o", tmp_path / "two.gguf")
    call("convert", tmp_path / "two.gguf", "-q", "Q4_K_M", "-o", tmp_path / "three.gguf")
    sizes = [(tmp_path / f"{name}.gguf").stat().st_size for name in ("one", "two", "three")]
    assert sizes == sorted(sizes, reverse=True) and sizes[2] > 100_000
    tokens = tiny.tokens_of(20, tiny.ROWS)
    exact, rough = (tiny.logits(tmp_path / f"{name}.gguf", tokens) for name in ("one", "two"))
    assert np.abs(exact - rough).max() < 0.2
    with pytest.raises(ConvertError, match="is the file to read"):
        call("convert", tmp_path / "two.gguf", "-q", "Q4_0", "-o", tmp_path / "two.gguf")
