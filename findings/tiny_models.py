"""What the scripts about llama.cpp's cache share: GGUF files of a few random weights, and how to decode on them.

Needs gguf, numpy and llama-cpp-python. What the models say has no meaning; what their caches do is the real thing's.
"""

import ctypes
from pathlib import Path

import gguf
import llama_cpp.llama_cpp as lib
import numpy as np

ROWS, WIDTH, HEADS, KV_HEADS, HEAD, INNER, LAYERS, WINDOW = 320, 64, 4, 2, 16, 128, 4, 64
TOKENS = [5 + n * 7 % 200 for n in range(200)]  # any text
YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256}

_ATTENTION = {
    "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,), "attn_q": (HEADS * HEAD, WIDTH), "attn_k": (KV_HEADS * HEAD, WIDTH),
    "attn_v": (KV_HEADS * HEAD, WIDTH), "attn_output": (WIDTH, HEADS * HEAD), "ffn_gate": (INNER, WIDTH),
    "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER),
}  # fmt: skip
_QK_NORM = {"attn_q_norm": (HEAD,), "attn_k_norm": (HEAD,)}
_CONV = {
    "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,), "shortconv.conv": (WIDTH, 3), "shortconv.in_proj": (3 * WIDTH, WIDTH),
    "shortconv.out_proj": (WIDTH, WIDTH), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH),
    "ffn_down": (WIDTH, INNER),
}  # fmt: skip
_MAMBA = {
    "attn_norm": (WIDTH,), "ssm_in": (4 * WIDTH, WIDTH), "ssm_conv1d": (2 * WIDTH, 4), "ssm_conv1d.bias": (2 * WIDTH,),
    "ssm_x": (4 + 2 * 16, 2 * WIDTH), "ssm_dt": (2 * WIDTH, 4), "ssm_dt.bias": (2 * WIDTH,), "ssm_a": (2 * WIDTH, 16),
    "ssm_d": (2 * WIDTH,), "ssm_out": (WIDTH, 2 * WIDTH),
}  # fmt: skip


def _layer(arch, number):
    if arch == "mamba":
        return _MAMBA
    if arch == "lfm2":
        return _ATTENTION | _QK_NORM if number % 2 else _CONV
    if arch == "gemma3":
        return _ATTENTION | _QK_NORM | {"post_attention_norm": (WIDTH,), "post_ffw_norm": (WIDTH,)}
    return _ATTENTION


def _values(random, name, shape):
    values = random.uniform(-1, 1, shape) * ((3 / shape[-1]) ** 0.5 if len(shape) > 1 else 0.3)
    if "attn_q" in name or "attn_k" in name:
        values = values * 1.5
    if len(shape) == 1 and not name.endswith(".bias"):
        values = values + 1
    if name.endswith("ssm_a"):
        values = -np.abs(values * 2) - 0.5
    if name == "token_embd":
        values = values * 0.25 / (3 / WIDTH) ** 0.5
    return values


def make(arch, tensors=None, **header):
    """Write a model of such an architecture into the working directory; `header`, `tensors`: what it has besides."""
    path, random = Path(f"{arch}.gguf"), np.random.Generator(np.random.PCG64(5))
    layers = 6 if arch == "gemma3" else LAYERS
    writer = gguf.GGUFWriter(path, arch)
    told = {
        "vocab_size": ROWS, "block_count": layers, "context_length": 1024, "embedding_length": WIDTH,
        "feed_forward_length": INNER, "attention.layer_norm_rms_epsilon": 1e-6,
        "attention.head_count": 0 if arch == "mamba" else HEADS,
    }  # fmt: skip
    if arch != "mamba":
        told |= {
            "attention.head_count_kv": KV_HEADS, "attention.key_length": HEAD, "attention.value_length": HEAD,
            "rope.freq_base": 10000.0, "rope.dimension_count": HEAD,
        }  # fmt: skip
    told |= {
        "mamba": {"ssm.conv_kernel": 4, "ssm.inner_size": 2 * WIDTH, "ssm.state_size": 16, "ssm.time_step_rank": 4},
        "lfm2": {"shortconv.l_cache": 3, "attention.head_count_kv": [0, KV_HEADS] * (LAYERS // 2)},
        "gemma3": {"attention.sliding_window": WINDOW},
    }.get(arch, {}) | header
    kinds = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string, list: writer.add_array}
    for key, value in told.items():
        kinds[type(value)](f"{arch}.{key}", value)
    writer.add_tokenizer_model("none")
    shapes = {"token_embd": (ROWS, WIDTH), "token_embd_norm" if arch == "lfm2" else "output_norm": (WIDTH,)}
    for n in range(layers):
        shapes |= {f"blk.{n}.{name}": shape for name, shape in _layer(arch, n).items()}
    for name, shape in shapes.items():
        values = _values(random, name, shape)
        bare = name.endswith((".bias", "ssm_a", "ssm_d"))
        writer.add_tensor(name if bare else name + ".weight", values.astype(np.float32))
    for name, values in (tensors or {}).items():
        writer.add_tensor(name, np.asarray(values, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Context:
    """A model with a cache for two sequences."""

    def __init__(self, path, **params):
        self._model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        how = lib.llama_context_default_params()
        how.n_ctx = 512
        how.n_threads = how.n_threads_batch = 1
        how.n_seq_max, how.kv_unified, how.flash_attn_type = 2, True, lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        for name, value in params.items():
            setattr(how, name, value)
        self.pointer = lib.llama_init_from_model(self._model, how)
        self.memory = lib.llama_get_memory(self.pointer)

    def decode(self, tokens, position, seq=0):
        """Add tokens to a sequence; the logarithms of the next token's chances."""
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for n, token in enumerate(tokens):
            batch.token[n], batch.pos[n], batch.n_seq_id[n], batch.logits[n] = token, position + n, 1, 0
            batch.seq_id[n][0] = seq
        batch.logits[len(tokens) - 1] = 1
        assert lib.llama_decode(self.pointer, batch) == 0
        lib.llama_batch_free(batch)
        logits = np.ctypeslib.as_array(lib.llama_get_logits_ith(self.pointer, -1), (ROWS,)).astype(float)
        logits = logits - logits.max()
        return logits - np.log(np.exp(logits).sum())

    def remove(self, start, end=-1, seq=0):
        """What llama.cpp answers when these positions are taken out of a sequence."""
        return bool(lib.llama_memory_seq_rm(self.memory, seq, start, end))

    def move(self, start, end, by, seq=0):
        lib.llama_memory_seq_add(self.memory, seq, start, end, by)

    def extent(self, seq=0):
        return lib.llama_memory_seq_pos_min(self.memory, seq), lib.llama_memory_seq_pos_max(self.memory, seq)

    def state(self, seq=0):
        data = (ctypes.c_uint8 * lib.llama_state_seq_get_size(self.pointer, seq))()
        assert lib.llama_state_seq_get_data(self.pointer, data, len(data), seq) == len(data)
        return data

    def restore(self, data, seq=0):
        assert lib.llama_state_seq_set_data(self.pointer, data, len(data), seq) == len(data)


def divergence(right, other):
    """KL divergence in nats."""
    return max(float((np.exp(right) * (right - other)).sum()), 0.0)


_silent = lib.llama_log_callback(lambda *_: None)
lib.llama_log_set(_silent, None)
