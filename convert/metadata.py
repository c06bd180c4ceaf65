"""What a GGUF file says about itself: name, license, source, sums of the files it was made from.

Reads the model's README and names, no tensors. A README's header is read line by line, not as YAML: only plain
`key: value` pairs and lists of words are looked at. Knows no prompt formats: what tells them is given to the caller.
"""

import re
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import gguf
from gguf.metadata import Metadata

from advrepl import regular
from convert.config import read_object_if_there
from convert.sums import sum_file
from convert.vocab.table import PHI_3, PHI_3_TOKENS, STRIPS_RIGHT

LONGEST_README = 1 << 20  # bytes
LONGEST_TITLE = 120


def readme_of(folder: Path) -> str:
    """The folder's README.md; "" if it has none."""
    file = folder / "README.md"
    if not file.is_file():
        return ""
    with regular.opened(file) as opened:
        return opened.read(LONGEST_README).decode("utf-8", "replace")


def header(readme: str) -> dict[str, str | list[str]]:
    """The fields between two lines of dashes: `header("---\\nlicense: mit\\n---\\n") == {"license": "mit"}`."""
    match = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", readme, re.DOTALL)
    found: dict[str, str | list[str]] = {}
    key = ""
    for line in match[1].split("\n") if match else ():
        item = re.match(r"\s*- +(.+)", line)
        pair = re.match(r"(\w+):\s*(.*)", line)
        if item and key:
            known = found.get(key)
            found[key] = [*(known if isinstance(known, list) else []), _unquoted(item[1])]
        elif pair:
            key = pair[1]
            if inline := re.fullmatch(r"\[(.*)\]\s*", pair[2]):
                found[key] = [word for part in inline[1].split(",") if (word := _unquoted(part))]
            elif pair[2]:
                found[key] = _unquoted(pair[2])
    return found


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'")


def title(readme: str) -> str | None:
    """The first heading, in Markdown or HTML; None if there is none."""
    match = re.search(r"^# +(.+)$|<h1[^>]*>([^<]+)</h1>", readme, re.MULTILINE)
    return (match[1] or match[2]).strip()[:LONGEST_TITLE] if match else None


def describe(folder: Path, count: int) -> dict[str, Any]:
    """The general.* fields of the GGUF header; `count` is the number of weights."""
    readme = readme_of(folder)
    head = header(readme)
    name = title(readme) or _short_name(folder)
    *_, basename, finetune, version, size = Metadata.get_model_id_components(_short_name(folder), count)
    fields: dict[str, Any] = {
        "general.type": "model",
        "general.name": name,
        "general.size_label": size or gguf.size_label(count, 0, 0, 0),
        "general.quantization_version": 2,
        **_base_models(head.get("base_model", [])),
    }
    for key, value in (
        ("general.basename", basename),
        ("general.finetune", finetune),
        ("general.version", version),
        ("general.license", head.get("license")),
        ("general.license.name", head.get("license_name")),
        ("general.license.link", head.get("license_link")),
        ("general.source.url", _source(readme, {folder.resolve().name, name})),
    ):
        if isinstance(value, str) and value != "null":
            fields[key] = value
    for key in ("language", "tags"):
        words = head.get(key)
        if words and words != "null":
            fields["general.languages" if key == "language" else "general.tags"] = (
                [words] if isinstance(words, str) else words
            )
    return fields


def told_name(name: str, vocab: Mapping[str, Any]) -> str:
    """Return the model's name, without the hyphen by which llama.cpp takes its marks for Phi-3's unless they are so."""
    tokens = vocab["tokenizer.ggml.tokens"]
    if vocab.get(STRIPS_RIGHT) and all(token in tokens for token in PHI_3_TOKENS):
        return name
    return PHI_3.sub(r"\1 3", name)


def _base_models(told: str | list[str]) -> dict[str, Any]:
    """What the model was made from, as llama.cpp's converter writes it; what is no name on the hub is left out."""
    ids = [name for name in ([told] if isinstance(told, str) else told) if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name)]
    fields: dict[str, Any] = {"general.base_model.count": len(ids)} if ids else {}
    for number, name in enumerate(ids):
        organization, _, model = name.partition("/")
        fields |= {
            f"general.base_model.{number}.name": Metadata.id_to_title(model),
            f"general.base_model.{number}.organization": Metadata.id_to_title(organization),
            f"general.base_model.{number}.repo_url": f"https://huggingface.co/{name}",
        }
    return fields


def _short_name(folder: Path) -> str:
    """The name a checkpoint was saved under, unless it is somebody's path; else the folder's."""
    saved = read_object_if_there(folder / "config.json").get("_name_or_path")
    if isinstance(saved, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", saved):
        return saved.rpartition("/")[2]
    return folder.resolve().name


def _source(readme: str, names: Iterable[str]) -> str | None:
    """The model's own page, if the README links to it; links to other models are none."""
    wanted = {_plain(name) for name in names}
    for url in re.findall(r"https://huggingface\.co/[\w.-]+/[\w.-]+", readme):
        if _plain(url.rpartition("/")[2]) in wanted:
            return str(url).rstrip(".")
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def names_of(folder: Path) -> list[str]:
    """What the model is called: its folder, the name it was saved under, the title of its README if there is one."""
    return [folder.resolve().name, _short_name(folder), *filter(None, [title(readme_of(folder))])]


# Sums


def source_files(folder: Path, weights: Iterable[Path]) -> list[Path]:
    """The weights and what stands beside them that the result depends on."""
    small = ("config.json", "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
    gpt2 = ("vocab.json", "merges.txt", "added_tokens.json", "chat_template.jinja")
    return [*sorted(set(weights)), *(folder / name for name in (*small, *gpt2) if (folder / name).is_file())]


def placeholders(files: list[Path]) -> list[str]:
    """Stand-ins as long as a SHA-256 in hex, so that the header can be written before the files are summed."""
    return [f"{index:064d}" for index in range(len(files))]


def sums(files: list[Path], stop: threading.Event) -> list[str]:
    """SHA-256 of each file, in hex; raises CancelledError once `stop` is set.

    Runs beside the writer, which reads the same pages.
    """

    def check(*_: object) -> None:
        if stop.is_set():
            raise CancelledError

    return [str(sum_file(file, ["sha256"], check).sha256) for file in files]
