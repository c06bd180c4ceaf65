"""What each kind of server calls things: one entry of a table each, all of them measured or read from its source.

Does not talk to a server (wire.py) and does not find out which one it is (identify.py).
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

Shape = Literal["llama", "openai", "kobold", "chat"]  # how an event of a reply looks (events.py)

_OPENAI = {
    "temperature": "temperature", "top_p": "top_p", "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty", "seed": "seed",
}  # fmt: skip
_VLLM = {
    **_OPENAI, "top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty", "logit_bias": "logit_bias",
}  # fmt: skip
_MIROSTAT = {"mirostat_tau": "mirostat_tau", "mirostat_eta": "mirostat_eta"}
_XTC = {"xtc_probability": "xtc_probability", "xtc_threshold": "xtc_threshold"}
_DRY = {name: name for name in ("dry_multiplier", "dry_base", "dry_allowed_length")}
_LLAMA_SERVER = {
    **_VLLM, **_XTC, **_DRY, **_MIROSTAT, "repeat_penalty": "repeat_penalty", "repeat_last_n": "repeat_last_n",
    "typical_p": "typical_p", "mirostat": "mirostat",
}  # fmt: skip
_BREAKERS = ["\n", ":", '"', "*"]


class Tokenizer(Struct, frozen=True):
    """How a server is asked for the tokens of a text."""

    path: str
    text: str  # the field that holds it
    answer: str  # the field of the answer that holds token ids; "": there are none
    count: str = ""  # the field that holds their number, where there are no ids
    begins: bool = False  # does the answer begin with the token that begins a prompt, whatever is asked?
    extras: Mapping[str, Any] = field(default_factory=dict)  # sent with each text
    in_marks: str = ""  # the field that says whether control tokens are found in it; "": they always are
    opening: str = ""  # the field that asks for the token that begins a prompt
    many: bool = False  # does it take a list of texts and ids?


class Dialect(Struct, frozen=True):
    """How one kind of server is spoken to."""

    name: str
    path: str  # of text completion
    shape: Shape
    limit: str  # what max_tokens is called
    samplers: Mapping[str, str]  # our name of a sampling parameter -> its name there
    stop: str = "stop"
    ends: str = ""  # the field for tokens that end a reply, where it knows but one of them and shows none
    tokenizer: Tokenizer | None = None
    takes_ids: bool = False  # may the prompt be token ids?
    grammar: tuple[str, ...] = ()  # where GBNF stands in a request: a field, or a field in a field
    extras: Mapping[str, Any] = field(default_factory=dict)  # sent with every request
    copies: Mapping[str, str] = field(default_factory=dict)  # another field there -> the parameter that it repeats too
    reuse: str = ""  # the field that lets it move what a slide left
    tells_cache: bool = False  # does it say how much of a prompt it had?
    ahead: Literal["", "in turn", "at once"] = ""  # may replies be written ahead, and how many at a time?
    reads_along: bool = False  # is a prompt with nothing to write safe, and in its cache then [measured]?
    slide_to: float = 0.75  # share of the room that turns take after a slide
    top_p_least: float = 0.0  # what it takes for the least
    off_with_mirostat: tuple[str, ...] = ()  # penalties that it takes then, and does not apply [measured]


LLAMA_SERVER = Dialect(
    "llama-server",
    "/completion",
    "llama",
    "n_predict",
    _LLAMA_SERVER,
    tokenizer=Tokenizer("/tokenize", "content", "tokens", in_marks="parse_special", opening="add_special", many=True),
    takes_ids=True,
    grammar=("grammar",),
    extras={
        "cache_prompt": True, "return_tokens": True, "return_progress": True, "dynatemp_range": 0.0,
        "top_n_sigma": -1.0, "dry_sequence_breakers": _BREAKERS,
        # Its own default order, said aloud; advrepl's own sampler has the same.
        "samplers": ["penalties", "dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    },
    copies={"dry_penalty_last_n": "repeat_last_n"},
    reuse="n_cache_reuse",
    tells_cache=True,
    ahead="in turn",
    reads_along=True,
    off_with_mirostat=("repeat_penalty", "presence_penalty", "frequency_penalty", "dry_multiplier"),
)  # fmt: skip
LLAMA_CPP_SERVER = Dialect(
    "llama_cpp.server",
    "/v1/completions",
    "openai",
    "max_tokens",
    {**_VLLM, **_MIROSTAT, "repeat_penalty": "repeat_penalty", "mirostat": "mirostat_mode"},
    tokenizer=Tokenizer("/extras/tokenize", "input", "tokens", begins=True),
    grammar=("grammar",),
)
VLLM = Dialect(
    "vLLM",
    "/v1/completions",
    "openai",
    "max_tokens",
    _VLLM,
    ends="stop_token_ids",
    tokenizer=Tokenizer(
        "/tokenize", "prompt", "tokens", extras={"add_special_tokens": False}, opening="add_special_tokens"
    ),
    takes_ids=True,
    grammar=("structured_outputs", "grammar"),
    extras={
        "stream_options": {"include_usage": True}, "return_token_ids": True, "include_stop_str_in_output": True,
        "ignore_eos": False, "min_tokens": 0, "skip_special_tokens": True,
    },
    tells_cache=True,
    ahead="at once",
    reads_along=True,
    slide_to=0.5,
    top_p_least=0.001,
)  # fmt: skip
APHRODITE = Dialect(
    "Aphrodite",
    "/v1/completions",
    "openai",
    "max_tokens",
    {**_VLLM, **_XTC, **_DRY, **_MIROSTAT, "typical_p": "typical_p", "mirostat": "mirostat_mode",
     "repeat_last_n": "dry_range"},
    tokenizer=Tokenizer("/api/extra/tokencount", "prompt", "", count="value"),
    grammar=("structured_outputs", "grammar"),
    extras={
        "stream_options": {"include_usage": True}, "include_stop_str_in_output": True, "top_a": 0.0, "tfs": 1.0,
        "smoothing_factor": 0.0, "dynatemp_min": 0.0, "dynatemp_max": 0.0, "temperature_last": True,
        "dry_sequence_breakers": _BREAKERS,
    },
    tells_cache=True,
    ahead="at once",
    slide_to=0.5,
    top_p_least=0.001,
)  # fmt: skip
KOBOLDCPP = Dialect(
    "KoboldCpp",
    "/api/extra/generate/stream",
    "kobold",
    "max_length",
    {**_VLLM, **_XTC, **_DRY, **_MIROSTAT, "repeat_penalty": "rep_pen", "repeat_last_n": "rep_pen_range",
     "typical_p": "typical", "mirostat": "mirostat", "seed": "sampler_seed"},
    stop="stop_sequence",
    tokenizer=Tokenizer("/api/extra/tokencount", "prompt", "ids", extras={"special": False}),
    grammar=("grammar",),
    extras={
        "top_a": 0.0, "tfs": 1.0, "smoothing_factor": 0.0, "dynatemp_range": 0.0, "trim_stop": True,
        "bypass_eos": False, "sampler_order": [6, 0, 1, 3, 4, 2, 5], "use_default_badwordsids": False,
        "quiet": True, "dry_sequence_breakers": _BREAKERS,
        "grammar_retain_state": False,
    },
    copies={"dry_penalty_last_n": "repeat_last_n"},
)  # fmt: skip
OTHER = Dialect("a server of a kind that is not known", "/v1/completions", "openai", "max_tokens", _OPENAI)
CHAT_ONLY = Dialect("a server for chats alone", "/v1/chat/completions", "chat", "max_tokens", _OPENAI)
