import json

import pytest

from convert.decode.releases import METHARME_7B, PYGMALION_7B, RELEASES, SHARDS, Release, recognize_release
from convert.sums import Sums, sum_text

# The list on the model card of Pygmalion 7B (`rhash -M *`), as far as the files can be rebuilt.
CARD = {
    "config.json": "4608facb4910118f8dfa80f090cbc4dc",
    "generation_config.json": "2917a1cafb895cf57e746cfd7696bfe5",
    "pytorch_model.bin.index.json": "81648ef3915ed2e83d49fed93122d53e",
    "special_tokens_map.json": "6b2e0a735969660e720c27061ef3f3d3",
    "tokenizer_config.json": "9b3cf7b8c0e4783dbc1419b4cafe8e1e",
}
# pygmalion-docs, pygmalion-7b.md, "Merged Pygmalion-7B weights", and the base's own generation_config.json.
DOCS = {
    "generation_config.json": "fd7ff399e5568cc21a0a8414f43df88ef7c424995b9b97a90563165d2cf79efd",
    "pytorch_model.bin.index.json": "aca3c1facc89d12311a667c32e85ac86e625990992ea8a189e3b036ba371b931",
    "special_tokens_map.json": "ff3b4a612c4e447acb02d40071bddd989fe0da87eb5b7fe0dbadfc4f74de7531",
    "tokenizer_config.json": "9e7aa7d0f67f207036d981d7bbabfbf4b521c4c089c0280fcc08ef9c732634b5",
}


@pytest.mark.parametrize("name", CARD)
def test_every_rebuilt_text_has_the_sum_on_the_card(name: str) -> None:
    assert sum_text(PYGMALION_7B.texts[name]).md5 == CARD[name] == PYGMALION_7B.sums[name].md5


@pytest.mark.parametrize("name", DOCS)
def test_every_rebuilt_text_has_the_published_sha256(name: str) -> None:
    assert sum_text(PYGMALION_7B.texts[name]).sha256 == DOCS[name]


def test_metharmes_config_has_its_published_sum() -> None:
    assert sum_text(METHARME_7B.texts["config.json"]).md5 == "4ad1977f59098f1b9dd022684f70e3d8"
    assert json.loads(METHARME_7B.texts["config.json"])["badwordsids"] == [[0]]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_built_in_sums_are_well_formed_and_agree_with_the_texts(release: Release) -> None:
    for sums in [*release.sums.values(), *release.base.values()]:
        assert len(sums.md5 or "0" * 32) == 32
        assert len(sums.sha256 or "0" * 64) == 64
    for name, text in release.texts.items():
        json.loads(text)
        assert sum_text(text).agree(release.sums.get(name, Sums())) in (True, None)


def test_every_tensor_of_the_index_is_in_the_shard_of_its_layer() -> None:
    index = json.loads(PYGMALION_7B.texts["pytorch_model.bin.index.json"])
    assert len(index["weight_map"]) == 3 + 32 * 10
    assert index["metadata"]["total_size"] == 13_476_839_424


def test_a_release_is_told_by_its_folder() -> None:
    assert recognize_release(["xor_encoded_files", "Metharme-7B"], {}) is METHARME_7B
    assert recognize_release(["models--PygmalionAI--pygmalion-7b"], {}) is PYGMALION_7B
    assert recognize_release(["llama"], {}) is None
    assert recognize_release(["pygmalion-7b", "metharme-7b"], {}) is None


def test_sums_tell_the_release_whatever_the_folder_says() -> None:
    config = {"config.json": METHARME_7B.sums["config.json"]}
    assert recognize_release(["pygmalion-7b"], config) is METHARME_7B
    shared = {"generation_config.json": METHARME_7B.sums["generation_config.json"]}
    assert recognize_release(["pygmalion-7b"], shared) is PYGMALION_7B
    assert recognize_release([], shared) is None


@pytest.mark.parametrize("name", sorted(PYGMALION_7B.texts.keys() | {"tokenizer.json", "tokenizer.model"}))
def test_files_that_llama_brings_tell_no_release(name: str) -> None:
    """Metharme's tokenizer is LLaMA's own as well, only that no list names its sums."""
    told = recognize_release(["downloads"], {name: PYGMALION_7B.sums[name]})
    assert told is (PYGMALION_7B if name == "config.json" else None)


def test_the_weights_go_before_the_config() -> None:
    mixed = {"config.json": PYGMALION_7B.sums["config.json"], SHARDS[1]: METHARME_7B.sums[SHARDS[1]]}
    assert recognize_release([], mixed) is METHARME_7B
