"""How far quantized files of a model are from its F16 over a story: KL divergence, and whether the first choice stays.

Does not print (cli/judge.py does), writes nothing into a story, and has told from elsewhere what of a text is speech.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.files import size_of
from advrepl.engines.kv.borders import Borders
from advrepl.engines.kv.tokens import TokenCache
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Block, Segment
from advrepl.story.saves import Save
from advrepl.story.tree import Story

Floats = npt.NDArray[np.float32]
KINDS = ("names", "speech", "narration")
FEWEST = 64  # tokens of a story: of fewer, chance decides
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_INSIDE = re.compile(r"[\w,;’'-] \Z")  # what stands before a word that begins no sentence
_I = re.compile(r"I(?:['’]\w+)?")

Aloud = Callable[[str], Sequence[bool]]  # tells of each character whether it is spoken
ChooseFormat = Callable[[LlamaModel], Format]
Progress = Callable[[str, float], None]  # the file, and the share of its tokens that are read


class Agreement(msgspec.Struct, frozen=True):
    """How far one file is from the other, over so many tokens."""

    tokens: int
    kl: float  # the mean KL divergence, in nats
    same: float  # share of tokens for which both have the same first choice


class Judged(msgspec.Struct, frozen=True):
    """A file, beside the one that it was made from."""

    file: str
    bytes: int
    all: Agreement
    kinds: dict[str, Agreement]  # of KINDS, those that the story has


class Passage(Struct, frozen=True):
    """Tokens that are read as one, from an empty cache on; of each, its kind, or "" where it is not judged."""

    ids: tuple[int, ...]
    kinds: tuple[str, ...]


def judge(
    files: Sequence[Path],
    save: Save,
    options: LoadOptions,
    most: int,
    choose: ChooseFormat,
    aloud: Aloud,
    log: Log,
    progress: Progress,
) -> list[Judged]:
    """Compare each file with the first one, over at most so many tokens of a story; the others come back, in order.

    Raises AdvreplError for files that are not of one model, and for a story that is too short.
    """

    def read(model: LlamaModel) -> list[Passage]:
        return passages(model, choose(model), save, most, aloud)

    return compare(files, read, options, log, progress)


def compare(
    files: Sequence[Path],
    read: Callable[[LlamaModel], list[Passage]],
    options: LoadOptions,
    log: Log,
    progress: Progress,
) -> list[Judged]:
    """Compare each file with the first one over the passages that `read` makes with that; the others come back.

    Keeps the first one's probabilities in a temporary file meanwhile: 4 bytes for each token of the vocabulary and
    of the story. Raises AdvreplError for files that are not of one model.
    """
    judged, words, found = list[Judged](), list[str](), list[Passage]()
    try:
        with tempfile.TemporaryFile() as kept:
            for number, path in enumerate(files):
                model = LlamaModel(path, options, log)
                try:
                    if not number:
                        words, found = _words(model), read(model)
                    elif _words(model) != words:
                        raise AdvreplError(
                            f"{path.name} has other tokens than {files[0].name}: only files of one model are compared"
                        )
                    kept.seek(0)
                    take = partial(_beside if number else _keep, kept)
                    rows = list(map(take, _logits(model, found, partial(progress, path.name))))
                finally:
                    model.close()
                if number:
                    judged.append(_judged(path, found, rows))
    except OSError as error:
        raise AdvreplError(f"the probabilities of {files[0].name} could not be kept meanwhile: {error}") from error
    return judged


def smallest(judged: Sequence[Judged], limit: float) -> Judged | None:
    """Return the smallest file whose mean KL divergence is within a limit; None: none is."""
    within = [each for each in judged if each.all.kl <= limit]
    return min(within, key=lambda each: each.bytes, default=None)


# The story


def passages(model: LlamaModel, format: Format, save: Save, most: int, aloud: Aloud) -> list[Passage]:
    """Return the story as it is read: what fits the context, behind the head; then what follows, behind the head again.

    At most so many tokens are judged, from the first turn on.
    """
    turns = Story(save.turns, save.head).path_turns()
    names = names_in("\n".join(turn.text for turn in turns))
    prompt = format.spell(save.scenario, turns)
    encode = model.vocab.encode
    borders = Borders(encode, model.vocab.leads)
    cache = TokenCache(encode, model.vocab.piece, borders)

    def passage(blocks: Sequence[Block]) -> Passage:
        told = {id(block[-1]) for block in blocks}
        segments = [*prompt.head, *(segment for block in blocks for segment in block)]
        ids, kinds = list[int](), list[str]()
        for at, (part, tail) in enumerate(borders.split(segments)):
            tokens = cache.tokens(part, not at, tail)
            ids += tokens
            judged = id(segments[at]) in told
            kinds += _kinds(model, tokens, segments[at], part, tail, names, aloud) if judged else [""] * len(tokens)
        opening = model.vocab.opening(ids)
        return Passage((*opening, *ids), ("",) * len(opening) + tuple(kinds))

    found, held, left = list[Passage](), list[Block](), most
    for block in (*prompt.blocks, None):
        if block is not None and len(passage([*held, block]).ids) <= model.n_ctx:
            held.append(block)
            continue
        if held and left > 0:
            found.append(_first(passage(held), left))
            left -= sum(map(bool, found[-1].kinds))
        held = [block] if block is not None and len(passage([block]).ids) <= model.n_ctx else []
    if (count := most - left) < min(FEWEST, most):
        raise AdvreplError(f"the story has {count} tokens that can be judged, too few: take one of some turns")
    return found


def _first(passage: Passage, most: int) -> Passage:
    """The passage up to its `most`th token that is judged."""
    places = [at for at, kind in enumerate(passage.kinds) if kind]
    end = places[most - 1] + 1 if len(places) > most else len(passage.ids)
    return Passage(passage.ids[:end], passage.kinds[:end])


def _kinds(
    model: LlamaModel,
    tokens: Sequence[int],
    whole: Segment,
    part: Segment,
    tail: str,
    names: frozenset[str],
    aloud: Aloud,
) -> list[str]:
    """The kind of each token, by its first letter; "" for those of marks, also of the next segment's lead."""
    text = part.text.encode()
    letters = kinds_of(whole.text, names, aloud)[len(whole.text) - len(part.text) :]
    spelled = [kind for char, kind in zip(part.text, letters, strict=True) for _ in char.encode()]
    end, kinds = len(text) + len(tail.encode()), list[str]()
    for token in reversed(tokens):  # from the end, as control tokens of the mark spell nothing
        piece = model.vocab.piece(token)
        start = end - len(piece)
        first = start + len(piece) - len(piece.lstrip()) if piece.strip() else start
        kinds.append(spelled[first] if start >= 0 and piece and first < len(text) else "")
        end = start
    return kinds[::-1]


def kinds_of(text: str, names: frozenset[str], aloud: Aloud) -> list[str]:
    """Return of each character whether it is of a name, else of speech, else of narration."""
    kinds = ["speech" if spoken else "narration" for spoken in aloud(text)]
    for word in _WORD.finditer(text):
        if _plain(word[0]) in names:
            kinds[word.start() : word.end()] = ["names"] * len(word[0])
    return kinds


def names_in(text: str) -> frozenset[str]:
    """Return the words that are written with a capital within a sentence, and nowhere without one.

    `names_in("We met Anna. Anna met him.") == {"Anna"}`
    """
    words = list(_WORD.finditer(text))
    small = {word[0].casefold() for word in words if word[0][0].islower()}
    found = {
        _plain(word[0])
        for word in words
        if word[0][0].isupper()
        and not _I.fullmatch(word[0])
        and _INSIDE.search(text, max(word.start() - 2, 0), word.start())
    }
    return frozenset(name for name in found if name.casefold() not in small)


def _plain(word: str) -> str:
    """A word without an English genitive."""
    return re.sub(r"['’]s?\Z", "", word)


# The numbers


def _words(model: LlamaModel) -> list[str]:
    return [model.vocab.special(token) for token in range(model.vocab.size)]


def _logits(model: LlamaModel, read: Sequence[Passage], told: Callable[[float], Any]) -> Iterator[Floats]:
    """Yield the logits from which each token that is judged was to be foretold, some rows at a time."""
    total, done = sum(len(passage.ids) for passage in read), 0
    for passage in read:
        model.remove(0, -1)
        for at in range(0, len(passage.ids), model.chunk):
            tokens = passage.ids[at : at + model.chunk]
            rows = model.decode_all(tokens, at)
            wanted = [bool(kind) for kind in passage.kinds[at + 1 : at + 1 + len(tokens)]]
            done += len(tokens)
            told(done / total)
            yield rows[: len(wanted)][wanted]


def log_probabilities(logits: Floats) -> Floats:
    """Return the logarithms of the softmax of each row."""
    moved: Floats = logits - logits.max(axis=1, keepdims=True)
    sums: Floats = np.exp(moved).sum(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    moved -= np.log(sums)
    return moved


def divergence(reference: Floats, other: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the KL divergence of each row of log probabilities, and whether both have the same first choice."""
    terms = np.exp(reference, dtype=np.float64) * (reference - other)
    return terms.sum(axis=1).astype(np.float32), reference.argmax(axis=1) == other.argmax(axis=1)


Rows = tuple[Floats, npt.NDArray[np.bool_]]


def _keep(kept: IO[bytes], rows: Floats) -> Rows:
    kept.write(log_probabilities(rows).tobytes())
    return np.empty(0, np.float32), np.empty(0, np.bool_)


def _beside(kept: IO[bytes], rows: Floats) -> Rows:
    reference = np.frombuffer(kept.read(rows.size * rows.itemsize), np.float32).reshape(rows.shape)
    return divergence(reference, log_probabilities(rows))


def _judged(path: Path, read: Sequence[Passage], found: Sequence[Rows]) -> Judged:
    kl, same = (np.concatenate(column) for column in zip(*found, strict=True))
    if not np.isfinite(kl).all():
        raise AdvreplError(f"{path.name} gives no numbers for this story: its weights may be damaged")
    kinds = np.array([kind for passage in read for kind in passage.kinds[1:] if kind])

    def over(chosen: npt.NDArray[np.bool_]) -> Agreement:
        return Agreement(int(chosen.sum()), float(kl[chosen].mean()), float(same[chosen].mean()))

    by_kind = {kind: over(kinds == kind) for kind in KINDS if (kinds == kind).any()}
    return Judged(path.name, size_of(path), over(np.ones(len(kinds), np.bool_)), by_kind)
