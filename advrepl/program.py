"""What to type to run this program again, in the way in which it was started."""

import os
import shlex
import shutil
import sys
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
