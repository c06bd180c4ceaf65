"""What to type to run this program again, in the way in which it was started, and to add a package to it."""

import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from advrepl import paths

BY_MAKE = "ADVREPL_BY_MAKE"  # set by the Makefile, whose user need not know where the program lies


def command(*arguments: str) -> str:
    """Return the line that runs `advrepl` with these arguments here."""
    if os.environ.get(BY_MAKE) and arguments[:1] in (("play",), ("resume",)):
        return _make(*arguments)
    return shlex.join([*_program(), *arguments])


def resume_command(story: Path) -> str:
    """Return the line that goes on with a story."""
    usual = os.environ.get("ADVREPL_SAVES")
    folder = paths.saves_folder(Path(usual) if usual else None)
    where = () if folder.resolve() == story.parent.resolve() else ("--saves", str(story.parent))
    return command("resume", story.stem, *where)


def install(what: str, *flags: str) -> str:
    """Return the line that installs a package, or `advrepl[EXTRA]`, beside this program, however that came here."""
    own, tools = Path(sys.prefix), Path(sys.executable).parent
    if (own / "pipx_metadata.json").is_file():
        by = ["pipx", "runpip", own.name, "install"]
    elif (own / "uv-receipt.toml").is_file() or not find_spec("pip"):
        by = ["uv", "pip", "install", "--python", sys.prefix]
    elif (found := shutil.which("pip")) and Path(found).parent == tools:
        by = ["pip", "install"]
    else:
        by = [sys.executable, "-m", "pip", "install"]
    return shlex.join([*by, *flags, what])


def _make(target: str, *rest: str) -> str:
    name = [f"NAME={shlex.quote(rest[0])}"] if target == "resume" and rest else []
    more = rest[len(name) :]
    return " ".join(["make", target, *name, *([f"ARGS={shlex.quote(shlex.join(more))}"] if more else [])])


def _program() -> list[str]:
    """`advrepl` where the shell finds it so, else the path of it that was typed, else the module."""
    started = Path(sys.argv[0])
    if started.stem == "advrepl":
        found = shutil.which("advrepl")
        return ["advrepl" if found and Path(found).resolve() == started.resolve() else sys.argv[0]]
    python = next((name for name in ("python", "python3") if shutil.which(name) == sys.executable), sys.executable)
    return [python, "-m", "advrepl"]
