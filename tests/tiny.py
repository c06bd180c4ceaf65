"""Tiny Hugging Face folders with seeded random weights: numpy and JSON only, no torch.

The numbers come from PCG64's raw bits, whose stream numpy keeps for ever, so reference files made elsewhere fit.
"""

import ctypes
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Config = dict[str, Any]

ROWS = 320  # of the embeddings: 256 bytes, a few words, padding


class Random:
    def __init__(self, seed: int) -> None:
        self.bits = np.random.PCG64(seed)

    def __call__(self, *shape: int, spread: float = 1.0, middle: float = 0.0) -> Floats:
        raw = self.bits.random_raw(int(np.prod(shape))) >> 40  # 24 bits, which F32 holds exactly
        return ((raw / 2**23 - 1.0) * spread + middle).astype(np.float32).reshape(shape)

    def weight(self, rows: int, columns: int) -> Floats:
        """Spread so that values keep their size from layer to layer: logits of order one, as in a real model."""
        return self(rows, columns, spread=(3 / columns) ** 0.5)

    def norm(self, width: int) -> Floats:
        return self(width, spread=0.2, middle=1.0)

    def bias(self, width: int) -> Floats:
        return self(width, spread=0.1)


def llama(seed: int = 0, **sizes: Any) -> tuple[Config, dict[str, Floats]]:
    config: Config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": ROWS,
        "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "bos_token_id": 256, "eos_token_id": 257,
        "tie_word_embeddings": False, "badwordsids": "[[0]]",
    } | sizes  # fmt: skip
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head = config.get("head_dim", width // heads)
    kv = config.get("num_key_value_heads", heads) * head
    r = Random(seed)
    t = {"model.embed_tokens.weight": r(config["vocab_size"], width)}
    for n in range(config["num_hidden_layers"]):
        p = f"model.layers.{n}."
        for name, shape in {
            "self_attn.q_proj": (heads * head, width), "self_attn.k_proj": (kv, width),
            "self_attn.v_proj": (kv, width), "self_attn.o_proj": (width, heads * head),
            "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner),
        }.items():  # fmt: skip
            t[f"{p}{name}.weight"] = r.weight(*shape)
            if config.get("mlp_bias" if "mlp" in name else "attention_bias"):
                t[f"{p}{name}.bias"] = r.bias(shape[0])
        t[p + "input_layernorm.weight"] = r.norm(width)
        t[p + "post_attention_layernorm.weight"] = r.norm(width)
        t[p + "self_attn.rotary_emb.inv_freq"] = r(head // 2)
    t["model.norm.weight"] = r.norm(width)
    if not config["tie_word_embeddings"]:
        t["lm_head.weight"] = r.weight(config["vocab_size"], width)
    return config, t


def gptj(seed: int = 0, **sizes: Any) -> tuple[Config, dict[str, Floats]]:
    config: Config = {
        "architectures": ["GPTJForCausalLM"], "model_type": "gptj", "activation_function": "gelu_new",
        "vocab_size": ROWS, "n_embd": 64, "n_inner": None, "n_layer": 2, "n_head": 4, "n_positions": 512,
        "rotary_dim": 8, "layer_norm_epsilon": 1e-5, "bos_token_id": 256, "eos_token_id": 256,
        "tie_word_embeddings": False,
    } | sizes  # fmt: skip
    width = config["n_embd"]
    inner = config["n_inner"] or 4 * width
    r = Random(seed)
    t = {"transformer.wte.weight": r(config["vocab_size"], width)}
    for n in range(config["n_layer"]):
        p = f"transformer.h.{n}."
        t |= {p + "ln_1.weight": r.norm(width), p + "ln_1.bias": r.bias(width)}
        t |= {f"{p}attn.{name}_proj.weight": r.weight(width, width) for name in ("q", "k", "v", "out")}
        t |= {p + "mlp.fc_in.weight": r.weight(inner, width), p + "mlp.fc_in.bias": r.bias(inner)}
        t |= {p + "mlp.fc_out.weight": r.weight(width, inner), p + "mlp.fc_out.bias": r.bias(width)}
        t |= {p + "attn.bias": r(1, 1, 8, 8), p + "attn.masked_bias": r(1)}  # buffers of old checkpoints
    t |= {"transformer.ln_f.weight": r.norm(width), "transformer.ln_f.bias": r.bias(width)}
    t |= {"lm_head.weight": r.weight(config["vocab_size"], width), "lm_head.bias": r.bias(config["vocab_size"])}
    return config, t


def gptneox(seed: int = 0, **sizes: Any) -> tuple[Config, dict[str, Floats]]:
    config: Config = {
        "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_act": "gelu",
        "vocab_size": ROWS, "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 512, "rotary_pct": 0.25, "rotary_emb_base": 10000,
        "layer_norm_eps": 1e-5, "use_parallel_residual": True, "bos_token_id": 256, "eos_token_id": 256,
        "tie_word_embeddings": False,
    } | sizes  # fmt: skip
    width, inner = config["hidden_size"], config["intermediate_size"]
    r = Random(seed)
    t = {"gpt_neox.embed_in.weight": r(config["vocab_size"], width)}
    for n in range(config["num_hidden_layers"]):
        p = f"gpt_neox.layers.{n}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            t |= {f"{p}{name}.weight": r.norm(width), f"{p}{name}.bias": r.bias(width)}
        for name, shape in {
            "attention.query_key_value": (3 * width, width), "attention.dense": (width, width),
            "mlp.dense_h_to_4h": (inner, width), "mlp.dense_4h_to_h": (width, inner),
        }.items():  # fmt: skip
            t |= {f"{p}{name}.weight": r.weight(*shape), f"{p}{name}.bias": r.bias(shape[0])}
        t |= {p + "attention.bias": r(1, 1, 8, 8), p + "attention.rotary_emb.inv_freq": r(2)}
    t |= {"gpt_neox.final_layer_norm.weight": r.norm(width), "gpt_neox.final_layer_norm.bias": r.bias(width)}
    t["embed_out.weight"] = r.weight(config["vocab_size"], width)
    return config, t


def gptneo(seed: int = 0, **sizes: Any) -> tuple[Config, dict[str, Floats]]:
    config: Config = {
        "architectures": ["GPTNeoForCausalLM"], "model_type": "gpt_neo", "activation_function": "gelu_new",
        "vocab_size": ROWS, "hidden_size": 64, "intermediate_size": None, "num_layers": 4, "num_heads": 4,
        "attention_types": [[["global", "local"], 2]], "window_size": 256, "max_position_embeddings": 1024,
        "layer_norm_epsilon": 1e-5, "bos_token_id": 256, "eos_token_id": 256,
    } | sizes  # fmt: skip
    width = config["hidden_size"]
    inner = config["intermediate_size"] or 4 * width
    r = Random(seed)
    # Small, or the model would say again what it was told last: the embeddings choose the next token, too.
    t = {"transformer.wte.weight": r(config["vocab_size"], width, spread=0.25)}
    t["transformer.wpe.weight"] = r(config["max_position_embeddings"], width, spread=0.5)
    for n in range(config["num_layers"]):
        p = f"transformer.h.{n}."
        for name in ("ln_1", "ln_2"):
            t |= {f"{p}{name}.weight": r.norm(width), f"{p}{name}.bias": r.bias(width)}
        # There is no division by the root of the head's width: half as large, attention is still spread out.
        t |= {f"{p}attn.attention.{name}_proj.weight": r.weight(width, width) / np.float32(2) for name in ("q", "k")}
        t |= {f"{p}attn.attention.{name}_proj.weight": r.weight(width, width) for name in ("v", "out")}
        t |= {p + "attn.attention.out_proj.bias": r.bias(width)}
        t |= {p + "mlp.c_fc.weight": r.weight(inner, width), p + "mlp.c_fc.bias": r.bias(inner)}
        t |= {p + "mlp.c_proj.weight": r.weight(width, inner), p + "mlp.c_proj.bias": r.bias(width)}
        t |= {p + "attn.attention.bias": r(1, 1, 8, 8), p + "attn.attention.masked_bias": r(1)}
    return config, t | {"transformer.ln_f.weight": r.norm(width), "transformer.ln_f.bias": r.bias(width)}


def opt(seed: int = 0, **sizes: Any) -> tuple[Config, dict[str, Floats]]:
    """As opt-350m is built: norms behind the layers, embeddings narrower than the model."""
    config: Config = {
        "architectures": ["OPTForCausalLM"], "model_type": "opt", "activation_function": "relu", "vocab_size": ROWS,
        "hidden_size": 64, "ffn_dim": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "word_embed_proj_dim": 32,
        "do_layer_norm_before": False, "max_position_embeddings": 1024, "bos_token_id": 257, "eos_token_id": 257,
        "pad_token_id": 256, "dropout": 0.0,
    } | sizes  # fmt: skip
    width, inner, narrow = config["hidden_size"], config["ffn_dim"], config["word_embed_proj_dim"]
    r = Random(seed)
    t = {"model.decoder.embed_tokens.weight": r(config["vocab_size"], narrow)}
    t["model.decoder.embed_positions.weight"] = r(config["max_position_embeddings"] + 2, width)  # two are never used
    t["model.decoder.project_in.weight"] = r.weight(width, narrow)
    t["model.decoder.project_out.weight"] = r.weight(narrow, width)
    for n in range(config["num_hidden_layers"]):
        p = f"model.decoder.layers.{n}."
        for name in ("self_attn_layer_norm", "final_layer_norm"):
            t |= {f"{p}{name}.weight": r.norm(width), f"{p}{name}.bias": r.bias(width)}
        for name, shape in {
            "self_attn.q_proj": (width, width), "self_attn.k_proj": (width, width), "self_attn.v_proj": (width, width),
            "self_attn.out_proj": (width, width), "fc1": (inner, width), "fc2": (width, inner),
        }.items():  # fmt: skip
            t |= {f"{p}{name}.weight": r.weight(*shape), f"{p}{name}.bias": r.bias(shape[0])}
    return config, t


Make = Callable[..., tuple[Config, dict[str, Floats]]]

# What is compared with transformers: odd head counts, grouped queries, every rotary size, widths off 256.
SHAPES: dict[str, tuple[Make, dict[str, Any]]] = {
    "llama": (llama, {}),
    "llama-grouped": (llama, {"hidden_size": 96, "num_attention_heads": 6, "num_key_value_heads": 2}),
    "llama-one-kv-head": (llama, {"num_key_value_heads": 1, "rope_theta": 100000.0, "rms_norm_eps": 1e-5}),
    "llama-tied-biased": (llama, {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}),
    "llama-wide-heads": (llama, {"head_dim": 32, "num_key_value_heads": 2}),
    "llama-stretched": (llama, {"rope_scaling": {"type": "linear", "factor": 2.0}}),
    "llama-256": (llama, {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1}),
    "gptj": (gptj, {}),
    "gptj-all-rotated": (gptj, {"n_embd": 96, "n_head": 3, "rotary_dim": 32}),
    "gptj-inner": (gptj, {"n_head": 2, "rotary_dim": 2, "n_inner": 200, "n_layer": 1}),
    "gptneox": (gptneox, {}),
    "gptneox-serial": (gptneox, {"use_parallel_residual": False, "rotary_pct": 1.0}),
    "gptneox-heads": (gptneox, {"hidden_size": 96, "num_attention_heads": 3, "rotary_pct": 0.5}),
}


def make(name: str, folder: Path, seed: int = 0, dtype: str = "F32") -> Path:
    maker, sizes = SHAPES[name]
    return write_folder(folder, *maker(seed, **sizes), dtype=dtype)


def write_folder(folder: Path, config: Config, tensors: Mapping[str, Floats], dtype: str = "F32") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    write_tokenizer(folder)
    write_safetensors(folder / "model.safetensors", tensors, dtype)
    return folder


def write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value), encoding="utf-8")


def write_safetensors(file: Path, tensors: Mapping[str, Floats], dtype: str) -> None:
    """Vectors stay F32, as in checkpoints that keep their buffers in it. BF16 is cut, not rounded."""
    header, data = {}, bytearray()
    for name, values in tensors.items():
        kind = dtype if values.ndim > 1 else "F32"
        packed = (bf16(values) if kind == "BF16" else values.astype({"F32": "<f4", "F16": "<f2"}[kind])).tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(packed)],
        }
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


def bf16(values: Floats) -> npt.NDArray[np.uint16]:
    return (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)


# A byte-level tokenizer


@cache
def byte_letters() -> tuple[str, ...]:
    """GPT-2's letter for each byte: printable ones stand for themselves, the others for 256 and up."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return tuple(chr(b) if b in plain else chr(next(others)) for b in range(256))


def write_tokenizer(folder: Path) -> None:
    """All bytes, two specials, and a few merges; the embedding has more rows than it has tokens."""
    letters = byte_letters()
    vocab = {letter: i for i, letter in enumerate(letters)} | {"<|endoftext|>": 256, "</s>": 257}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("Ġ", "a"), ("e", "r"), ("o", "u")]
    vocab |= {"".join(pair): 258 + i for i, pair in enumerate(merges)}
    specials = [{"id": i, "content": t, "special": True} for i, t in ((256, "<|endoftext|>"), (257, "</s>"))]
    write_json(
        folder / "tokenizer.json",
        {
            "added_tokens": [
                s | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) for s in specials
            ],
            "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "vocab": vocab, "merges": [" ".join(pair) for pair in merges]},
        },
    )
    write_json(folder / "tokenizer_config.json", {"eos_token": "</s>", "bos_token": "<|endoftext|>"})


TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def cut_by(tokenizer: dict[str, Any], pattern: str, ignore_merges: bool = True) -> None:
    """Have a tokenizer.json cut words by a pattern of its own, as the newer ones do."""
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    raw = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, raw]}
    tokenizer["model"]["ignore_merges"] = ignore_merges


def nemo(folder: Path, seed: int = 0) -> Path:
    """As Mistral-Nemo is built: Tekken's words, heads that are wider than the model's width divided by them."""
    names = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": None}
    config, tensors = llama(seed, head_dim=32, num_key_value_heads=2, rope_theta=1e6, rms_norm_eps=1e-5, **names)
    write_folder(folder, config, tensors)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    cut_by(tokenizer, TEKKEN)
    write_json(folder / "tokenizer.json", tokenizer)
    return folder


# Running the result


# llama.cpp tells a page about every model it loads.
_quiet = llama_cpp.llama_log_callback(lambda level, text, user_data: None)


def tokens_of(count: int, rows: int, seed: int = 1) -> list[int]:
    return [int(n) % rows for n in np.random.PCG64(seed).random_raw(count)]


def logits(model: Path, tokens: list[int]) -> Floats:
    """One row of logits for each token, from llama.cpp with an exact (F32) cache."""
    llama_cpp.llama_log_set(_quiet, ctypes.c_void_p(0))
    loaded = llama_cpp.llama_model_load_from_file(str(model).encode(), llama_cpp.llama_model_default_params())
    assert loaded, f"llama.cpp cannot load {model}"
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 512
    params.type_k = params.type_v = 0
    params.flash_attn_type = 0
    params.n_threads = params.n_threads_batch = 1  # two that wait for each other are slower on a busy machine
    context = llama_cpp.llama_init_from_model(loaded, params)
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for place, token in enumerate(tokens):
        batch.token[place], batch.pos[place], batch.logits[place], batch.n_seq_id[place] = token, place, 1, 1
        batch.seq_id[place][0] = 0
    assert llama_cpp.llama_decode(context, batch) == 0
    columns = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(loaded))
    data = ctypes.cast(llama_cpp.llama_get_logits(context), ctypes.POINTER(ctypes.c_float))
    result = np.ctypeslib.as_array(data, (len(tokens), columns)).copy()
    llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(loaded)
    return result


def token_ids(model: Path, texts: list[bytes], special: bool = False) -> list[list[int]]:
    """What llama.cpp makes of each text, without a begin token."""
    llama_cpp.llama_log_set(_quiet, ctypes.c_void_p(0))
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    loaded = llama_cpp.llama_model_load_from_file(str(model).encode(), params)
    assert loaded, f"llama.cpp cannot load {model}"
    vocab = llama_cpp.llama_model_get_vocab(loaded)
    result = []
    for text in texts:
        ids = (llama_cpp.llama_token * (len(text) + 8))()
        count = llama_cpp.llama_tokenize(vocab, text, len(text), ids, len(ids), False, special)
        result.append(list(ids[:count]))
    llama_cpp.llama_model_free(loaded)
    return result
