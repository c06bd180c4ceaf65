"""What pyproject.toml names is what is imported, and what the lock installs."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
GROUPS = PYPROJECT["dependency-groups"]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
# Where the name of an import is not the distribution's.
IMPORTS = {
    "card-forge": "forge",
    "llama-cpp-python": "llama_cpp",
    "pillow": "PIL",
    "pyahocorasick": "ahocorasick",
    "pyyaml": "yaml",
}
OURS = {"advrepl", "convert", "tests"}


def declared(*requirements: list[str]) -> set[str]:
    """Name what is imported when these are installed."""
    names = (Requirement(text).name for text in chain(*requirements))
    return {IMPORTS.get(name, name.replace("-", "_")) for name in names}


def imported(files: Iterable[Path]) -> set[str]:
    """Name the packages of others that `files` import, in functions too."""
    found = chain.from_iterable(map(modules, files))
    return {name.partition(".")[0] for name in found} - OURS - sys.stdlib_module_names


def sources(*folders: str) -> set[Path]:
    return set(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in folders))


def modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


RUNS = declared(PYPROJECT["project"]["dependencies"])
MORE = declared(*(names for extra, names in EXTRAS.items() if extra not in ("test", "check")))
PLAYS = RUNS | MORE


def test_every_import_of_the_program_is_declared_and_nothing_else() -> None:
    assert imported(sources("advrepl", "convert")) == PLAYS


def test_extras_hold_nothing_that_is_installed_anyway() -> None:
    assert not RUNS & MORE


def test_every_import_of_the_tests_is_declared_and_nothing_else() -> None:
    live, test = sources("tests/parity", "tests/golden"), declared(EXTRAS["test"])
    live.add(ROOT / "tests" / "servers" / "folder.py")
    assert imported(live) <= RUNS | test | declared(EXTRAS["hf"])  # what `make parity` and vLLM install
    elsewhere = {ROOT / "tests" / "sillytavern" / "cards_elsewhere.py"}  # what `make sillytavern` installs
    assert imported(elsewhere) == declared((ROOT / "tests" / "sillytavern" / "packages.txt").read_text().split())
    used = imported(sources("tests") - live - elsewhere)
    assert used <= RUNS | test
    assert test - used == {"pytest_xdist"}  # a plugin of pytest, which `make test` calls for


def test_the_oldest_transformers_that_is_tested_is_the_oldest_that_is_allowed() -> None:
    (oldest,) = GROUPS["lowest"]
    assert oldest.removesuffix(".0").replace("==", ">=") in EXTRAS["hf"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_exact_versions_hashes_and_no_place(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", lock.read_text(), flags=re.M))
    for entry in filter(None, entries):
        assert re.match(r"[\w.-]+==\S+ [^\n]*\\\n +--hash=sha256:[0-9a-f]{64}", entry), entry[:80]
    assert "://" not in lock.read_text()
    assert "--index" not in lock.read_text()


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("play", [*PYPROJECT["project"]["dependencies"], *GROUPS["starter"]]),
        ("test", [*EXTRAS["test"], *EXTRAS["check"], *GROUPS["tokenizer"]]),
        ("build", [*PYPROJECT["build-system"]["requires"], *GROUPS["build"]]),
        ("parity", [*EXTRAS["test"], *EXTRAS["hf"]]),
        ("parity-lowest", [*EXTRAS["test"], *GROUPS["lowest"]]),
    ],
)
def test_a_lock_has_what_pyproject_names(lock: str, requirements: list[str]) -> None:
    """Where this fails, `make lock UPGRADE=` brings what pyproject.toml newly asks for. Torch is in no lock."""
    locked = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / f"requirements/{lock}.txt").read_text(), flags=re.M)
    for requirement in map(Requirement, requirements):
        versions = {version for name, version in locked if name == canonicalize_name(requirement.name)}
        assert versions or requirement.name == "torch", requirement
        assert all(map(requirement.specifier.contains, versions)), requirement
