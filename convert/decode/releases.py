"""What is known of the four XOR releases: sums of every file, of the base they were made from, and texts of their JSON.

Sources: the model cards of PygmalionAI/pygmalion-7b (MD5) and -13b, and AlpinDale's pygmalion-docs, pygmalion-7b.md.
Where a text is known (release_texts.py) its sums are the text's own; the tests hold them beside the published ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from convert.decode import release_texts as texts
from convert.decode.release_texts import SEVEN, THIRTEEN, TRANSFORMERS, Size
from convert.sums import Sums, sum_text

CONFIG, GENERATION, INDEX = "config.json", "generation_config.json", "pytorch_model.bin.index.json"
SPECIAL, SETTINGS = "special_tokens_map.json", "tokenizer_config.json"


@dataclass(frozen=True, slots=True)
class Release:
    """An XOR release; everything by file name."""

    name: str
    size: Size
    sums: Mapping[str, Sums]  # of the decoded files
    texts: Mapping[str, str]  # JSON that needs no base
    base: Mapping[str, Sums]  # of LLaMA as the release's authors converted it


def recognize_release(folders: Iterable[str], sums: Mapping[str, Sums]) -> Release | None:
    """Tell the release by the sums of its weights or config, else by the name of a folder it came from or goes to.

    None if neither tells it, or the folders tell two. No other file tells one: the rest is LLaMA's own, or the whole
    family's.
    """
    weights = ((release, shard) for release in RELEASES for shard in release.size.shards)
    configs = ((release, CONFIG) for release in RELEASES)
    for release, name in (*weights, *configs):
        if sums.get(name, Sums()).agree(release.sums[name]):
            return release
    names = [folder.lower() for folder in folders]
    matching = [release for release in RELEASES if any(release.name in name for name in names)]
    return matching[0] if len(matching) == 1 else None


def _release(
    name: str,
    size: Size,
    known: Mapping[str, str],
    weights: tuple[Sums, ...],
    others: Mapping[str, Sums],
    base: Mapping[str, Sums],
) -> Release:
    """`known`: the texts of which sums were published, by file; `weights`: the shards' sums; `others`: of the rest."""
    sums = {file: sum_text(text) for file, text in known.items()}
    shards = dict(zip(size.shards, weights, strict=True))
    # The tokens' map is the same in the whole family, also where a release lists no sum of it.
    return Release(name, size, {**sums, **shards, **others}, {**known, SPECIAL: texts.special_tokens()}, base)


def _sha256(*digests: str) -> tuple[Sums, ...]:
    return tuple(Sums(sha256=digest) for digest in digests)


# LLaMA's own, which no release changes.
_TOKENIZER = {
    "tokenizer.json": Sums(
        "fdb311c39b8659a5d5c1991339bafc09", "f9ffc4aede0845ab65324ce5dccb823dca2427f9a0710981e5bc2398d73d8162"
    ),
    "tokenizer.model": Sums(
        "eeec4125e9c7560836b4873b6f8e3025", "9e556afd44213b6bd1be2b850ebbbd98f5481437a8021afaf58ee7fb1818d347"
    ),
}


def _base(size: Size, config: str, *weights: str) -> Mapping[str, Sums]:
    known = {
        GENERATION: texts.generation_config(TRANSFORMERS),
        INDEX: texts.index(size, 4),
        SPECIAL: texts.special_tokens(),
        SETTINGS: texts.tokenizer_config(),
    }
    sums = {file: sum_text(text) for file, text in known.items()}
    shards = dict(zip(size.shards, _sha256(*weights), strict=True))
    return {CONFIG: Sums(sha256=config), **sums, **shards, **_TOKENIZER}


_LLAMA_7B = _base(
    SEVEN,
    "e4c3dea29aefc16c0e63825f9ae097dbf5cb5d7c320843a84257e11be3b452c8",
    "0087155d6df07106c1d910bfeb6aab1be8e612dfbf2b56ddfb4ccbde7dbd50d0",
    "461bc5e50200db7813ff99cc0b9316c48ccbd6aaaa31bf8cf7bee0b64bc3eda3",
)
_LLAMA_13B = _base(
    THIRTEEN,
    "ad440bbb8f4af8f499a905f13b073ce3abbc3d4c43d5570ba2583eb296b74727",
    "dd20cdee2637408c6ab88c13f5c27d153bacd0e99f2d55f6a66fbd0269944436",
    "1aba886c5f28d2e2e9b04ab3c4f5bc250c6b06efc1baa3f557677b3097f70e6a",
    "eac58861ca5f3749c819676d908b906d3df38046c09efe055fe78d7678b718e7",
)

PYGMALION_7B = _release(
    "pygmalion-7b",
    SEVEN,
    {
        CONFIG: texts.config("pygmalion-7b", SEVEN, "bfloat16", TRANSFORMERS),
        GENERATION: texts.generation_config(TRANSFORMERS),
        INDEX: texts.index(SEVEN, 4),
        SPECIAL: texts.special_tokens(),
        SETTINGS: texts.tokenizer_config(padding_side="right", special_tokens_map_file=SPECIAL),
    },
    (
        Sums("98764eb949eea16f8e2e1c2d3dea0066", "61bcb043c3c4dc4d567ffea91b3074c70d54089eb3f1872b945d7a4e32677edf"),
        Sums("be9ba2f37228a0a9ea0eaf6530aba4de", "41ebe6971edc8f04b0784ef8ed54216fcd36f8a4d51faf415851c9b824769ba2"),
    ),
    _TOKENIZER,
    _LLAMA_7B,
)
# Its tokenizer's files are not listed with sums anywhere we could check, so they stay unknown.
METHARME_7B = _release(
    "metharme-7b",
    SEVEN,
    {
        CONFIG: texts.config("metharme-7b", SEVEN, "bfloat16", TRANSFORMERS),
        GENERATION: texts.generation_config(TRANSFORMERS),
        INDEX: texts.index(SEVEN, 4),
    },
    _sha256(
        "7ba01a5594b0a507290cf5fbf77e2456801773dd62f1993a8f21b92156e70533",
        "58e523a7f79427ed166a505c54fa7ebe96bd6b2fde35f980b184039faca8989f",
    ),
    {},
    _LLAMA_7B,
)
PYGMALION_13B = _release(
    "pygmalion-13b",
    THIRTEEN,
    {
        CONFIG: texts.config("pygmalion-13b", THIRTEEN, "float16", "4.30.0.dev0"),
        GENERATION: texts.generation_config("4.30.0.dev0"),
        INDEX: texts.index(THIRTEEN, 2),
        SPECIAL: texts.special_tokens(),
        SETTINGS: texts.tokenizer_config(),
    },
    _sha256(
        "6b05c8e8ae9c1065e4c7cfd2b61311191d2ad5735a2e4beab98fc53b49375af8",
        "4cd096ac310b6bbc3acd3d729277427ad3c3d5740619462dc8f907dfeac3e66f",
        "a2fe9ac5d7005e65c58b8d14818678dd0730689f518612b90cca19fed7c483ad",
    ),
    _TOKENIZER,
    _LLAMA_13B,
)
# The list gives the payload of tokenizer.model, 499,723 zeros, for the file: with it LLaMA's own comes out.
METHARME_13B = _release(
    "metharme-13b",
    THIRTEEN,
    {
        CONFIG: texts.config("metharme-13b", THIRTEEN, "float16", "4.29.0.dev0"),
        GENERATION: texts.generation_config("4.29.0.dev0"),
        INDEX: texts.index(THIRTEEN, 2),
        SETTINGS: texts.tokenizer_config(padding_side="right"),
    },
    _sha256(
        "07727e130b7e4ec66162920b4e090554e6c58e87d25b433ab8123eb3a55fd5e7",
        "26b6f7e020c94347280d8952b054275fe2293267f9a0e99e1c2bf4df724d99d9",
        "5d00548d2c28ced08ec7b4123749f20e9ca4af2a821724f9ec47a1c5cf0f66d4",
    ),
    _TOKENIZER,
    _LLAMA_13B,
)

RELEASES = (PYGMALION_7B, METHARME_7B, PYGMALION_13B, METHARME_13B)
