"""Modules import only from lower layers, and heavy libraries only where they belong."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT, SOURCES, architectures

LAYERS = [
    "",  # the leaves: AdvreplError, atomic, garbage, hints, machine, paths, program, scripts, thinking, workers
    "macros",
    "cards",
    "lore",
    "story",
    "exchange",
    "prompt",
    "sampling",
    "engines",
    "tuning",
    "play",
    "terminal",
    "cli",
]
LEAVES = ("advrepl.atomic", "advrepl.machine", "advrepl.regular")  # all that convert may import
ONLY_IN = {
    "llama_cpp": {
        "advrepl/engines/llama/",
        "advrepl/engines/catalog.py",
        "convert/quantize/__main__.py",
        "convert/quantize/collect.py",
        "convert/quantize/stream.py",
    },
    "gguf": {"convert/"},
    "httpx": {"advrepl/engines/remote/"},
    "torch": {"advrepl/engines/hf/"},
    "transformers": {"advrepl/engines/hf/"},
    "prompt_toolkit": {"advrepl/terminal/"},
    "PIL": {"advrepl/terminal/pictures.py"},
    "typer": {"advrepl/cli/"},
}


def imports(path: Path) -> list[str]:
    """The modules that a file imports, also as `from package import module`."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" if is_module(node, alias) else node.module for alias in node.names]
    return names


def is_module(node: ast.ImportFrom, alias: ast.alias) -> bool:
    place = ROOT / str(node.module).replace(".", "/") / alias.name
    return place.is_dir() or place.with_suffix(".py").is_file()


def layer(module: str) -> int:
    parts = module.split(".")
    return LAYERS.index(parts[1] if parts[1:] and parts[1] in LAYERS else "")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    relative = path.relative_to(ROOT)
    package, here = relative.parts[0], ".".join(relative.with_suffix("").parts)
    for name in imports(path):
        top = name.split(".")[0]
        if places := ONLY_IN.get(top):
            assert any(str(relative).startswith(place) for place in places), f"{relative} imports {name}"
        if package == "convert":
            assert top != "advrepl" or name in LEAVES, f"{relative} imports {name}"
        elif top == "advrepl" and relative.name != "__main__.py":
            assert layer(name) <= layer(here), f"{relative} imports {name}, which is above it"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 350


def test_a_story_is_shown_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    """Also the first one on a model, whose header is read before."""
    tiny = architectures.make("llama", tmp_path)
    code = (
        "import sys\n"
        "import advrepl.cli.commands; advrepl.cli.commands.app('play')\n"
        "import advrepl.play.session, advrepl.play.loading, advrepl.terminal.repl\n"
        f"from pathlib import Path; from advrepl.engines import models; models.check_playable(Path({str(tiny)!r}))\n"
        "heavy = {'llama_cpp','gguf','numpy','torch','transformers','jinja2','yaml','PIL','httpx','psutil'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout == "[]\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['advrepl', '--help']\n"
        "from advrepl.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'llama_cpp','gguf','numpy','torch','transformers','jinja2','prompt_toolkit','PIL','rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.endswith("[]\n")
    assert "Begin a new story" in result.stdout


def test_the_first_screen_loads_nothing_that_plays_a_story(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import advrepl.terminal.picker as picker; picker.pick = lambda *_, **__: print('chosen from')\n"
        "from advrepl.cli.home import home; home(at_terminal=True)\n"
        "heavy = {'typer','advrepl.play.events','advrepl.engines.base','advrepl.terminal.screen'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    own = {"ADVREPL_HOME": str(tmp_path), "ADVREPL_SAVES": str(tmp_path), "ADVREPL_MODEL": "any.gguf"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | own
    )
    assert result.stdout.endswith("chosen from\n[]\n")
