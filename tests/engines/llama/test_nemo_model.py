"""A model built as Mistral-Nemo is, for Pygmalion-3 and Eleusis: converted, and played by what its files say."""

from pathlib import Path

import numpy as np

from advrepl.play import session
from advrepl.play.events import Reply
from advrepl.play.session import Settings
from tests import tiny
from tests.convert.converted import convert

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_pygmalion_3_converts_and_plays_in_its_own_format(tmp_path: Path) -> None:
    folder = tiny.nemo(tmp_path / "Pygmalion-3-12B")
    names = {"bos_token": "<|endoftext|>", "eos_token": "</s>", "chat_template": CHATML}
    tiny.write_json(folder / "tokenizer_config.json", names)
    file = convert(folder, tmp_path / "pygmalion-3-12b.gguf", "Q8_0").out
    assert np.isfinite(tiny.logits(file, tiny.tokens_of(20, tiny.ROWS))).all()
    chosen = Settings(model=str(file), saves=tmp_path, threads=1, ctx=512, sampling={"seed": 2, "max_tokens": 12})
    game = session.new_game("start", chosen, lambda notice: None)
    replies = [event for event in game.open() if isinstance(event, Reply)]
    assert game.format.name == "chat" and [len(set(reply.options)) for reply in replies] == [3]
    game.close()
