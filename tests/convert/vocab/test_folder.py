"""Which of a folder's tokenizers is read, its chat template, and files that are damaged."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convert import ConvertError
from convert.vocab.folder import read_vocab
from tests import tiny
from tests.convert.vocab.texts import column


def test_the_chat_template_is_carried_over(tmp_path: Path) -> None:
    tiny.write_tokenizer(tmp_path)
    several = [
        1,
        {"name": []},
        {"name": "tools", "template": "{{ no }}"},
        {"name": "default", "template": "{{ listed }}"},
    ]
    for written, expected in (("{{ plain }}", "{{ plain }}"), (several, "{{ listed }}")):
        tiny.write_json(tmp_path / "tokenizer_config.json", {"chat_template": written})
        assert read_vocab(tmp_path, 320)["tokenizer.chat_template"] == expected
    (tmp_path / "chat_template.jinja").write_text("{{ newer }}")
    assert read_vocab(tmp_path, 320)["tokenizer.chat_template"] == "{{ newer }}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_tokenizer_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Any value of the three JSON files, at any depth, replaced by anything."""
    tiny.write_tokenizer(tmp_path)
    tiny.write_json(tmp_path / "special_tokens_map.json", {"bos_token": {"content": "</s>"}})
    file = tmp_path / data.draw(st.sampled_from(["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]))
    value = json.loads(file.read_text())
    at, place = value, data.draw(st.sampled_from(sorted(value)))
    while isinstance(at[place], dict | list) and at[place] and data.draw(st.booleans()):
        at = at[place]
        place = data.draw(st.sampled_from(sorted(at)) if isinstance(at, dict) else st.integers(0, len(at) - 1))
    at[place] = data.draw(JSON)
    tiny.write_json(file, value)
    try:
        fields: dict[str, Any] = read_vocab(tmp_path, 320)
    except ConvertError:
        return
    assert len(column(fields, "tokens")) == len(column(fields, "token_type")) == 320


def test_no_tokenizer_and_a_broken_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"no tokenizer \(tokenizer.model, tokenizer.json, or vocab.json"):
        read_vocab(tmp_path, 10)
    (tmp_path / "tokenizer.model").write_bytes(bytes(1000))
    with pytest.raises(ConvertError, match="not a SentencePiece model; if the folder is an XOR release"):
        read_vocab(tmp_path, 10)
