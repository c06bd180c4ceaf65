"""What a model needs for so many players: the examples of Llama-2 13B and 70B, worked out by hand."""

import json
from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.cli.size import shape_of
from advrepl.tuning.sizing import GB, HOST_BYTES, Device, ModelShape, folder_shape, read_device, size, this_device

LLAMA_13B = ModelShape("13B", 7.9 * GB, 13e9, 40, 40, 128, 4096)
LLAMA_70B = ModelShape("70B", 138 * GB, 69e9, 80, 8, 128, 4096)


def test_a_13b_on_a_desktop() -> None:
    found = size(LLAMA_13B, 1, 4096, [Device(32 * GB, 80 * GB)])
    assert LLAMA_13B.cache_a_token == 819_200
    assert found.cache_a_player == pytest.approx(3.36 * GB, rel=0.01)
    assert found.needed == pytest.approx(12.76 * GB, rel=0.01)
    assert found.each == pytest.approx(4.6, abs=0.1)  # (7.9 + 3.36) GB at 80 GB/s, 65 % of it
    assert found.slide is None


def test_a_13b_on_a_card_of_24_gb() -> None:
    found = size(LLAMA_13B, 4, 4096, [read_device("24:936:71")])
    assert found.players_that_fit == 4
    assert size(LLAMA_13B, 1, 4096, [read_device("24:936:71")]).each == pytest.approx(54, abs=1)
    assert found.all_together == pytest.approx(4 * found.each)


def test_a_70b_on_four_cards_in_tensor_parallel() -> None:
    cards = [read_device("80:3350:100")] * 4
    found = size(LLAMA_70B, 16, 4096, cards, parallel=True)
    assert found.players_that_fit == pytest.approx(131, abs=1)
    assert found.each == pytest.approx(0.65 * 84, abs=2)
    assert found.slide == pytest.approx(4096 * 2 * 69e9 / 400e12)
    one_after_the_other = size(LLAMA_70B, 16, 4096, cards)
    assert one_after_the_other.each == pytest.approx(found.each / 4)
    assert one_after_the_other.slide == pytest.approx(4 * (found.slide or 0))


@pytest.mark.parametrize(
    ("tokens", "slots", "taken"),
    [(4096, 1, 239_259_648), (4096, 4, 514_768_896)],
)
def test_a_small_model_on_this_machine_takes_what_a_llama_server_took(
    tokens: int, slots: int, taken: int, smollm2: Path
) -> None:
    """`VmRSS` of llama-server 0c1e570 with SmolLM2 and -b 256, after a prompt of 1,500 tokens."""
    found = size(shape_of(smollm2), slots, tokens, [Device(8 * GB, 10 * GB, beside=HOST_BYTES)])
    assert found.needed == pytest.approx(taken, rel=0.15)


@pytest.mark.parametrize("text", ["", "24", "24:x", "0:900", "-1:900", "24:inf", "24:900:nan"])
def test_what_is_no_card(text: str) -> None:
    with pytest.raises(AdvreplError, match="a card is GB:GB/s or GB:GB/s:TFLOPS"):
        read_device(text)


def test_the_header_of_a_file_and_of_a_folder(smollm2: Path, tmp_path: Path) -> None:
    shape = shape_of(smollm2)
    assert (shape.layers, shape.kv_heads, shape.head_width, shape.context) == (30, 3, 64, 8192)
    assert shape.cache_a_token == 2 * 30 * 3 * 64 * 2
    assert shape.parameters == 134_515_008
    config = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert folder_shape(tmp_path, 69_000_000_000).cache_a_token == LLAMA_70B.cache_a_token
    for said in ("{}", '{"head_dim": "x", "num_key_value_heads": [], "num_hidden_layers": 2}'):
        (tmp_path / "config.json").write_text(said)
        with pytest.raises(AdvreplError, match="does not say how large its cache is"):
            folder_shape(tmp_path, 1)
    for said in ("[]", '{"a":' * 100_000):
        (tmp_path / "config.json").write_text(said)
        with pytest.raises(AdvreplError, match=r"config\.json cannot be read"):
            folder_shape(tmp_path, 1)


def test_this_machine_is_measured() -> None:
    found = this_device()
    assert 0.1 * GB < found.bandwidth < 10_000 * GB
    assert found.flops > 1e9
    assert found.beside == HOST_BYTES
