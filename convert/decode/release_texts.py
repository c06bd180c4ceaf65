"""The JSON files of the XOR releases and of the LLaMA they were made from, rebuilt from their fields.

Each has the sum that was published of it (releases.py), which the tests prove. Knows no sums.
"""

import json
from dataclasses import dataclass
from typing import Any

TRANSFORMERS = "4.28.0.dev0"  # the version that the bases were converted with
VOCABULARY = 32000
# Of a layer, in the order in which transformers cuts them into shards.
ROTATIONS = "self_attn.rotary_emb.inv_freq"
ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", ROTATIONS)
PARTS = (*ATTENTION, "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj", "input_layernorm", "post_attention_layernorm")


@dataclass(frozen=True, slots=True)
class Size:
    """A size of LLaMA."""

    base: str
    width: int
    inner: int
    layers: int
    heads: int
    weights: int
    cuts: tuple[tuple[int, str], ...]  # where each shard but the first begins: a layer and one of PARTS

    @property
    def shards(self) -> tuple[str, ...]:
        """The names of the files of weights."""
        count = len(self.cuts) + 1
        return tuple(f"pytorch_model-{number + 1:05d}-of-{count:05d}.bin" for number in range(count))


SEVEN = Size("LLaMA-7B", 4096, 11008, 32, 32, 6_738_415_616, ((24, PARTS[0]),))
THIRTEEN = Size("LLaMA-13B", 5120, 13824, 40, 40, 13_015_864_320, ((15, "self_attn.v_proj"), (30, "mlp.up_proj")))


def config(name: str, size: Size, dtype: str, version: str) -> str:
    """A release's config.json, as its authors wrote it."""
    fields: dict[str, Any] = {
        "_name_or_path": name,
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": size.width,
        "initializer_range": 0.02,
        "intermediate_size": size.inner,
        "max_position_embeddings": 2048,
        "max_sequence_length": 2048,
        "model_type": "llama",
        "num_attention_heads": size.heads,
        "num_hidden_layers": size.layers,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-06,
        "tie_word_embeddings": False,
        "torch_dtype": dtype,
        "transformers_version": version,
        "use_cache": True,
        "vocab_size": VOCABULARY,
    }
    # The authors added the last field by hand, on a line of its own.
    return json.dumps(fields, indent=2).removesuffix("\n}") + ',\n  "badwordsids": [[0]]\n}\n'


def generation_config(version: str) -> str:
    """A generation_config.json, as this version of transformers wrote it."""
    fields = {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return _dump({**fields, "transformers_version": version})


def special_tokens() -> str:
    """LLaMA's special_tokens_map.json."""
    return _dump({"bos_token": _token("<s>"), "eos_token": _token("</s>"), "unk_token": _token("<unk>")})


def tokenizer_config(**further: str) -> str:
    """LLaMA's tokenizer_config.json, with what a release says besides."""

    def added(content: str) -> dict[str, Any]:
        return {"__type": "AddedToken", **_token(content)}

    fields: dict[str, Any] = {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": added("<s>"),
        "clean_up_tokenization_spaces": False,
        "eos_token": added("</s>"),
        "model_max_length": 2048,
        "pad_token": None,
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": added("<unk>"),
        **further,
    }
    return _dump(dict(sorted(fields.items())))


def index(size: Size, frequency_bytes: int) -> str:
    """The pytorch_model.bin.index.json of weights in two bytes each; those of the rotary frequencies differ."""
    shards, begun = size.shards, 0
    where = {"model.embed_tokens.weight": shards[0], "model.norm.weight": shards[-1], "lm_head.weight": shards[-1]}
    for layer in range(size.layers):
        for part in PARTS:
            begun += (layer, part) in size.cuts
            where[f"model.layers.{layer}.{part}" + ("" if part == ROTATIONS else ".weight")] = shards[begun]
    frequencies = size.layers * (size.width // size.heads // 2)
    total = size.weights * 2 + frequencies * frequency_bytes
    return _dump({"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))})


def _token(content: str) -> dict[str, Any]:
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}


def _dump(fields: dict[str, Any]) -> str:
    return json.dumps(fields, indent=2) + "\n"
