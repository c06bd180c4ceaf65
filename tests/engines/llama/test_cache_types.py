"""The types of the cache: what they save, what they allow. On the real small model and on tiny ones of other shapes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import llama_cpp.llama_cpp as lib
import pytest

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions, Tuning
from advrepl.engines.llama.cache_types import NOT_FUSED, Cell, Heads, cache_types, cell_of, heads_of
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.header import GgufHeader
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.play import session
from advrepl.play.events import Reply
from advrepl.play.session import Settings
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from convert import run
from tests import architectures, tiny
from tests.bench import caches
from tests.bench.caches import MODELS
from tests.engines.llama.test_engine import ONE, ROUNDING, divergence, shown, slide, write

Open = Callable[..., LlamaEngine]
ROUNDED = 0.03


@pytest.fixture
def open_model(shallow: Path, tmp_path: Path) -> Iterator[Open]:
    """Opens the shallow SmolLM2, or a tiny model of one of the shapes in tiny.SHAPES."""
    opened: list[LlamaEngine] = []

    def open(kv: str | None = "q8_0", shape: str | None = None) -> LlamaEngine:
        path = tmp_path / f"{shape}.gguf" if shape else shallow
        if not path.exists():
            request = run.Request(tiny.make(shape or "", tmp_path / "hf"), path, "F32")
            run.convert(run.prepare(request), lambda title: lambda label, done, total: None)
        options = LoadOptions(ctx=512, threads=1, kv=kv)
        opened.append(LlamaEngine(LlamaModel(path, options, Log(tmp_path / "llama.log"))))
        return opened[-1]

    yield open
    for engine in opened:
        engine.close()


LLAMA, PHI, WIDE = Heads((64,), (64,), 64), Heads((256,), (256,), 64), Heads((32,), (32,), 32)
TWO_KINDS = Heads((512, 256), (512, 256), 512)


@pytest.mark.parametrize(
    ("heads", "kv", "on_gpu", "types"),
    [
        (LLAMA, None, False, ("f16", "f16")),
        (LLAMA, "f16", False, ("f16", "f16")),
        (LLAMA, "q8_0", False, ("q8_0", "q8_0")),
        (PHI, "q8_0", False, ("f16", "q8_0")),
        (PHI, "q8_0", True, ("q8_0", "q8_0")),
        (WIDE, "q8_0", False, ("f16", "q8_0")),
    ],
)
def test_keys_that_could_not_be_moved_stay_f16(
    heads: Heads, kv: str | None, on_gpu: bool, types: tuple[str, str]
) -> None:
    assert cache_types(heads, "m", kv, on_gpu) == types


def test_each_kind_of_layer_must_fit() -> None:
    assert not TWO_KINDS.quantized_keys_move and cache_types(TWO_KINDS, "m", "q8_0", False) == ("f16", "q8_0")
    with pytest.raises(AdvreplError, match="m has heads of 48 values"):
        cache_types(Heads((64, 48), (64, 48), 64), "m", "q8_0", False)


def test_the_heads_of_layers_with_a_window_are_told(tmp_path: Path) -> None:
    said: dict[str, Any] = {"attention.key_length_swa": 48, "attention.value_length_swa": 80}
    model = LlamaModel(architectures.make("llama", tmp_path, **said), LoadOptions(256, 1), Log(tmp_path / "log"))
    assert heads_of(model.handle) == Heads((16, 48), (16, 80), 16)
    model.close()


def test_what_does_not_fit_is_one_sentence(open_model: Open) -> None:
    with pytest.raises(AdvreplError, match=r"llama\.gguf has heads of 16 values .* keeps 32 together: use --kv f16"):
        open_model(shape="llama")
    with pytest.raises(AdvreplError, match="--kv q4_0 is no type of cache: use f16 or q8_0"):
        open_model("q4_0")


@pytest.mark.parametrize("name", ["plm", "grok"])
def test_what_has_no_flash_attention_is_asked_for_none(name: str, tmp_path: Path) -> None:
    """llama.cpp ended the process, or said that there was no memory; on a graphics card PLM ended it in any case."""
    path = architectures.make(name, tmp_path, architectures.Sizes(width=256, head=64), row=MODELS[name])
    with pytest.raises(AdvreplError, match=r"cannot keep as q8_0: use --kv f16"):
        LlamaModel(path, LoadOptions(256, 1, kv="q8_0"), Log(tmp_path / "log"))
    model = LlamaModel(path, LoadOptions(256, 1, tuning=Tuning(flash_attn=True)), Log(tmp_path / "log"))
    assert not model.flash_attn and model.decode([5, 6], 0)
    model.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, made in MODELS.items() if made[0] not in NOT_FUSED])
def test_a_quantized_cache_is_cut_and_moved_rightly(name: str, tmp_path: Path) -> None:
    """Heads of 64 values, so that quantized keys are moved; rounding makes 0.013 at most, wrong keys 0.05 and more."""
    path = architectures.make(name, tmp_path, architectures.Sizes(width=256, head=64, inner=256), row=MODELS[name])

    def open() -> LlamaEngine:
        return LlamaEngine(LlamaModel(path, LoadOptions(caches.CTX, 1, kv="q8_0"), Log(tmp_path / "log")))

    worst, again = caches.cut(open)
    assert worst < ROUNDED and again == 0
    engine = open()
    moves = engine.model.can_shift
    engine.close()
    assert not moves or caches.moved(open) < ROUNDED


def held(engine: LlamaEngine) -> int:
    """The bytes that the cache takes for the tokens in it."""
    return int(lib.llama_state_seq_get_size(engine.model._context, 0))


def test_a_quantized_cache_is_half_the_size_and_says_nearly_the_same(open_model: Open) -> None:
    small, large = open_model("q8_0"), open_model("f16")
    for engine in (small, large):
        write(engine, shown(engine, "Tell me of the sea.", "It was grey and wide.", "And then?"), ONE)
    assert small.model.cache_types == ("q8_0", "q8_0")
    assert held(small) < 0.6 * held(large)
    assert 0 < divergence(small, large) < 0.1


def test_a_quantized_cache_slides(open_model: Open) -> None:
    small, large = open_model("q8_0"), open_model("f16")
    for engine in (small, large):
        text, fed = slide(engine)
        assert text and fed <= 2 and engine.stats.shifted > 20
    assert divergence(small, large) < 0.1


@pytest.mark.parametrize("shape", ["llama-wide-heads", "gptj-inner", "gptneox-heads"])
def test_heads_of_every_shape_slide(open_model: Open, shape: str) -> None:
    """Moving quantized keys of these would end the program, or leave noise (llama.cpp 0.3.36)."""
    small, large = open_model("q8_0", shape), open_model("f16", shape)
    for engine in (small, large):
        _, fed = slide(engine)
        assert fed <= 2 and engine.stats.shifted > 20
    assert divergence(small, large) < ROUNDING


def test_quantized_keys_that_cannot_move_are_fed_again(open_model: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where keys and values must be of one type."""
    monkeypatch.setattr("advrepl.engines.llama.model.cache_types", lambda *_: ("q8_0", "q8_0"))
    engine = open_model("q8_0", "llama-wide-heads")
    _, fed = slide(engine)
    assert fed > 25 and engine.stats.shifted == 0


def test_a_story_is_played_and_slides(tmp_path: Path, shallow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    sampling = {"seed": 1, "max_tokens": 24}
    settings = Settings(str(shallow), saves=tmp_path, ctx=256, threads=1, kv="q8_0", options=0, sampling=sampling)
    game = session.new_game("start", settings)
    replies: list[Reply] = []
    for line in ("look around", "go on") * 6:
        replies += [event for event in game.act(line) if isinstance(event, Reply)]
    game.close()
    assert len(replies) == 12 and all(reply.text for reply in replies)
    assert replies[-1].stats["evicted"] > 0 and sum(int(reply.stats["shifted"]) > 0 for reply in replies) >= 1


def test_flash_attention_is_left_to_graphics_cards_and_quantized_caches(smollm2: Path, tmp_path: Path) -> None:
    used = {}
    for kind in ("f16", "q8_0"):
        loaded = LlamaModel(smollm2, LoadOptions(256, 1, kv=kind), Log(tmp_path / "llama.log"))
        used[kind] = loaded.flash_attn
        loaded.close()
    assert used == {"f16": loaded.on_gpu, "q8_0": True}


def header(folder: Path, arch: str, **values: object) -> GgufHeader:
    """The header of a file that says this and holds no weights."""
    writer = gguf.GGUFWriter(path := folder / "m.gguf", arch)
    kinds = {int: writer.add_uint32, list: writer.add_array}
    for key, value in values.items():
        kinds[type(value)](f"{arch}.{key.replace('__', '.')}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return GgufHeader(path)


def test_each_layer_takes_what_its_own_heads_take(tmp_path: Path) -> None:
    plain = {"embedding_length": 64, "attention__head_count": 4}
    assert cell_of(header(tmp_path, "llama", **plain), 3) == Cell(3 * 64, 3 * 64)
    assert cell_of(header(tmp_path, "llama", **plain, attention__head_count_kv=2), 3) == Cell(96, 96)
    hybrid = header(tmp_path, "lfm2", **plain, attention__head_count_kv=[0, 0, 2, 0, 2])
    assert cell_of(hybrid, 5) == Cell(2 * 32, 2 * 32)
    # Every fourth layer of these has attention, where the header does not say.
    assert cell_of(header(tmp_path, "qwen3next", **plain), 8) == Cell(2 * 64, 2 * 64)
    gemma = {
        "attention__head_count_kv": [8, 8, 1, 8, 8, 1], "attention__sliding_window_pattern": [1, 1, 0, 1, 1, 0],
        "attention__key_length": 512, "attention__value_length": 512, "attention__key_length_swa": 256,
        "attention__value_length_swa": 128,
    }  # fmt: skip
    assert cell_of(header(tmp_path, "gemma4", **plain, **gemma), 6) == Cell(4 * 2048 + 2 * 512, 4 * 1024 + 2 * 512)
    last = header(tmp_path, "gemma4", **plain, **gemma, attention__shared_kv_layers=3)
    assert cell_of(last, 6) == Cell(2 * 2048 + 512, 2 * 1024 + 512)


@pytest.mark.parametrize("name", ["llama", "lfm2", "mamba"])
def test_what_a_token_takes_is_what_the_context_holds(tmp_path: Path, name: str) -> None:
    """By the size of a sequence's state, which has a few bytes a token besides, and a recurrent part of one size."""
    path = architectures.make(name, tmp_path)
    model = LlamaModel(path, LoadOptions(512, 1), Log(tmp_path / "llama.log"))
    sizes = []
    for at in (0, 100, 200):
        sizes.append(int(lib.llama_state_seq_get_size(model.context, 0)))
        assert model.decode([5] * 100, at)
    cell = cell_of(GgufHeader(path), architectures.TINY.layers).bytes(("f16", "f16"))
    assert cell <= (sizes[2] - sizes[1]) / 100 <= cell + 24
    model.close()


def test_a_hybrid_whose_cache_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first layer has no heads, by which the cache of all was once counted."""
    memory = type("Memory", (), {"available": 1000, "total": 1 << 40})()
    path = architectures.make("lfm2", tmp_path)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    with pytest.raises(AdvreplError, match=r"a context of 512 tokens takes 0\.0 GB besides lfm2\.gguf"):
        LlamaModel(path, LoadOptions(512, 1), Log(tmp_path / "llama.log"))


@pytest.mark.parametrize(("ctx", "advice"), [(256, "give a larger --ctx"), (300, "with a longer context: m takes 300")])
def test_what_to_do_for_more_room_is_what_the_model_takes(tmp_path: Path, ctx: int, advice: str) -> None:
    made = architectures.make("llama", tmp_path, context_length=300)
    model = LlamaModel(made.rename(tmp_path / "m"), LoadOptions(ctx, 1), Log(tmp_path / "llama.log"))
    engine = LlamaEngine(model)
    segment = Segment("", "word " * 400)
    with pytest.raises(AdvreplError, match=f"tokens do not fit the context of {ctx}: .*{advice}"):
        list(engine.generate(Window(Prompt((segment,), (), ()), 0, 1, ctx), Sampling()))
    engine.close()
