"""The transformers engine against transformers' own `generate`: the same tokens, however the cache came about."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, OpenAIGPTConfig, OpenAIGPTLMHeadModel

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.hf.cache import Halt
from advrepl.engines.hf.engine import HfEngine
from advrepl.engines.hf.folder import open_folder
from advrepl.engines.hf.model import HfModel
from advrepl.play import session
from advrepl.play.events import Reply
from advrepl.play.session import Settings
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests import real, tiny

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("error")]

GREEDY = Sampling(temperature=0, repeat_penalty=1, max_tokens=60)
MAKERS = {"neo": tiny.gptneo, "gptj": tiny.gptj, "llama": tiny.llama, "opt": tiny.opt}
TABLES = {"neo": "transformer.wte.weight", "opt": "model.decoder.embed_tokens.weight"}
# About 40 tokens a piece; eight of them are more than GPT-Neo's local layers see.
LINES = [
    f"{word} the other tower, in the rain of the hour" for word in ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op")
]


@cache
def weights(kind: str) -> tuple[tiny.Config, dict[str, tiny.Floats]]:
    """Random ones that write ASCII and never end: the logit of other tokens is always 0, which is never the most."""
    config, tensors = MAKERS[kind](3)
    table = TABLES.get(kind, "lm_head.weight")
    silent = [*range(32), *range(127, 258), *range(265, tiny.ROWS)]
    tensors[table][silent] = 0
    if "lm_head.bias" in tensors:
        tensors["lm_head.bias"][silent] = 0
    return config, tensors


@pytest.fixture(params=MAKERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny.write_folder(tmp_path / "pygmalion-mini", *weights(request.param))


@pytest.fixture
def neo(tmp_path: Path) -> Path:
    return tiny.write_folder(tmp_path / "pygmalion-mini", *weights("neo"))


Open = Callable[[Path], HfEngine]


@pytest.fixture
def opened() -> Iterator[Open]:
    engines: list[HfEngine] = []

    def open(path: Path) -> HfEngine:
        # As exact as can be: in bfloat16 two ways of feeding the same tokens round differently.
        engines.append(HfEngine(HfModel(open_folder(path), LoadOptions(threads=1, gpu_layers=0), dtype=torch.float32)))
        return engines[-1]

    yield open
    for engine in engines:
        engine.close()


def shown(*texts: str, evicted: int = 0, head: str = "A story.") -> Window:
    turns = tuple((Segment("\nYou:", text),) for text in texts)
    return Window(Prompt((Segment("", head),), turns, (Segment("\nTold:", ""),)), evicted, 0, 1024)


def write(engine: HfEngine, window: Window, sampling: Sampling = GREEDY, **how: object) -> str:
    return "".join(engine.generate(window, sampling, **how))  # type: ignore[arg-type]


def tokens_of(engine: HfEngine, window: Window) -> list[int]:
    """The window's tokens, made without anything that the engine remembers."""
    parts = [engine.model.vocab.encode(segment, i == 0) for i, segment in enumerate(window.segments)]
    return [*engine.model.vocab.opening(parts[0]), *(token for part in parts for token in part)]


def reference(path: Path, ids: list[int], count: int) -> list[int]:
    out = model_of(path).generate(torch.tensor([ids]), max_new_tokens=count, do_sample=False, pad_token_id=0)
    return [int(token) for token in out[0, len(ids) :]]


def model_of(path: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)


def check(engine: HfEngine, path: Path, ids: list[int]) -> None:
    """It wrote what `generate` writes after these tokens, and its last logits are those of one pass over all."""
    wanted = reference(path, ids, 60)
    assert sampled(engine) == wanted and len(set(wanted)) > 2
    assert engine.sequence.cached == ids + wanted[:-1]
    with torch.inference_mode():
        whole = model_of(path)(torch.tensor([engine.sequence.cached])).logits[0, -1]
    assert (engine.model.logits() - whole).abs().max() < 1e-4 * whole.abs().max()


def sampled(engine: HfEngine) -> list[int]:
    return [token for token, _ in engine.sequence.token_cache.sampled]


def test_greedy_writes_the_tokens_of_generate(folder: Path, opened: Open) -> None:
    engine = opened(folder)
    window = shown(*LINES)
    ids = tokens_of(engine, window)
    write(engine, window)
    assert len(ids) > 260 and engine.stats.prompt == len(ids) and engine.stats.reused == 0
    assert engine.stats.stop == "length"
    check(engine, folder, ids)


def test_gpt_neos_local_attention_is_what_is_tested(neo: Path, tmp_path: Path) -> None:
    """With a window as long as the text the same weights write something else."""
    config, tensors = weights("neo")
    wide = tiny.write_folder(tmp_path / "wide", config | {"window_size": 1024}, tensors)
    ids = tiny.tokens_of(330, 256)
    assert reference(neo, ids, 20) != reference(wide, ids, 20)
    assert reference(neo, ids[:200], 20) == reference(wide, ids[:200], 20)


def test_going_on_after_a_reply_feeds_the_new_turn_only(folder: Path, opened: Open) -> None:
    engine = opened(folder)
    first = shown(*LINES[:6])
    reply = write(engine, first, Sampling(temperature=0, repeat_penalty=1, max_tokens=24))
    ids, told = tokens_of(engine, first), sampled(engine)
    answer = Segment("\nTold:", reply.strip())  # as a story keeps it
    said, prompt = Segment("\nYou:", LINES[6]), first.prompt
    second = Window(Prompt(prompt.head, (*prompt.blocks, (answer,), (said,)), prompt.cue), 0, 0, 1024)
    new = engine.count(said) + engine.count(prompt.cue[0])
    write(engine, second)
    assert len(told) == 24 and engine.stats.reused >= len(ids) + 20 and engine.stats.prefilled <= new + 4
    check(engine, folder, engine.sequence.cached[: engine.stats.prompt])


def test_after_a_retry_and_after_a_cut(folder: Path, opened: Open) -> None:
    """What was written behind the cut leaves no trace, also where local layers look at it."""
    engine = opened(folder)
    window = shown(*LINES)
    write(engine, window, Sampling(seed=1, max_tokens=50))
    write(engine, window, Sampling(seed=2, max_tokens=50))
    write(engine, window)
    ids = tokens_of(engine, window)
    assert engine.stats.reused == len(ids) - 1
    check(engine, folder, ids)
    shorter = shown(*LINES[:7], "another hour")
    write(engine, shorter)
    ids = tokens_of(engine, shorter)
    assert 200 < engine.stats.reused < len(ids)
    check(engine, folder, ids)


def test_after_a_slide(folder: Path, opened: Open) -> None:
    engine = opened(folder)
    write(engine, shown(*LINES))
    window = shown(*LINES[1:], "the end", evicted=1)
    write(engine, window)
    ids = tokens_of(engine, window)
    assert 0 < engine.stats.reused < 30 and engine.stats.shifted == 0  # the head stays, nothing is moved
    check(engine, folder, ids)


def test_an_interrupted_feeding_leaves_no_trace(folder: Path, opened: Open) -> None:
    engine = opened(folder)
    engine.model.chunk = 64
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done == 128:
            engine.cancel()

    window = shown(*LINES)
    assert write(engine, window, on_prefill=progress) == "" and engine.stats.stop == "interrupted"
    ids = tokens_of(engine, window)
    assert told == [(0, len(ids)), (64, len(ids)), (128, len(ids))] and len(engine.sequence.cached) == 128
    # And in the middle of a forward pass: the first layer has the tokens, the second has not.
    second, late = engine.model.cache.layers[1], Halt()
    late.asked = True
    heard, second._stop = second._stop, late
    assert write(engine, window) == "" and engine.stats.stop == "interrupted"
    second._stop = heard
    lengths = {layer.get_seq_length() for layer in engine.model.cache.layers}
    assert len(lengths) == 2
    write(engine, window)
    check(engine, folder, ids)


def test_cancel_from_another_thread_ends_a_reply_within_a_token(neo: Path, opened: Open) -> None:
    engine = opened(neo)
    pieces = engine.generate(shown(*LINES), Sampling(seed=1, max_tokens=500))
    next(pieces)
    before = engine.stats.generated
    thread = threading.Thread(target=engine.cancel)
    thread.start()
    thread.join()
    list(pieces)
    assert engine.stats.stop == "interrupted" and engine.stats.generated <= before + 1


def test_a_seed_makes_a_reply_repeatable(neo: Path, opened: Open) -> None:
    engine = opened(neo)
    one, again, other = (write(engine, shown("hour"), Sampling(seed=s, max_tokens=30)) for s in (1, 1, 2))
    assert one == again != other


def test_stops_are_found_across_tokens(neo: Path, opened: Open) -> None:
    engine = opened(neo)
    whole = write(engine, shown("rain"), Sampling(seed=4, max_tokens=60))
    stop = next(whole[i : i + 3] for i in range(10, len(whole)) if whole[i : i + 3].isascii())
    text = write(engine, shown("rain"), Sampling(seed=4, max_tokens=60), stop=[stop])
    assert text == whole[: whole.find(stop)] and engine.stats.stop == "stop"


def test_a_full_context_ends_the_reply(neo: Path) -> None:
    engine = HfEngine(HfModel(open_folder(neo), LoadOptions(ctx=128, threads=1, gpu_layers=0)))
    write(engine, shown("rain"), Sampling(seed=1, max_tokens=500))
    assert engine.stats.stop == "context" and len(engine.sequence.cached) == 127
    with pytest.raises(AdvreplError, match=r"\d+ tokens do not fit the context of 128: give a larger --ctx"):
        write(engine, shown(*LINES))


def test_an_end_token_ends_the_reply(tmp_path: Path, opened: Open) -> None:
    config, tensors = weights("llama")
    tensors = tensors | {"lm_head.weight": tensors["lm_head.weight"].copy()}
    tensors["lm_head.weight"][257] = tensors["lm_head.weight"].max(0) * 50
    engine = opened(tiny.write_folder(tmp_path / "ends", config, tensors))
    for seed in range(20):
        write(engine, shown("rain"), Sampling(seed=seed, temperature=5, max_tokens=60))
        if engine.stats.stop == "end":
            break
    assert engine.stats.stop == "end" and engine.stats.generated < 60 and 257 not in sampled(engine)


# --- a game


def settings(model: Path, place: Path, **chosen: object) -> Settings:
    return Settings(model=str(model), saves=place, threads=1, gpu_layers=0, **chosen)  # type: ignore[arg-type]


def test_a_story_is_played_and_resumed(neo: Path, tmp_path: Path) -> None:
    """Noise makes no options; the story goes on without them, and what was said is kept."""
    notices: list[str] = []
    chosen = settings(neo, tmp_path / "saves", ctx=512, sampling={"seed": 7, "max_tokens": 20})
    game = session.new_game("start", chosen, notices.append)
    assert game.format.name == "pygmalion" and notices == []
    replies = [event for event in game.open() if isinstance(event, Reply)]
    for line in ("go inside", "look around", "2"):
        replies += [event for event in game.act(line) if isinstance(event, Reply)]
    assert len(replies) == 4 and all(reply.stats["reused"] for reply in replies[2:])
    game.close()
    game = session.resumed_game("start", chosen, notices.append)
    assert [turn.role for turn in game.story.path_turns()][-2:] == ["user", "model"] and notices == []
    assert [event for event in game.act("and then?") if isinstance(event, Reply)]
    game.close()


def test_opt_plays_with_the_files_of_pygmalion_350m(tmp_path: Path) -> None:
    """GPT-2's two files, in which the end, which stands before every prompt too, is a word; and a .bin of weights."""
    config, tensors = weights("opt")
    folder = tiny.write_folder(tmp_path / "pygmalion-350m", config, tensors)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    for name in ("tokenizer.json", "model.safetensors"):
        (folder / name).unlink()
    tiny.write_json(folder / "vocab.json", model["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(model["merges"]) + "\n")
    ends = {"bos_token": "</s>", "eos_token": "</s>", "pad_token": "<|endoftext|>", "add_bos_token": True}
    tiny.write_json(folder / "tokenizer_config.json", ends)
    torch.save({name: torch.from_numpy(values) for name, values in tensors.items()}, folder / "pytorch_model.bin")
    notices: list[str] = []
    chosen = settings(folder, tmp_path / "saves", ctx=512, sampling={"seed": 7, "max_tokens": 20})
    game = session.new_game("start", chosen, notices.append)
    replies = [event for part in (game.open(), game.act("look")) for event in part if isinstance(event, Reply)]
    assert game.format.name == "pygmalion" and notices == [] and len(replies) == 2
    assert game.engine.sequence.cached[0] == 257  # type: ignore[attr-defined]
    game.close()


def test_options_are_read_out_of_the_list_a_model_writes(tmp_path: Path) -> None:
    """SmolLM2 from its Hugging Face form, which converts: that is said, and three options come without a grammar."""
    folder, notices = real.smollm_folder(tmp_path / "smollm2"), list[str]()
    config = json.loads((folder / "config.json").read_text())
    tiny.write_json(folder / "config.json", config | {"model_type": "llama"})
    chosen = settings(folder, tmp_path / "saves", ctx=1024, sampling={"seed": 3, "max_tokens": 25})
    game = session.new_game("start", chosen, notices.append)
    assert game.format.name == "chat" and "advrepl convert" in notices[0] and len(notices) == 1
    list(game.open())
    replies = [e for line in ("Go inside.", "Look around.") for e in game.act(line) if isinstance(e, Reply)]
    assert len(replies) == 2 and all(len(set(reply.options)) == 3 and reply.text for reply in replies)
    assert replies[1].stats["prompt"] - replies[1].stats["reused"] < 30
    game.close()


def test_advrepl_plays_a_folder_in_a_pipe(neo: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "advrepl", "play", "-m", str(neo), "--saves", str(tmp_path), "--seed", "1"]
    options = ["--threads", "1", "--gpu-layers", "0", "--max-tokens", "10"]
    done = subprocess.run([*command, *options], input=b"look\n", capture_output=True, check=True)
    assert done.stdout.count(b"\n") > 3 and b"Warn" not in done.stderr and b"it/s" not in done.stderr


# --- files


def test_bin_files_play_the_same(neo: Path, tmp_path: Path, opened: Open) -> None:
    config, tensors = weights("neo")
    other = tiny.write_folder(tmp_path / "bin", config, tensors)
    (other / "model.safetensors").unlink()
    half = {name: torch.from_numpy(values).half() for name, values in tensors.items()}
    half["transformer.h.1.attn.attention.bias"] = torch.ones(1, 1, 8, 8, dtype=torch.uint8)  # as old files have it
    torch.save(half, other / "pytorch_model.bin")
    model = opened(other)
    write(model, shown("rain"))
    rounded = {name: values.half().float().numpy() for name, values in half.items()}
    tiny.write_safetensors(neo / "model.safetensors", rounded, "F32")
    same = opened(neo)
    write(same, shown("rain"))
    assert sampled(model) == sampled(same) and model.fingerprint != same.fingerprint


def test_code_in_a_folder_is_not_executed(neo: Path, tmp_path: Path, opened: Open) -> None:
    marker = tmp_path / "executed"
    for name in ("modeling_x", "configuration_x", "tokenization_x"):
        (neo / f"{name}.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass X: pass\n")
    config, _ = weights("neo")
    mapped = {"AutoConfig": "configuration_x.X", "AutoModelForCausalLM": "modeling_x.X"}
    tiny.write_json(neo / "config.json", config | {"auto_map": mapped})
    assert write(opened(neo), shown("rain"))
    tiny.write_json(neo / "config.json", config | {"auto_map": mapped, "model_type": "x"})
    with pytest.raises(AdvreplError, match=r"pygmalion-mini: transformers cannot read its config\.json: "):
        opened(neo)
    assert not marker.exists()


def harm_tensor(folder: Path) -> None:
    left = {name: values for name, values in weights("neo")[1].items() if name != "transformer.ln_f.weight"}
    tiny.write_safetensors(folder / "model.safetensors", left, "F32")


def harm_shape(folder: Path) -> None:
    tiny.write_json(folder / "config.json", weights("neo")[0] | {"intermediate_size": 100})


def harm_layers(folder: Path) -> None:
    tiny.write_json(folder / "config.json", weights("neo")[0] | {"num_layers": 3})


def harm_type(folder: Path) -> None:
    tiny.write_json(folder / "config.json", {"model_type": "mamba", "vocab_size": 320})


def harm_cache(folder: Path) -> None:
    """GPT-1's `forward` takes no cache."""
    OpenAIGPTLMHeadModel(OpenAIGPTConfig(vocab_size=tiny.ROWS, n_embd=32, n_layer=1, n_head=2)).save_pretrained(folder)


def harm_size(folder: Path) -> None:
    """A tensor of 4 TB, which takes no disk."""
    header = b'{"x":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}}'
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + (1 << 42))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (harm_tensor, r"its weights lack transformer\.ln_f\.weight, which config\.json asks for"),
        (harm_shape, "transformers cannot load it: "),
        (harm_layers, r"transformers cannot read its config\.json: "),
        (harm_type, "models of type mamba cannot be played"),
        (harm_cache, "models of type openai-gpt cannot be played"),
        (harm_size, r"takes [\d.]+ GB with a context of 1024 tokens, and [\d.]+ GB of memory are free"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(neo: Path, harm: Callable[[Path], None], message: str) -> None:
    harm(neo)
    with pytest.raises(AdvreplError, match=message) as caught:
        HfModel(open_folder(neo), LoadOptions(gpu_layers=0))
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_numbers_are_one_sentence(tmp_path: Path, opened: Open) -> None:
    config, tensors = weights("neo")
    broken = tensors | {"transformer.ln_f.weight": tensors["transformer.ln_f.weight"] * float("nan")}
    engine = opened(tiny.write_folder(tmp_path / "m", config, broken))
    with pytest.raises(AdvreplError, match="its weights may be damaged"):
        write(engine, shown("rain"))


def test_a_context_larger_than_trained_names_both(neo: Path) -> None:
    with pytest.raises(AdvreplError, match="--ctx 2000 is more than the 1024 tokens that pygmalion-mini was trained"):
        HfModel(open_folder(neo), LoadOptions(ctx=2000, gpu_layers=0))


def test_the_type_of_the_cache_is_no_choice_here(neo: Path) -> None:
    with pytest.raises(AdvreplError, match="--kv is for GGUF files: pygmalion-mini is played with a cache of its"):
        HfModel(open_folder(neo), LoadOptions(gpu_layers=0, kv="q8_0"))


def test_the_engine_does_without_llama_cpp() -> None:
    code = "import sys; sys.modules['llama_cpp'] = None; import advrepl.engines.hf"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_loading_is_told_and_nothing_is_printed(neo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[float] = []
    model = HfModel(open_folder(neo), LoadOptions(gpu_layers=0), told.append)
    assert told[0] == 0 and told[-1] == 1 and len(told) > 10 and told == sorted(told)
    assert capfd.readouterr() == ("", "")
    model.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"architectures": None, "torch_dtype": []},  # transformers 5.17: IndexError
        {"rotary_pct": 1e300},  # OverflowError
        {"quantization_config": 1.5},  # AttributeError
        {"hidden_act": ""},  # KeyError
    ],
)
def test_a_config_that_makes_transformers_stumble_is_one_sentence(tmp_path: Path, wrong: dict[str, object]) -> None:
    config, tensors = tiny.gptneox(1)
    folder = tiny.write_folder(tmp_path / "m", config | wrong, tensors)
    with pytest.raises(AdvreplError, match="transformers cannot") as error:
        HfModel(open_folder(folder), LoadOptions(threads=1, gpu_layers=0))
    assert "\n" not in str(error.value)


def test_a_mistake_of_ours_is_not_told_as_a_damaged_folder(tmp_path: Path) -> None:
    def mistaken(share: float) -> None:
        raise TypeError("ours")

    folder = tiny.write_folder(tmp_path / "m", *tiny.gptneox(1))
    with pytest.raises(TypeError, match="ours"):
        HfModel(open_folder(folder), LoadOptions(threads=1, gpu_layers=0), mistaken)


STORM = """
import os, signal, threading, time
from advrepl.engines.hf.cache import Halt
from advrepl.engines.hf.model import HfModel
model = object.__new__(HfModel)
model._stop = Halt()
signal.signal(signal.SIGINT, lambda *_: model.abort(True))
end = time.monotonic() + 3
def storm():
    while time.monotonic() < end:
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=storm, daemon=True).start()
while time.monotonic() < end:
    model.abort(False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself SIGINT")
def test_a_storm_of_interrupts_waits_for_nothing_that_one_broke_in_on() -> None:
    subprocess.run([sys.executable, "-c", STORM], check=True, timeout=60)
