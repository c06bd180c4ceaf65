"""Can a GGUF file be played at all? From its header, before llama.cpp loads it: some files would end the process.

Does not load weights, and does not tell whether they fit the memory (loading.py).
"""

from functools import lru_cache
from pathlib import Path

from advrepl import AdvreplError, program
from advrepl.engines.files import check_file, parts
from advrepl.engines.llama.architectures import is_known
from advrepl.engines.llama.header import BadHeader, GgufHeader, read_header
from advrepl.engines.llama.header_checks import BYTE_TOKEN, wrong

EMBEDDING = {
    "bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
    "gemma-embedding", "llama-embed", "t5encoder",
}  # fmt: skip
# What other architectures are that write no story.
NO_STORY = {
    **dict.fromkeys(EMBEDDING, "an embedding model, which writes no text"),
    "t5": "an encoder-decoder, which answers one text with another and goes on with none",
    **dict.fromkeys(("dream", "llada", "llada-moe", "rnd1"), "a diffusion model, which does not write word after word"),
    **dict.fromkeys(("eagle3", "dflash", "gemma4-assistant"), "a draft model, which only guesses for another one"),
    **dict.fromkeys(("wavtokenizer-dec", "qwen3tts", "pockettts"), "a model for speech, which writes no text"),
    "controlvector": "a control vector, which changes another model",
    **dict.fromkeys(("clip", "mmproj"), "a projector (mmproj), the part of a model that looks at pictures"),
}
NO_POOLING = 0  # LLAMA_POOLING_TYPE_NONE
LEAST_CTX = 256  # tokens: a system text, a turn and a reply


class UnknownArchitecture(AdvreplError):
    """A model that may be whole, and that another llama.cpp may know."""


def problem(path: Path) -> str:
    """Return why a GGUF file cannot be played and what to do, as a sentence that names it; "" if nothing is known."""
    try:
        check_playable(path)
    except AdvreplError as error:
        return str(error)
    return ""


def check_playable(path: Path) -> None:
    """Raise AdvreplError where a GGUF file, or a part of a split one, cannot be played."""
    check_kind(path)
    _check_values(path, _as_it_is(path))


def check_kind(path: Path) -> None:
    """Raise AdvreplError where it is no whole file of a model that can tell stories.

    Its values, those of each token among them, may still be wrong: looking at them takes as long again.
    """
    check_file(path)
    # Such a file is as long as it will be from the beginning.
    if any(part.with_name(f"{part.name}.aria2").exists() for part in parts(path)):
        raise AdvreplError(f"{path.name} is still being fetched by aria2: let it end, or choose another")
    _check_kind(path, _as_it_is(path))


def _as_it_is(path: Path) -> tuple[object, ...]:
    return tuple(_stamp(part) for part in parts(path))


@lru_cache(maxsize=64)  # it is asked for when a model is chosen, and again when it is loaded
def _check_kind(path: Path, _as_it_is: tuple[object, ...]) -> None:
    header = _header(path)
    reason = _part(path, header) or _kind(header) or _vocabulary(header) or _short(header)
    if reason := reason or _cut_short(path, header):
        raise AdvreplError(f"{path.name} {reason}")
    for part in parts(path)[1:]:
        if reason := _cut_short(part, _header(part)):
            raise AdvreplError(f"{part.name} {reason}")


@lru_cache(maxsize=64)
def _check_values(path: Path, _as_it_is: tuple[object, ...]) -> None:
    header = _header(path)
    if reason := wrong(header):
        raise AdvreplError(f"{path.name} is damaged, its header {reason}: fetch it again, or choose another")
    if not is_known(name := header.text("general.architecture") or ""):
        raise UnknownArchitecture(
            f"{path.name} is of the architecture {name[:40]!r}, which this llama.cpp does not know: choose another "
            "model, or wait for a newer advrepl"
        )


def _stamp(path: Path) -> tuple[int, int] | None:
    status = path.stat() if path.is_file() else None
    return (status.st_size, status.st_mtime_ns) if status else None


def _header(path: Path) -> GgufHeader:
    check_file(path)
    try:
        return read_header(path)
    except BadHeader as error:
        raise AdvreplError(
            f"{path.name} is cut short or damaged, its header {error}: fetch it again, or choose another"
        ) from error
    except OSError as error:
        raise AdvreplError(f"model {path} cannot be read: {error.strerror}") from error


def _part(path: Path, header: GgufHeader) -> str:
    """Tell what is wrong with the file as a part of a split one."""
    count, number = header.number("split.count") or 1, (header.number("split.no") or 0) + 1
    if number > 1:
        first = parts(path)[0]
        return f"is part {number} of {count} of a model: give part 1{f', {first.name}' if first != path else ''}"
    if count > 1 and len(parts(path)) != count:
        return f"is part 1 of {count} of a model, under another name: name it as it was, NAME-00001-of-{count:05d}.gguf"
    missing = [part.name for part in parts(path) if not part.is_file()]
    return f"is part 1 of {count} of a model, and {missing[0]} is not beside it" if missing else ""


def _kind(header: GgufHeader) -> str:
    """Tell what the file is instead of a model that writes on."""
    name = header.text("general.architecture") or ""
    if header.text("general.type") == "adapter" or header.text("adapter.type"):
        return "is an adapter (LoRA), which changes another model: merge the two with llama.cpp's llama-export-lora"
    if header.text("general.type") == "mmproj":
        name = "mmproj"
    if header.text("general.type") == "imatrix" or name == "imatrix":
        return f"is an importance matrix, for `{program.command('convert', '--imatrix')}`: choose a model"
    pools = (header.number(f"{name}.pooling_type") or NO_POOLING) != NO_POOLING
    if pools or header.number(f"{name}.attention.causal") == 0:
        name = "bert" if name not in NO_STORY else name
    if name in NO_STORY:
        return f"is {NO_STORY[name]}: choose another model"
    return ""


def _vocabulary(header: GgufHeader) -> str:
    """Tell what the file lacks: weights, a vocabulary, or a part of it."""
    if not header.n_tensors:
        return "holds a vocabulary and no weights: choose a whole model"
    if header.kind("tokenizer.ggml.tokens") is None:
        return "has no vocabulary, as models for pictures and sound have none: choose another model"
    kinds = header.numbers("tokenizer.ggml.token_type")
    if header.text("tokenizer.ggml.model") == "llama" and kinds is not None and BYTE_TOKEN not in kinds:
        return "has a vocabulary without bytes, so it cannot read every text: convert it again with its whole tokenizer"
    return ""


def _short(header: GgufHeader) -> str:
    """Tell whether its context has no room for a story."""
    trained = header.number(f"{header.text('general.architecture')}.context_length")
    if not trained or trained >= LEAST_CTX:
        return ""
    return f"was trained on {trained} tokens, too few for a story: choose another model"


def _cut_short(path: Path, header: GgufHeader) -> str:
    there, whole = path.stat().st_size, header.end
    if there >= whole:
        return ""
    return f"is cut short, {100 * there // whole}% of it is there: fetch it again, or choose another"
