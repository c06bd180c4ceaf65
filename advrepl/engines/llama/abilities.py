"""What a model's cache can do, by the header of its file: the one table that the engine goes by.

llama.cpp's own answers do not do: `llama_memory_can_shift` says True where layers without rope would be turned, and
`llama_memory_seq_rm` where a recurrent state forgets nothing. What is not in the table gets the careful answers.
Does not touch a cache (model.py does). docs/models.md has what was measured; `make caches` measures it.
"""

from msgspec import Struct

from advrepl.engines.llama.header import GgufHeader

# Keys of every layer are rotated, as the last thing that is done to them: turning them on is all that a move takes.
MOVABLE = {
    "llama", "qwen2", "qwen3", "qwen3moe", "gemma", "gemma2", "gemma3", "phi2", "phi3", "gptneox", "stablelm",
    "starcoder2", "olmo", "olmo2", "command-r", "deepseek2", "nemotron", "glm4", "ernie4_5", "seed_oss", "arcee",
    "falcon",
}  # fmt: skip
# Keys and values for each token and nothing else, but their keys cannot be moved: layers without rope (smollm3,
# cohere2, llama4, exaone4, afmoe, smallthinker, some granites), keys that are normalised after it (hunyuan, maincoder),
# positions that are added to the tokens (gpt2, starcoder) or to the attention (bloom, mpt), YaRN always (gpt-oss), two
# kinds of heads (gemma4), or nobody has measured it.
CUTTABLE = MOVABLE | {
    "chatglm", "smollm3", "cohere2", "llama4", "exaone4", "afmoe", "smallthinker", "hunyuan-moe", "hunyuan-dense",
    "maincoder", "gpt2", "starcoder", "bloom", "mpt", "gpt-oss", "gemma3n", "gemma4", "granite", "granitemoe",
    "baichuan", "refact", "jais", "jais2", "qwen", "qwen2moe", "qwen2vl", "qwen3vl", "qwen3vlmoe", "olmoe", "phimoe",
    "internlm2", "exaone", "minicpm", "minicpm3", "orion", "xverse", "codeshell", "apertus", "grok",
    "mistral3", "mistral4", "deepseek", "dbrx", "arctic", "plamo", "plamo3", "openelm", "bitnet", "dots1",
    "glm4moe", "ernie4_5-moe", "bailingmoe", "bailingmoe2", "plm", "deci", "pangu-embedded", "minimax-m2",
}  # fmt: skip
# With a sliding window: of so many layers one sees all, unless the file has a pattern of its own. Wherever all layers
# are of one kind, one of llama.cpp's two caches has none, and a K-shift of no layers ends the process.
ONE_SEES_ALL = {"gemma2": 2, "gemma3": 6, "olmo2": 4}
# One state stands for all tokens, in all layers or in some: it goes back only to where a copy of it was taken.
RECURRENT = {"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"}
HYBRID = {
    "jamba", "falcon-h1", "granitehybrid", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe", "qwen3next", "qwen35",
    "qwen35moe", "plamo2",
}  # fmt: skip
# Of so many layers one has attention where the header does not say (qwen3next.cpp, qwen35.cpp of llama.cpp).
QWEN_HYBRIDS, QWEN_INTERVAL = {"qwen3next", "qwen35", "qwen35moe"}, 4
MEASURED = CUTTABLE | RECURRENT | HYBRID


class CacheHeader(Struct, frozen=True):
    """Hold what a model file says about its cache."""

    architecture: str
    rope: bool = True  # does llama.cpp rotate anything in this architecture?
    scaling: str = ""  # of rope: "yarn", "linear", "longrope"; "" and "none": none
    attn_factor: float = 1.0  # by which keys are multiplied when they are rotated
    layers: int = 1
    window: int = 0  # tokens that layers with a sliding window see; 0: there are none
    seeing_all: int | None = None  # layers without it; None: the file does not say
    recurrent: bool = False  # as llama.cpp says, wholly or in part


class CacheAbilities(Struct, frozen=True):
    """Answer what may be done to a cache, so that what is written next is right."""

    moves: bool = False  # may a block of it be moved?
    cuts: bool = False  # can it be cut back to any token, and hold a part of a sequence?
    snapshots: bool = False  # or to where a copy of its recurrent part was taken?
    branches: bool = False  # can several continuations share it?
    kept: bool = False  # can it be put away, taken back, and then cut as before, no further than `window`?
    window: int = 0  # tokens that layers with a sliding window see; 0: all see all


CAREFUL = CacheAbilities()  # it may only grow, or be read again


def abilities(header: CacheHeader) -> CacheAbilities:
    """Return what the cache of such a model can do."""
    name = header.architecture
    if name in RECURRENT or (name in HYBRID and not header.window):
        return CacheAbilities(snapshots=True, branches=True, kept=True)
    if header.recurrent or name not in CUTTABLE:
        return CAREFUL
    # With YaRN, or any factor, each K-shift multiplies all keys by it once more, also those that stay.
    plain = header.scaling in ("", "none", "linear", "longrope") and header.attn_factor == 1
    moves = name in MOVABLE and header.rope and plain and (not header.window or _both_kinds(header))
    return CacheAbilities(moves, cuts=True, branches=True, kept=True, window=header.window)


def _both_kinds(header: CacheHeader) -> bool:
    """Tell whether some layers have the window and others have not."""
    if header.architecture not in ONE_SEES_ALL:
        return False  # who knows which
    count = header.seeing_all
    if count is None:
        count = header.layers // ONE_SEES_ALL[header.architecture]
    return 0 < count < header.layers


def seeing_all(file: GgufHeader, name: str, layers: int) -> int | None:
    """Count the layers without a window by the file's pattern; None if it has none."""
    key = f"{name}.attention.sliding_window_pattern"
    # A truth value for each layer, or of how many layers one is without.
    windowed, one_of = file.numbers(key), file.number(key)
    if windowed is not None:
        return sum(not each for each in windowed[:layers])
    return one_of and layers // one_of
