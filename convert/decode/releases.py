"""What is known of the two XOR releases: sums of every file, of the base they were made from, and texts of their JSON.

Sources: the model card of PygmalionAI/pygmalion-7b (MD5) and AlpinDale's pygmalion-docs, pygmalion-7b.md (SHA-256).
The texts are rebuilt from their fields; each has the published sum, which the tests prove.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from convert.sums import Sums, sum_text

TRANSFORMERS = "4.28.0.dev0"  # the version both releases and their base were saved with
SHARDS = ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin")
LAYERS = 32
FIRST_LAYER_OF_SHARD_2 = 24
# The files that no other release has, the surest first: all else is LLaMA's own, or the same in its whole family.
TELLING = (*SHARDS, "config.json")


@dataclass(frozen=True, slots=True)
class Release:
    """An XOR release; everything by file name."""

    name: str
    sums: Mapping[str, Sums]  # of the decoded files
    texts: Mapping[str, str]  # JSON that needs no base
    base: Mapping[str, Sums]  # of LLaMA-7B as the release's authors converted it


def recognize_release(folders: Iterable[str], sums: Mapping[str, Sums]) -> Release | None:
    """Tell the release by the sums of its weights or config, else by the name of a folder it came from or goes to.

    None if neither tells it, or the folders tell two.
    """
    for name in TELLING:
        found = sums.get(name, Sums())
        for release in RELEASES:
            if found.agree(release.sums[name]):
                return release
    names = [folder.lower() for folder in folders]
    matching = [release for release in RELEASES if any(release.name in name for name in names)]
    return matching[0] if len(matching) == 1 else None


def config_text(name: str) -> str:
    """The release's config.json, as its authors wrote it."""
    fields: dict[str, Any] = {
        "_name_or_path": name,
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "initializer_range": 0.02,
        "intermediate_size": 11008,
        "max_position_embeddings": 2048,
        "max_sequence_length": 2048,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": LAYERS,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-06,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "transformers_version": TRANSFORMERS,
        "use_cache": True,
        "vocab_size": 32000,
    }
    # The authors added the last field by hand, on a line of its own.
    return json.dumps(fields, indent=2).removesuffix("\n}") + ',\n  "badwordsids": [[0]]\n}\n'


def _generation_config_text() -> str:
    fields = {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return _dump({**fields, "transformers_version": TRANSFORMERS})


def _token(content: str) -> dict[str, Any]:
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}


def _special_tokens_text() -> str:
    return _dump({"bos_token": _token("<s>"), "eos_token": _token("</s>"), "unk_token": _token("<unk>")})


def _tokenizer_config_text() -> str:
    def added(content: str) -> dict[str, Any]:
        return {"__type": "AddedToken", **_token(content)}

    return _dump(
        {
            "add_bos_token": True,
            "add_eos_token": False,
            "bos_token": added("<s>"),
            "clean_up_tokenization_spaces": False,
            "eos_token": added("</s>"),
            "model_max_length": 2048,
            "pad_token": None,
            "padding_side": "right",
            "sp_model_kwargs": {},
            "special_tokens_map_file": "special_tokens_map.json",
            "tokenizer_class": "LlamaTokenizer",
            "unk_token": added("<unk>"),
        }
    )


def _index_text() -> str:
    parts = ("input_layernorm", "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "post_attention_layernorm")
    attention = ("self_attn.k_proj", "self_attn.o_proj", "self_attn.q_proj", "self_attn.v_proj")
    where = {"lm_head.weight": SHARDS[1], "model.embed_tokens.weight": SHARDS[0], "model.norm.weight": SHARDS[1]}
    for layer in range(LAYERS):
        shard = SHARDS[layer >= FIRST_LAYER_OF_SHARD_2]
        where[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = shard
        where.update({f"model.layers.{layer}.{part}.weight": shard for part in parts + attention})
    # 6,738,415,616 weights of 2 bytes, and 64 frequencies of 4 bytes in each layer.
    size = 6_738_415_616 * 2 + LAYERS * 64 * 4
    return _dump({"metadata": {"total_size": size}, "weight_map": dict(sorted(where.items()))})


def _dump(fields: dict[str, Any]) -> str:
    return json.dumps(fields, indent=2) + "\n"


_SHARED_TEXTS = {
    "generation_config.json": _generation_config_text(),
    "pytorch_model.bin.index.json": _index_text(),
    "special_tokens_map.json": _special_tokens_text(),
}
_SHARED_SUMS = {name: sum_text(text) for name, text in _SHARED_TEXTS.items()}

_BASE = {
    "config.json": Sums(None, "e4c3dea29aefc16c0e63825f9ae097dbf5cb5d7c320843a84257e11be3b452c8"),
    "generation_config.json": Sums(None, "fd7ff399e5568cc21a0a8414f43df88ef7c424995b9b97a90563165d2cf79efd"),
    SHARDS[0]: Sums(None, "0087155d6df07106c1d910bfeb6aab1be8e612dfbf2b56ddfb4ccbde7dbd50d0"),
    SHARDS[1]: Sums(None, "461bc5e50200db7813ff99cc0b9316c48ccbd6aaaa31bf8cf7bee0b64bc3eda3"),
    "pytorch_model.bin.index.json": Sums(None, "aca3c1facc89d12311a667c32e85ac86e625990992ea8a189e3b036ba371b931"),
    "special_tokens_map.json": Sums(None, "ff3b4a612c4e447acb02d40071bddd989fe0da87eb5b7fe0dbadfc4f74de7531"),
    "tokenizer.json": Sums(None, "f9ffc4aede0845ab65324ce5dccb823dca2427f9a0710981e5bc2398d73d8162"),
    "tokenizer.model": Sums(None, "9e556afd44213b6bd1be2b850ebbbd98f5481437a8021afaf58ee7fb1818d347"),
    "tokenizer_config.json": Sums(None, "380608719f3af6ef2b343e2ed53bf55556678609337e88a14f58cc49177b9e18"),
}

PYGMALION_7B = Release(
    "pygmalion-7b",
    {
        **_SHARED_SUMS,
        "config.json": Sums(
            "4608facb4910118f8dfa80f090cbc4dc", "fe29f9c0424d17fcd8f23920d53b90f2cce9663668d256542bc21ea06adaac7b"
        ),
        SHARDS[0]: Sums(
            "98764eb949eea16f8e2e1c2d3dea0066", "61bcb043c3c4dc4d567ffea91b3074c70d54089eb3f1872b945d7a4e32677edf"
        ),
        SHARDS[1]: Sums(
            "be9ba2f37228a0a9ea0eaf6530aba4de", "41ebe6971edc8f04b0784ef8ed54216fcd36f8a4d51faf415851c9b824769ba2"
        ),
        "tokenizer.json": Sums(
            "fdb311c39b8659a5d5c1991339bafc09", "f9ffc4aede0845ab65324ce5dccb823dca2427f9a0710981e5bc2398d73d8162"
        ),
        "tokenizer.model": Sums(
            "eeec4125e9c7560836b4873b6f8e3025", "9e556afd44213b6bd1be2b850ebbbd98f5481437a8021afaf58ee7fb1818d347"
        ),
        "tokenizer_config.json": Sums(
            "9b3cf7b8c0e4783dbc1419b4cafe8e1e", "9e7aa7d0f67f207036d981d7bbabfbf4b521c4c089c0280fcc08ef9c732634b5"
        ),
    },
    {
        **_SHARED_TEXTS,
        "config.json": config_text("pygmalion-7b"),
        "tokenizer_config.json": _tokenizer_config_text(),
    },
    _BASE,
)

# Its tokenizer files are not listed with sums anywhere we could check, so they stay unknown.
METHARME_7B = Release(
    "metharme-7b",
    {
        "config.json": Sums(
            "4ad1977f59098f1b9dd022684f70e3d8", "940009c13877cb97c6e46b587bd7b4cced0969c1ad2e81cdafd1d0005696d312"
        ),
        "generation_config.json": _SHARED_SUMS["generation_config.json"],
        "pytorch_model.bin.index.json": _SHARED_SUMS["pytorch_model.bin.index.json"],
        SHARDS[0]: Sums(None, "7ba01a5594b0a507290cf5fbf77e2456801773dd62f1993a8f21b92156e70533"),
        SHARDS[1]: Sums(None, "58e523a7f79427ed166a505c54fa7ebe96bd6b2fde35f980b184039faca8989f"),
    },
    {**_SHARED_TEXTS, "config.json": config_text("metharme-7b")},
    _BASE,
)

RELEASES = (PYGMALION_7B, METHARME_7B)
