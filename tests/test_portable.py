"""What Windows does not have is done without: every module loads, and a turn is played.

The program's own modules get `os` and `signal` without what is only there on POSIX systems, and cannot import such
modules. Python's own and those of others are left alone: their makers test them there.
"""

import subprocess
import sys
from pathlib import Path

from tests import ROOT, SOURCES

HIDING = """
import builtins, os, signal, sys, types

MODULES = {"fcntl", "termios", "resource", "pwd", "grp", "tty", "pty", "posix", "syslog", "readline", "curses"}
SIGNALS = {"SIGHUP", "SIGQUIT", "SIGKILL", "SIGALRM", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGWINCH", "SIGPIPE",
    "SIGUSR1", "SIGUSR2", "SIGBUS", "alarm", "pause", "setitimer", "sigwait", "pthread_kill", "pthread_sigmask"}
CALLS = {"fork", "forkpty", "openpty", "killpg", "setsid", "getuid", "geteuid", "getgid", "chown", "fchown", "fchmod",
    "lchown", "mkfifo", "statvfs", "fstatvfs", "getloadavg", "uname", "nice", "sched_getaffinity", "sched_setaffinity",
    "pread", "pwrite", "preadv", "pwritev", "posix_fadvise", "posix_fallocate", "sendfile", "memfd_create", "getpgid",
    "getpriority", "setpriority", "sysconf", "confstr", "wait3", "WIFSIGNALED", "register_at_fork", "ctermid",
    "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "O_SYNC", "O_DSYNC", "O_NOCTTY", "fdatasync", "sync"}


def without(module, names):
    there = {name: value for name, value in vars(module).items() if name not in names}
    hidden = types.ModuleType(module.__name__)
    hidden.__dict__.update(there)
    return hidden


OURS = {"os": without(os, CALLS), "signal": without(signal, SIGNALS)}
usual = builtins.__import__


def importing(name, globals=None, locals=None, fromlist=(), level=0):
    if str((globals or {}).get("__name__")).split(".")[0] in ("advrepl", "convert") and not level:
        if name in MODULES:
            raise ImportError(name)
        if name in OURS:
            return OURS[name]
    return usual(name, globals, locals, fromlist, level)


builtins.__import__ = importing
"""
LOADING = """
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
import advrepl.terminal.interrupts
assert len(advrepl.terminal.interrupts.ENDS) == 1, "the signals are not hidden"
"""
PLAYING = """
import io
from pathlib import Path

from advrepl.play.game import Game
from advrepl.prompt.formats import FORMATS
from advrepl.story import save_file, saves
from advrepl.story.scenario import START
from advrepl.terminal import pipe, repl
from advrepl.terminal.aloud import Aloud
from advrepl.terminal.editor import PlainEditor
from advrepl.terminal.interrupts import Interrupts
from advrepl.terminal.screen import Screen
from advrepl.terminal.theme import Capabilities
from tests.conftest import ScriptedEngine

replies = ("A house.", " Go in.\\n", " Leave.\\n", " Knock.\\n", "A hall.", " Climb up.\\n", " Shout.\\n", " Sleep.\\n")
folder = Path(sys.argv[1])


def begun(name):
    save = saves.Save(saves.SCHEMA, "", saves.now(), saves.ModelRef(), "metharme", {}, START, [], None)
    engine = ScriptedEngine(*replies, grammars=True)
    return Game(engine, FORMATS["metharme"], save, save_file.SaveFile(folder / f"{name}.json"))


game, paper = begun("screen"), io.StringIO()
with Interrupts(game.cancel, patience=10, only_within=True) as interrupts:
    screen = Screen(paper, Capabilities(style=True, cursor=True))
    aloud = Aloud("", replies=False)
    played = repl.Repl(game, screen, PlainEditor(game, interrupts.reading), interrupts, aloud)
    played.show(game.open())
    played.show(game.act("Go in."))
    aloud.close()
    assert played.save_and_leave() == 0
game.close()
assert "A hall." in paper.getvalue() and len(saves.load(folder / "screen.json").turns) == 4

game, paper = begun("pipe"), io.StringIO()
lines = (folder / "lines").open("w+b", buffering=0)
lines.write(b"Go in.\\n/save\\n/quit\\n"), lines.seek(0)
assert pipe.play(game, pipe.JsonOutput(paper), lines, True) == 0
game.close()
assert "A hall." in paper.getvalue() and len(saves.load(folder / "pipe.json").turns) == 4
"""


CONVERTING = """
from pathlib import Path

from convert import run
from tests import tiny
from tests.convert.decode.made import Release

assert not hasattr(run.os, "pwrite"), "what only POSIX has is not hidden"
folder = Path(sys.argv[1])
release = Release(folder)
release.add("pytorch_model.bin", bytes(range(256)) * 9, b"base" * 576)
release.run()
assert release.results() == release.expected
plan = run.prepare(run.Request(tiny.make("llama", folder / "small"), folder / "small.gguf", "Q4_K_M"))
assert plan.in_one_pass
assert run.convert(plan, lambda title: lambda label, done, total: None).out.stat().st_size > 1000
"""


def run(code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", HIDING + code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_module_loads_without_what_only_posix_has() -> None:
    names = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in SOURCES]
    run(LOADING, *(name.removesuffix(".__init__") for name in names if "__main__" not in name and ".hf." not in name))


def test_weights_are_decoded_and_converted_without_what_only_posix_has(tmp_path: Path) -> None:
    run(CONVERTING, str(tmp_path))


def test_a_turn_is_played_without_what_only_posix_has(tmp_path: Path) -> None:
    run(PLAYING, str(tmp_path))
