"""Do llama.cpp's ids equal the source tokenizer's? Tried on a fixed set of texts before anything is written.

llama.cpp runs in a child process (quantize/process.py).
"""

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import regex

from convert import ConvertError
from convert.archs.rules import Rule
from convert.foreign import quote
from convert.quantize.process import run_child
from convert.vocab.merging import Encode
from convert.vocab.table import BLANKS_ALIKE, USER_DEFINED
from convert.write import Field, write_gguf

# None begins with a blank: whether one more is put before it is told differently by newer files of one tokenizer.
TEXTS = (
    "Hello, world! It's 7:45, isn't it? They'll've gone; HE'S here.",
    "runs  of   spaces    and\ttabs\t\tand\n\nnewlines\n\n\n",
    'Brindle\'s Persona: An innkeeper.\n<START>\nYou: *waves* "Is there any room left?"\nBrindle:',
    "<|system|>Enter RP mode.<|user|>I look around...<|model|>The hall is dark.<|user|>",
    "1 22 333 4444 55555 3.14159 1,000,000 2026-01-31 x1y2",
    "naïve café Straße ÆØÅ ñ Łódź İstanbul",
    "日本語のテキスト 中文字符 한국어 ไทย",
    "Привет, мир! Γειά σου Κόσμε שלום مرحبا",
    "नमस्ते",
    "🙂 👩‍👩‍👧‍👦 🏳️‍🌈 ☕️ …",
    "zero\u200bwidth, no\u00a0break, ﬁ ½ ² Ⅷ",
    "snake_case camelCase kebab-case /path/to/file.txt https://x.y/z?a=b&c=d#e",
    "!!! ??? ... --- *** ~~~ @@@ ### $$$ %%% ^^^ &&& (()) [[]] {{}} <<>>",
    "'single' \"double\" “curly” ‘quotes’ — dash – dots…",
    "def f(x):\n    return x**2 if x else None  # comment\n",
    "antidisestablishmentarianism Donaudampfschifffahrtsgesellschaft",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "THE END\r\n\r\n\u3000\x07",
    "low▁lines▁ and ▁▁ blanks",
)
PREFIX = "tokenizer.ggml.add_space_prefix"
MOST_OWN = 16  # user-defined pieces that are tried too
# By this name llama.cpp takes no combining marks for parts of words: Hindi, not Russian, is read as other tokens.
MARKS_APART = "tekken"
MARKED = regex.compile(r"\p{L}\p{M}")

Fields = Mapping[str, Field]


def check_ids(fields: Fields, source: str, encode: Encode, own: int = 0) -> None:
    """Raise ConvertError, with the first text that differs, unless llama.cpp encodes as `encode`, the source.

    Not of letters with combining marks, where llama.cpp's name for the tokenizer is MARKS_APART: it has no better one.
    `fields`: the tokenizer's of the GGUF header. `own`: so many tokens the source knows; those behind were added, and
    a text with one of them is not tried.
    """
    kinds, tokens = fields["tokenizer.ggml.token_type"], fields["tokenizer.ggml.tokens"]
    defined = [(i, str(t)) for i, (t, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind == USER_DEFINED]  # type: ignore[arg-type]
    added = [token for i, token in defined if i >= own]
    pieces = [token for i, token in defined if i < own][:MOST_OWN]
    blanks = [token.replace(" ", "▁") for token in pieces if " " in token]
    texts = [*TEXTS, *(f"a{piece}b {piece}" for piece in (*pieces, *blanks))]
    texts = [text for text in texts if not any(token in text for token in added)]
    if fields["tokenizer.ggml.pre"] == MARKS_APART:
        texts = [text for text in texts if not MARKED.search(text)]
    # As the engine does it: llama.cpp's own prefix would come behind each user-defined piece again.
    prefix = " " if fields.get(PREFIX) else ""
    given = tuple(prefix + (text.replace("▁", " ") if fields.get(BLANKS_ALIKE) else text) for text in texts)
    there = _ids(json.dumps([*{**fields, PREFIX: False}.items()]), given)
    for text, ids in zip(texts, there, strict=True):
        if ids != (wanted := tuple(encode(text))):
            raise ConvertError(
                f"{source}: llama.cpp would read {quote(text)} as other tokens ({_first(ids, wanted)}), so the model "
                "would not see what it was trained on; its tokenizer cannot be converted"
            )


def _first(ids: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    at = next((at for at, (a, b) in enumerate(zip(ids, wanted, strict=False)) if a != b), min(len(ids), len(wanted)))
    there, due = (", ".join(map(str, found[at : at + 3])) for found in (ids, wanted))
    return f"from token {at + 1} on: {there} for {due}"


@cache
def _ids(fields: str, texts: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    with tempfile.TemporaryDirectory(prefix="advrepl-ids-") as made:
        vocab, asked = Path(made) / "vocab.gguf", Path(made) / "texts.json"
        rules = [Rule("output_norm.weight", (32,), None)]
        write_gguf(vocab, {**SHELL, **dict(json.loads(fields))}, rules, {}, "F32", lambda *_: None)
        asked.write_text(json.dumps(texts), encoding="utf-8")
        lines = [line for line in run_child("ids", vocab, asked) if line.startswith("ids ")]
    return tuple(tuple(map(int, line.split()[1:])) for line in lines)


# A model's header around the vocabulary, without which llama.cpp does not open the file.
SHELL: Fields = {
    "general.architecture": "llama",
    "llama.vocab_size": 1,
    "llama.context_length": 64,
    "llama.embedding_length": 32,
    "llama.block_count": 1,
    "llama.feed_forward_length": 32,
    "llama.attention.head_count": 1,
    "llama.attention.layer_norm_rms_epsilon": 1e-6,
}
