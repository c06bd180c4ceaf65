"""docs/design.md tells the truth: what it names is there."""

import ast
import re
from pathlib import Path

import pytest

from tests import ROOT, SOURCES

DESIGN = (ROOT / "docs" / "design.md").read_text()
PLACES = (ROOT, ROOT / "advrepl")
ROOMS = {path.name for path in (ROOT / "advrepl").iterdir() if path.is_dir()}
PATH = re.compile(r"[\w./-]+\.(?:py|md|toml|txt|json)|[\w./-]+/")


def rows(heading: str) -> list[str]:
    """The lines of the first table below a heading, without its head."""
    section = DESIGN.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.split("\n") if line.startswith("| ")][1:]


def named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def found(name: str) -> Path | None:
    return next((place / name for place in PLACES if (place / name).exists()), None)


def defined(path: Path) -> set[str]:
    """Everything a module defines, fields, methods and arguments included."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    names: set[str] = set()
    for node in (node for file in files if file.suffix == ".py" for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    return names


@pytest.mark.parametrize("row", rows("Where to change what"))
def test_a_row_names_files_that_are_there_and_what_they_define(row: str) -> None:
    paths = [name for name in named(row) if PATH.fullmatch(name)]
    assert paths, "the row names no file"
    missing = [name for name in paths if not found(name)]
    assert not missing
    known = set[str]().union(*(defined(path) for name in paths if (path := found(name))))
    words = [name for name in named(row) if re.fullmatch(r"[A-Za-z_]\w+", name)]
    unknown = [word for word in words if word not in known]
    assert not unknown


@pytest.mark.parametrize("row", rows("Glossary"))
def test_a_term_of_the_glossary_is_in_the_code(row: str) -> None:
    _, _, _, place, *_ = row.split("|")
    for name in named(place):
        module, _, attribute = name.partition(":")
        path = found(module)
        assert path, f"{module} is not there"
        assert not attribute or set(attribute.split(".")) <= defined(path), f"{module} does not define {attribute}"


@pytest.mark.parametrize("name", sorted({name for name in named(DESIGN) if PATH.fullmatch(name) and "/" in name}))
def test_every_path_is_there(name: str) -> None:
    assert found(name) or name.split("/")[0] not in ("advrepl", "convert", "tests", "docs", *ROOMS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_names_only_modules_that_are_there(path: Path) -> None:
    """Most say in their first lines what they do not do, and which module does."""
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    known = [f"/{source.relative_to(ROOT)}" for source in SOURCES]
    names = re.findall(r"\b[\w/]+\.py\b", said)
    assert [name for name in names if not any(module.endswith(f"/{name}") for module in known)] == []
