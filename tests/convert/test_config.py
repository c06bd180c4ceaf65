"""Values of config.json: of the right kind, or an error that names them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convert import ConvertError
from convert.config import Config, read_config, read_object, read_object_if_there

CONFIG = Config({"n": 3, "x": 0.5, "yes": True, "name": "silu", "none": None, "rope": {"factor": 2.0}})


def test_values_are_handed_out_with_defaults_for_what_is_null_or_not_there() -> None:
    assert (CONFIG.integer("n"), CONFIG.integer("none", 7), CONFIG.integer("gone", 7)) == (3, 7, 7)
    assert (CONFIG.number("x"), CONFIG.number("n"), CONFIG.number("none", 1.5)) == (0.5, 3.0, 1.5)
    assert (CONFIG.boolean("yes", False), CONFIG.boolean("gone", False)) == (True, False)
    assert (CONFIG.string("name"), CONFIG.one_of("gone", ("gelu", "silu"))) == ("silu", "gelu")
    assert CONFIG.object("rope").number("factor") == 2.0 and CONFIG.object("gone").values == {}


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda c: c.integer("gone"), "config.json: 'gone' is missing, and the model cannot be built without it"),
        (lambda c: c.integer("yes"), "config.json: 'yes' is True, expected a whole number above 0"),
        (lambda c: c.integer("x"), "config.json: 'x' is 0.5, expected a whole number above 0"),
        (lambda c: c.number("name"), "config.json: 'name' is 'silu', expected a number above 0"),
        (lambda c: c.boolean("n", True), "config.json: 'n' is 3, expected true or false"),
        (lambda c: c.string("n"), "config.json: 'n' is 3, expected a string"),
        (lambda c: c.one_of("name", ("gelu",)), "config.json: name 'silu' cannot be expressed in GGUF, only gelu"),
        (lambda c: c.object("n"), "config.json: 'n' is 3, expected an object"),
        (lambda c: c.object("rope").integer("gone"), "config.json: rope: 'gone' is missing"),
    ],
)
def test_a_value_of_another_kind_is_named(ask: Callable[[Config], Any], sentence: str) -> None:
    with pytest.raises(ConvertError) as caught:
        ask(CONFIG)
    assert str(caught.value).startswith(sentence)


def test_files_are_read_or_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    assert read_object_if_there(file) == {}
    with pytest.raises(ConvertError, match=r"config.json: not found; is .* a Hugging Face model folder\?"):
        read_config(tmp_path)
    for raw, sentence in (
        (b"\x93\x01", r"is not readable as JSON .*; if the folder is an XOR release, run advrepl decode first"),
        (b"[1]", "holds a JSON list where an object is expected"),
    ):
        file.write_bytes(raw)
        with pytest.raises(ConvertError, match=sentence):
            read_object(file)
    file.write_text('{"n": 5}')
    assert read_config(tmp_path).integer("n") == 5
