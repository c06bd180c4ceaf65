"""Values of a GGUF header at which llama.cpp ends the process or takes gigabytes: they are refused before it sees them.

What it refuses by itself with a word is left to it. Does not read the file (header.py does).
"""

import math
import re
from collections.abc import Callable, Iterator

from advrepl.engines.llama.abilities import HYBRID, QWEN_HYBRIDS, QWEN_INTERVAL
from advrepl.engines.llama.header import ARRAY, FLOATS, MOST_TOKENS, WHOLE, GgufHeader

# Kinds of tokenizers that read any text; WordPiece and Unigram are of models that write none.
TOKENIZERS = ("llama", "gpt2", "rwkv", "plamo2", "gemma4", "hybriddna", "whitespace")
SCALINGS = ("none", "linear", "yarn", "longrope")
LONGEST_TOKEN = 1 << 12  # bytes
LONGEST_TEMPLATE = 1 << 20  # bytes
AT_ONCE = 4096  # texts; as one text they may take four times their bytes
BYTE_TOKEN = 6  # llama.cpp's LLAMA_TOKEN_TYPE_BYTE
# The last part of a key of the architecture -> the least and the most that a model could have (llama.cpp's limits).
COUNTS = {
    "block_count": (1, 512), "context_length": (1, (1 << 31) - 1), "embedding_length": (1, 1 << 20),
    "feed_forward_length": (0, 1 << 22), "attention.head_count": (0, 1 << 14), "attention.head_count_kv": (0, 1 << 14),
    "attention.key_length": (1, 1 << 14), "attention.value_length": (1, 1 << 14), "rope.dimension_count": (0, 1 << 14),
    "attention.sliding_window": (0, (1 << 31) - 1), "expert_count": (0, 512), "expert_used_count": (0, 512),
    "vocab_size": (1, MOST_TOKENS), "rope.scaling.original_context_length": (1, (1 << 31) - 1),
    "ssm.conv_kernel": (0, 1 << 10), "ssm.inner_size": (0, 1 << 20), "ssm.state_size": (0, 1 << 16),
    "ssm.time_step_rank": (0, 1 << 16), "ssm.group_count": (0, 1 << 16),
}  # fmt: skip
# Merges, each "LEFT RIGHT" and a zero byte. Tokens of SentencePiece's kind may begin with a blank.
PAIRS = re.compile(rb"(?:[^\0][^ \0]* [^\0]+\0)*")


def wrong(header: GgufHeader) -> str:
    """Return what is wrong, as words that complete "its header …"; "" if nothing is known."""
    checks: tuple[Callable[[GgufHeader], Iterator[str]], ...] = (
        _counts,
        _heads,
        _kinds,
        _experts,
        _scaling,
        _fractions,
        _tokens,
        _spellings,
        _texts,
    )
    return next((reason for check in checks for reason in check(header)), "")


def _counts(header: GgufHeader) -> Iterator[str]:
    name = header.text("general.architecture")
    if not name:
        yield "names no architecture"
    blocks = header.number(f"{name}.block_count")
    for key, (least, most) in COUNTS.items():
        key = f"{name}.{key}"
        for value in _all(header, key):
            if not least <= value <= most:
                yield f"gives {key} as {value}, which no model has"
        told = len(header.numbers(key) or header.texts(key) or ())
        if header.kind(key) == ARRAY and blocks is not None and told < blocks:
            yield f"gives {key} for {told} of {blocks} layers"


def _heads(header: GgufHeader) -> Iterator[str]:
    name = header.text("general.architecture")
    heads, shared = (_all(header, f"{name}.attention.{key}") for key in ("head_count", "head_count_kv"))
    for layer, own in enumerate(shared):
        all_heads = heads[min(layer, len(heads) - 1)] if heads else 0
        if own and (own > all_heads or all_heads % own):
            yield f"shares {own} heads of keys among {all_heads} heads"
    width, size = header.number(f"{name}.embedding_length"), header.number(f"{name}.attention.key_length")
    if width and size is None and any(count and count > width for count in heads):
        yield f"splits {width} values among {max(heads)} heads"
    turned = header.number(f"{name}.rope.dimension_count") or 0
    if turned % 2 or turned > (size or width or turned):
        yield f"turns {turned} values of a head of {size or width}"


def _kinds(header: GgufHeader) -> Iterator[str]:
    """The first token ends the process where one of a hybrid's two caches has no layers."""
    name = header.text("general.architecture")
    layers = header.number(f"{name}.block_count") or 0
    if name not in HYBRID or name == "falcon-h1":  # whose layers are all of both kinds
        return

    def of_each(key: str) -> list[int]:
        found = _all(header, f"{name}.{key}")
        return found if header.kind(f"{name}.{key}") == ARRAY else found * layers

    if name in QWEN_HYBRIDS:
        told = header.numbers(f"{name}.attention.recurrent_layers")
        interval = header.number(f"{name}.full_attention_interval") or QWEN_INTERVAL
        recurrent = [(at + 1) % interval != 0 for at in range(layers)] if told is None else list(told)
        attending = [not each for each in recurrent]
    else:
        heads = of_each("attention.head_count_kv") or of_each("attention.head_count")
        inner = of_each("feed_forward_length") if name.startswith("nemotron_h") else [0] * layers  # of its MLPs alone
        attending = [own > 0 for own in heads]
        recurrent = [not own and not size for own, size in zip(heads, inner, strict=False)]
    if not any(attending[:layers]) or not any(recurrent[:layers]):
        yield f"gives {'all' if any(attending[:layers]) else 'none'} of the layers of {name} attention"


def _experts(header: GgufHeader) -> Iterator[str]:
    name = header.text("general.architecture")
    experts, groups, of_groups = (
        header.number(f"{name}.expert_{key}") or 0 for key in ("count", "group_count", "group_used_count")
    )
    used = max(_all(header, f"{name}.expert_used_count"), default=0)  # layers may differ
    if used > experts or (experts and not used):
        yield f"uses {used} of {experts} experts"
    if groups and groups >= experts:
        yield f"has {experts} experts in {groups} groups"
    if groups > 1 and (experts % groups or not 0 < of_groups < groups):
        yield f"uses {of_groups} of {groups} groups of {experts} experts"


def _scaling(header: GgufHeader) -> Iterator[str]:
    kind = header.text(f"{header.text('general.architecture')}.rope.scaling.type")
    if kind is not None and kind not in SCALINGS:
        yield f"stretches positions by {kind[:40]!r}, which llama.cpp cannot"


def _fractions(header: GgufHeader) -> Iterator[str]:
    for key in header.names:
        kind, value = header.kind(key), header.value(key)
        if kind in FLOATS and not math.isfinite(value):
            yield f"gives {key} as {value}"
        if kind in FLOATS and key.endswith("epsilon") and not 0 <= value < 1:
            yield f"gives {key} as {value}, which must be from 0 to 1"
        if kind in FLOATS and re.search(r"\.rope\..*(freq_base|factor)", key) and not 0 <= value < 1e12:
            yield f"gives {key} as {value}, which must be above 0"
        if kind in WHOLE and key.endswith("epsilon"):
            yield f"gives {key} as a whole number"


def _tokens(header: GgufHeader) -> Iterator[str]:
    kind, tokens = header.text("tokenizer.ggml.model"), header.texts("tokenizer.ggml.tokens")
    types, scores = (header.numbers(f"tokenizer.ggml.{key}") for key in ("token_type", "scores"))
    if kind is not None and kind not in TOKENIZERS:
        yield f"has a tokenizer of the kind {kind[:40]!r}, with which no story can be told"
    if tokens is None:
        return
    if not 0 < len(tokens) <= MOST_TOKENS:
        yield f"has {len(tokens)} tokens"
    for what, values in (("types", types), ("scores", scores)):
        if values is not None and len(values) != len(tokens):
            yield f"has {len(tokens)} tokens and {len(values)} {what} of them"
    if scores is not None and not all(map(math.isfinite, scores)):
        yield "has scores of tokens that are no numbers"
    if types and not 0 <= min(types) <= max(types) <= BYTE_TOKEN:
        yield "has tokens of unknown types"


def _spellings(header: GgufHeader) -> Iterator[str]:
    tokens, merges = header.texts("tokenizer.ggml.tokens") or [], header.texts("tokenizer.ggml.merges") or []
    types = header.numbers("tokenizer.ggml.token_type")
    if twice := len(tokens) - len(set(tokens)):
        yield f"has {twice} tokens twice"
    if _are_no_text(tokens, LONGEST_TOKEN):
        yield "has tokens that are no text"
    if header.text("tokenizer.ggml.model") == "llama" and types is not None and len(types) == len(tokens):
        spelled = {token for token, kind in zip(tokens, types, strict=True) if kind == BYTE_TOKEN}
        if spelled and spelled != {f"<0x{byte:02X}>".encode() for byte in range(256)}:
            yield "has tokens of bytes that are not the 256 there are"
    if _are_no_text(merges, 2 * LONGEST_TOKEN + 1) or not _are_two_tokens(merges):
        yield "has merges that are no two tokens"


def _texts(header: GgufHeader) -> Iterator[str]:
    template = header.value("tokenizer.chat_template")
    if isinstance(template, bytes) and len(template) > LONGEST_TEMPLATE:
        yield f"has a chat template of {len(template):,} bytes"


def _all(header: GgufHeader, key: str) -> list[int]:
    """A value for all layers, or those for each."""
    if header.kind(key) == ARRAY:
        found = header.numbers(key)
        return [] if found is None or not all(type(value) is int for value in found) else [*found]
    value = header.number(key)
    return [] if value is None else [value]


def _are_two_tokens(merges: list[bytes]) -> bool:
    chunks = (merges[at : at + AT_ONCE] for at in range(0, len(merges), AT_ONCE))
    if all(PAIRS.fullmatch(b"\0".join([*chunk, b""])) for chunk in chunks):
        return True  # in a third of the time, where no token holds a zero byte
    return all(b" " in merge[1:-1] for merge in merges)


def _are_no_text(texts: list[bytes], longest: int) -> bool:
    if max(map(len, texts), default=0) > longest:
        return True
    try:
        for at in range(0, len(texts), AT_ONCE):
            b"\0".join(texts[at : at + AT_ONCE]).decode()  # none can go on in the next
    except UnicodeDecodeError:
        return True
    return False
