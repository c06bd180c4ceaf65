"""The wheel and the sdist: what is in them, and that the wheel plays outside of the checkout."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests import ROOT


def hatchling(source: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", *arguments]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


def test_the_wheel_has_all_that_the_program_reads_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"advrepl/py.typed", "convert/py.typed", "advrepl/saves/the-old-house.json"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    here = {str(path.relative_to(ROOT)) for room in ("advrepl", "convert") for path in (ROOT / room).rglob("*.py")}
    assert here <= set(names)
    data = {f"advrepl/cards/characters/{name}.json" for name in ("brindle", "captain-okoro", "halcyon")}
    assert data | {"convert/quantize/calibration.txt"} <= set(names)
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"advrepl", "convert"}


def test_its_metadata_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith("METADATA"))
    said = archive.read(name).decode().partition("\n\n")[0].split("\n")
    for line in ("Name: advrepl", "License-Expression: MIT", "License-File: LICENSE", "Requires-Python: >=3.11"):
        assert line in said
    assert any(line.startswith("Author: ") for line in said)


def test_the_sdist_builds_the_same_wheel(built: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    hatchling(source, "-t", "wheel", "-d", str(tmp_path))
    again = zipfile.ZipFile(next(tmp_path.glob("*.whl")))
    assert sorted(again.namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_plays_outside_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """In an environment that has its dependencies, but neither the checkout nor what is installed from it."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {"PATH": os.environ["PATH"], "ADVREPL_HOME": str(tmp_path), "LANG": "C.UTF-8"}
    paths = [str(site), sysconfig.get_path("purelib")]
    code = f"import sys; sys.path[:0] = {paths}; from advrepl.cli import main; main()"

    def run(*arguments: str, lines: str = "") -> str:
        command = [sys.executable, "-I", "-S", "-c", code, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, input=lines, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").startswith("advrepl ")
    assert "> Start!" in run("saves", "show", "the-old-house", "--saves", str(site / "advrepl" / "saves"))
    assert "abandoned house" in run("play", "start", "--threads", "1", "--ctx", "256", lines="/quit\n")


def test_the_first_make_shows_how_far_llama_cpp_is_compiled() -> None:
    log = "Collecting numpy==2.1\n  [1/3] Building x\n  [47/188] Building CXX object a.o\nSuccessfully installed x\n"
    command = [sys.executable, str(ROOT / "requirements" / "progress.py")]
    shown = subprocess.run(command, input=log.encode(), capture_output=True, check=True).stdout.decode()
    assert [line.rstrip() for line in shown.split("\r")] == [
        "",
        "installing numpy",
        "compiling llama.cpp: 47 of 188 files, 25%, about 0:00 left",
        "installed",
    ]
