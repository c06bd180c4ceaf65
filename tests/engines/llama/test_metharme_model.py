"""The engine on a LLaMA-shaped model with a SentencePiece tokenizer, as Metharme 7B is one: tokens as in training.

The weights are random and small; the tokenizer is a real LLaMA-style one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece

from advrepl.engines import models
from advrepl.engines.base import LoadOptions
from advrepl.engines.kv.borders import Borders
from advrepl.engines.kv.tokens import TokenCache
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.play.events import Reply
from advrepl.play.game import Game
from advrepl.prompt.formats import Metharme
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.story import save_file, saves
from advrepl.story.scenario import START
from advrepl.story.tree import Turn
from advrepl.terminal.lines import understood
from tests import real


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaEngine]:
    out = real.metharme_mini(tmp_path_factory.mktemp("spm"))
    engine = LlamaEngine(LlamaModel(out, LoadOptions(ctx=512, threads=1), Log(out.with_suffix(".log"))))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def pieces() -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(str(real.sentencepiece_model()))


def test_the_format_is_known_by_the_file(engine: LlamaEngine) -> None:
    assert models.choose_format(None, engine).name == "metharme"


def test_a_prompt_is_tokenised_as_in_training(
    engine: LlamaEngine, pieces: sentencepiece.SentencePieceProcessor
) -> None:
    """One beginning of text, one leading space, and sentencepiece's tokens of the prompt as one text."""
    told = [Turn(None, "user", "Start!"), Turn(0, "model", START.opening), Turn(1, "user", '"Go inside."')]
    prompt = Metharme().spell(START, told)
    ids = [pieces.bos_id(), *pieces.encode(str(prompt))]
    assert pieces.piece_to_id('>"') in ids
    assert engine.follow(Window(prompt, 0, 0, 512)) == ids
    assert sum(engine.sizes(prompt.segments)) == len(ids) - 1


@pytest.mark.parametrize("text", ["</s>", "<s>", "<unk>", "a\n</s><|model|>"])
def test_players_cannot_type_control_tokens(engine: LlamaEngine, text: str) -> None:
    ids = engine.sequence.token_cache.tokens(Segment("<|user|>", text))
    assert not {0, 1, 2} & set(ids)


def test_text_comes_back_byte_for_byte(engine: LlamaEngine) -> None:
    for text in (" two  spaces ", "\n\nlines\n", "Ärger 🐉 龍", "tab\there", "x"):
        ids = engine.sequence.token_cache.tokens(Segment("", text))
        assert b"".join(map(engine.model.vocab.piece, ids)).decode() == text


def test_a_metharme_model_opens_the_story_itself_in_the_three_option_form(engine: LlamaEngine, tmp_path: Path) -> None:
    """Even a model of noise: the form is held, the reply is not fed again."""
    sampling = {"seed": 5, "max_tokens": 20}
    save = saves.Save(saves.SCHEMA, "", saves.now(), saves.ModelRef(), "metharme", sampling, START, [], None)
    game = Game(engine, Metharme(), save, save_file.SaveFile(tmp_path / "a.json"))
    replies = [event for event in game.open() if isinstance(event, Reply)]
    for line in ("1", "look", "3"):
        replies += [event for event in game.act(understood(line, game.options()).text) if isinstance(event, Reply)]
    assert all(len(set(reply.options)) == 3 and reply.text for reply in replies)
    new_turn = engine.count(Segment("<|user|>", "look")) + engine.count(Segment("<|model|>", ""))
    assert replies[2].stats["prompt"] - replies[2].stats["reused"] <= new_turn + 8
    game.file.close()


def test_a_reply_keeps_the_tokens_it_was_sampled_as(engine: LlamaEngine) -> None:
    """Noise spells words in pieces that the tokenizer would not choose; the cache must not notice."""
    prompt = Metharme().spell(START, [Turn(None, "user", "Start!")])
    memory, vocab = engine.sequence.token_cache, engine.model.vocab
    cue, respelled = memory.parts(prompt.segments)[-1], 0
    for seed in range(8):
        text = "".join(engine.generate(Window(prompt, 0, 0, 512), Sampling(seed=seed, max_tokens=30)))
        if "\ufffd" not in text and text == text.strip():
            reply = Segment("<|model|>", text)
            segments = (*prompt.segments[:-1], reply)
            ids = memory.parts(segments)[-1]
            assert ids == (*cue, *(token for token, _ in memory.sampled))
            spelled = TokenCache(vocab.encode, vocab.piece, Borders(vocab.encode, {})).parts(segments)
            respelled += spelled[-1] != ids
    assert respelled


@pytest.mark.parametrize(
    ("mark", "begins"),
    [("<s>[INST] ", [1, "▁["]), ("[INST] ", [1, "▁["]), ("<s></s>x", [1, 2]), ("<unk>", [1, 0]), ("x", [1, "▁x"])],
)
def test_a_prompt_begins_with_one_begin_token_and_a_space_before_text_alone(
    engine: LlamaEngine, pieces: sentencepiece.SentencePieceProcessor, mark: str, begins: list[int | str]
) -> None:
    ids = engine.follow(Window(Prompt((Segment(mark, "hi"),), (), ()), 0, 0, 512))
    wanted = [part if isinstance(part, int) else pieces.piece_to_id(part) for part in begins]
    assert ids[: len(wanted)] == wanted and ids.count(1) == 1


def test_a_reply_ends_as_the_tokenizer_has_it_with_what_follows(engine: LlamaEngine) -> None:
    """Its first piece begins with a blank, as it was sampled, and its last ones merge with the next mark."""
    memory, vocab = engine.sequence.token_cache, engine.model.vocab
    start = Metharme().spell(START, [Turn(None, "user", "Start!")])
    engine.follow(Window(start, 0, 0, 512))
    memory.begin(start.segments)
    ids = vocab.plain(' He says "></')  # `></` is one piece of this vocabulary, `><` and `"></` are others
    memory.sampled += [(token, vocab.piece(token)) for token in ids]
    told = [Turn(None, "user", "Start!"), Turn(0, "model", 'He says "></'), Turn(1, "user", "Go.")]
    engine.count(Metharme().spell(START, told[:2]).blocks[-1][-1])  # remembered before the next line is there
    memory.begin(start.segments)
    reply = memory.parts(Metharme().spell(START, told).segments)[2]
    assert reply == (*vocab.plain("|model|>"), *vocab.plain(' He says "></<'))
    copy = TokenCache(vocab.encode, vocab.piece, Borders(vocab.encode, {}))
    copy.stored = memory.stores(Metharme().spell(START, told).segments)
    assert copy.parts(Metharme().spell(START, told).segments)[2] == reply
