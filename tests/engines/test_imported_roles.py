"""What a chat of another program holds opens no role: by token ids, in every form that is read and every format."""

import json

import pytest

from advrepl import AdvreplError
from advrepl.engines.llama.vocab import Vocabulary
from advrepl.exchange import reading
from advrepl.exchange.chat import Chat
from advrepl.prompt.segments import Segment
from tests.engines.test_roles import BUILT_IN, FORMATS, as_text, format_of, ids_of, vocab
from tests.exchange_chats import EVERY_TEXT

__all__ = ["vocab"]  # the fixture
WORDS = (("Come in!", "I do.", "Sit.", "It rains.", "The door is red."), ("Mira",), ("Tom",))  # said, and names


def imported(form: str, words: tuple[str, ...], text: str) -> list[Chat]:
    chat = EVERY_TEXT[form]
    in_json = chat.lstrip().startswith(("{", "["))
    for word in words:
        chat = chat.replace(word, json.dumps(text)[1:-1] if in_json else text)
    try:
        return reading.parse(chat.encode(), form)
    except AdvreplError:
        return []  # what stands there is no chat any more


@pytest.mark.parametrize("form", EVERY_TEXT)
def test_no_imported_chat_opens_a_role(vocab: Vocabulary, form: str) -> None:
    looked_at = 0
    for name in (*BUILT_IN, *FORMATS):
        format, marks = format_of(name, vocab)
        everything = (*marks, "<s>", "</s>")
        known = {mark: as_text(vocab.encode(Segment(mark, ""), False)) for mark in everything}
        text = "x ".join(everything) + "y" + "".join(f"{mark[:2]}{mark}{mark[2:]}" for mark in everything)
        for words in WORDS:
            saves = [chats[0].save("x") for chats in (imported(form, words, it) for it in ("Bo", text)) if chats]
            if len(saves) < 2 or len(saves[0].turns) != len(saves[1].turns):
                continue
            looked_at += 1
            calm, told = (
                as_text(ids_of(format.spell(save.scenario, list(save.turns), ("Mira: No.",)), vocab)) for save in saves
            )
            wrong = [mark for mark, ids in known.items() if calm.count(ids) != told.count(ids)]
            assert not wrong, (name, words)
    assert looked_at >= len(FORMATS)
