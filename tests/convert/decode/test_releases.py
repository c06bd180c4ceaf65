import json

import pytest

from convert.decode.release_texts import SEVEN, THIRTEEN
from convert.decode.releases import (
    METHARME_7B,
    METHARME_13B,
    PYGMALION_7B,
    PYGMALION_13B,
    RELEASES,
    Release,
    recognize_release,
)
from convert.sums import Sums, sum_text

SPECIAL = "ff3b4a612c4e447acb02d40071bddd989fe0da87eb5b7fe0dbadfc4f74de7531"
# What was published of the files that can be rebuilt, by release: on the card of Pygmalion 7B (MD5) and of 13B, in
# pygmalion-docs (pygmalion-7b.md) for the others and both bases, and the sum of Metharme 7B's config in its repository.
PUBLISHED = {
    "pygmalion-7b": {
        "config.json": "4608facb4910118f8dfa80f090cbc4dc",
        "generation_config.json": "2917a1cafb895cf57e746cfd7696bfe5",
        "pytorch_model.bin.index.json": "81648ef3915ed2e83d49fed93122d53e",
        "special_tokens_map.json": "6b2e0a735969660e720c27061ef3f3d3",
        "tokenizer_config.json": "9b3cf7b8c0e4783dbc1419b4cafe8e1e",
    },
    "metharme-7b": {"config.json": "4ad1977f59098f1b9dd022684f70e3d8"},
    "pygmalion-13b": {
        "config.json": "3b12e6740652990ac386b6136119aaca698aa547d9460e1ef243a7d17d489fe3",
        "generation_config.json": "e14c4af01ea4febe3448d9db29c6dbd982966c5161a31c5185b8fe6d6796509a",
        "pytorch_model.bin.index.json": "72e91e29282dae48ea5562fcf4d6ca0d5a9c2a30ebc8d67174a19e192552a20b",
        "special_tokens_map.json": SPECIAL,
        "tokenizer_config.json": "380608719f3af6ef2b343e2ed53bf55556678609337e88a14f58cc49177b9e18",
    },
    "metharme-13b": {
        "config.json": "be2c276865d1b0759257c0934275f05e02ee520657c2d8ebe3f2a2db1562949a",
        "generation_config.json": "a23652fc622a27b8863c39f524707796967095b2a85f334561b11422f71445a2",
        "pytorch_model.bin.index.json": "72e91e29282dae48ea5562fcf4d6ca0d5a9c2a30ebc8d67174a19e192552a20b",
        "tokenizer_config.json": "bd87e244d21d45c358e5d822aeb2efd4e4d60127e43b648ed3efe7823fd35060",
    },
}
# pygmalion-docs, "Merged Pygmalion-7B weights".
DOCS = {
    "pytorch_model.bin.index.json": "aca3c1facc89d12311a667c32e85ac86e625990992ea8a189e3b036ba371b931",
    "special_tokens_map.json": SPECIAL,
    "tokenizer_config.json": "9e7aa7d0f67f207036d981d7bbabfbf4b521c4c089c0280fcc08ef9c732634b5",
}
# And "converted to HuggingFace format": the bases.
BASES = {
    "LLaMA-7B": {
        "generation_config.json": "fd7ff399e5568cc21a0a8414f43df88ef7c424995b9b97a90563165d2cf79efd",
        "pytorch_model.bin.index.json": "aca3c1facc89d12311a667c32e85ac86e625990992ea8a189e3b036ba371b931",
        "special_tokens_map.json": SPECIAL,
        "tokenizer_config.json": "380608719f3af6ef2b343e2ed53bf55556678609337e88a14f58cc49177b9e18",
    },
    "LLaMA-13B": {
        "generation_config.json": "fd7ff399e5568cc21a0a8414f43df88ef7c424995b9b97a90563165d2cf79efd",
        "pytorch_model.bin.index.json": "92c31ad5e853e9a6660e248871f9bd0cd273518de7ec12ca893e1b1078c10898",
        "tokenizer_config.json": "380608719f3af6ef2b343e2ed53bf55556678609337e88a14f58cc49177b9e18",
    },
}


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_rebuilt_text_has_its_published_sum(release: Release) -> None:
    for name, digest in PUBLISHED[release.name].items():
        found = sum_text(release.texts[name])
        assert digest in (found.md5, found.sha256), name
        assert release.sums[name].agree(found)


@pytest.mark.parametrize("name", DOCS)
def test_the_first_releases_texts_have_the_other_list_s_sums_too(name: str) -> None:
    assert sum_text(PYGMALION_7B.texts[name]).sha256 == DOCS[name]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_the_bases_texts_have_their_published_sums(release: Release) -> None:
    published = BASES[release.size.base]
    assert {name: release.base[name].sha256 for name in published} == published


def test_the_configs_keep_the_field_that_the_authors_added() -> None:
    assert all(json.loads(release.texts["config.json"])["badwordsids"] == [[0]] for release in RELEASES)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_built_in_sums_are_well_formed_and_agree_with_the_texts(release: Release) -> None:
    for sums in [*release.sums.values(), *release.base.values()]:
        assert len(sums.md5 or "0" * 32) == 32
        assert len(sums.sha256 or "0" * 64) == 64
    for name, text in release.texts.items():
        json.loads(text)
        assert sum_text(text).agree(release.sums.get(name, Sums())) in (True, None)


@pytest.mark.parametrize(
    ("release", "tensors", "size"),
    [(PYGMALION_7B, 3 + 32 * 10, 13_476_839_424), (METHARME_13B, 3 + 40 * 10, 26_031_733_760)],
)
def test_every_tensor_of_the_index_is_there(release: Release, tensors: int, size: int) -> None:
    index = json.loads(release.texts["pytorch_model.bin.index.json"])
    assert len(index["weight_map"]) == tensors and index["metadata"]["total_size"] == size
    assert set(index["weight_map"].values()) == set(release.size.shards)


def test_a_release_is_told_by_its_folder() -> None:
    assert recognize_release(["xor_encoded_files", "Metharme-7B"], {}) is METHARME_7B
    assert recognize_release(["models--PygmalionAI--pygmalion-7b"], {}) is PYGMALION_7B
    assert recognize_release(["pygmalion-13b"], {}) is PYGMALION_13B
    assert recognize_release(["metharme-13b-merged"], {}) is METHARME_13B
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
    mixed = {"config.json": PYGMALION_7B.sums["config.json"], SEVEN.shards[1]: METHARME_7B.sums[SEVEN.shards[1]]}
    assert recognize_release([], mixed) is METHARME_7B
    larger = {**mixed, THIRTEEN.shards[2]: METHARME_13B.sums[THIRTEEN.shards[2]]}
    del larger[SEVEN.shards[1]]
    assert recognize_release([], larger) is METHARME_13B
