"""Each command where what it says cannot be said: pipes closed, full or missing, a full disk, few handles, ASCII."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from tests import ROOT, tiny
from tests.card_files import v2
from tests.faults.program import NAME, QUICK, Place

TYPED = b"go in\nlook\n/context\n/help\n/tree\n"
PATIENCE = 60  # seconds
SOUND = (0, 1, 2)  # exit codes


def commands(place: Place, number: int) -> dict[str, Sequence[object]]:
    """Return what is tried of each command, under its name; `number` makes the files that are written new ones."""
    model, card = place.model, place.folder / "card.json"
    play = ("-m", model, *QUICK[:-1])
    return {
        "": (),
        "--help": ("--help",),
        "--version": ("--version",),
        "play": ("play", "start", "--save", f"plain-{number}", *play),
        "play --json": ("play", "start", "--save", f"json-{number}", *play, "--json"),
        "resume": ("resume", NAME, *play),
        "models": ("models",),
        "pull": ("pull", "no-name"),
        "config": ("config",),
        "doctor": ("doctor",),
        "decode": ("decode", "xor", "base", "out"),
        "convert": ("convert", place.folder / "hf", "-q", "Q8_0", "-o", place.folder / f"{number}.gguf"),
        "judge": ("judge", model, model, "--on", NAME),
        "bench": ("bench", "-m", model, "--turns", 2, "--runs", 1, "--ctx", 256),
        "tune": ("tune", "-m", model, "--seconds", 5, "--ctx", 512),
        "serve": ("serve", "-m", "nothing"),
        "size": ("size", model),
        "card show": ("card", "show", card),
        "card export": ("card", "export", card, place.folder / f"card-{number}.json"),
        "saves list": ("saves", "list"),
        "saves show": ("saves", "show", NAME),
        "saves check": ("saves", "check"),
        "saves share": ("saves", "share", NAME),
        "saves replay": ("saves", "replay", NAME),
        "saves export": ("saves", "export", NAME, "--as", "text", "-o", place.folder / f"{number}.txt"),
        "saves import": ("saves", "import", card),
        "saves rename": ("saves", "rename", "nothing", "else"),
        "saves passphrase": ("saves", "passphrase", NAME, "--remove"),
        "saves delete": ("saves", "delete", "nothing", "-y"),
    }


def closed_pipe(opened: ExitStack) -> dict[str, Any]:
    read, write = os.pipe()
    os.close(read)
    return {"stdout": opened.enter_context(os.fdopen(write, "wb"))}


def full_disk(opened: ExitStack) -> dict[str, Any]:
    return {"stdout": opened.enter_context(Path("/dev/full").open("wb"))}


def ascii_only(_: ExitStack) -> dict[str, Any]:
    return {"env": {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}}


def shell(line: str) -> Callable[[ExitStack], dict[str, Any]]:
    return lambda _: {"shell": line}


KINDS: dict[str, Callable[[ExitStack], dict[str, Any]]] = {
    "a closed pipe": closed_pipe,
    "a full disk": full_disk,
    "ASCII": ascii_only,
    "no stdout": shell('exec "$@" >&-'),
    "no stdout nor stderr": shell('exec "$@" >&- 2>&-'),
    "eight handles": shell('ulimit -n 8; exec "$@"'),
    "a pipe that is read late": shell('"$@" | (sleep 1; cat)'),
}


def outputs(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """Yield what ended in a traceback, did not end, or lost a turn."""
    place = Place(folder)
    tiny.make("llama-256", folder / "hf")
    (folder / "card.json").write_text(json.dumps(v2(name="Ünï 雪", first_mes="Hi.")))
    first = place.start()
    first.say("go in")
    first.until("reply", 2)
    first.end()
    known = set(commands(place, 0))
    yield from (f"not tried: {name}" for name in names() if name not in known)
    pairs = [*product(KINDS, known)]
    chance.shuffle(pairs)
    for number, (kind, name) in enumerate(pairs[:times]):
        yield from (f"{name} to {kind}: {wrong}" for wrong in tried(place, kind, list(commands(place, number)[name])))
    if [turn for turn in first.replies if turn not in [each.text for each in place.load().turns]]:
        yield "a turn is lost"


def names() -> list[str]:
    """Return all commands, as --help lists them."""
    from advrepl.cli import commands

    app = commands.app()
    groups = {group.name or "": group.typer_instance for group in app.registered_groups}
    own = [each.name or "" for each in app.registered_commands]
    inside = [(name, each) for name, group in groups.items() if group for each in group.registered_commands]
    return own + [f"{name} {each.name or each.callback.__name__}" for name, each in inside if each.callback]


def tried(place: Place, kind: str, arguments: list[object]) -> Iterator[str]:
    """Run a command once, and yield what is wrong with how it ended."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ADVREPL_HOME": str(place.folder), "ADVREPL_SAVES": str(place.saves)}
    env.pop("ADVREPL_MODEL", None)
    command = [sys.executable, "-c", "from advrepl.cli import main; main()", *map(str, arguments)]
    with ExitStack() as opened:
        given = KINDS[kind](opened)
        if line := given.get("shell"):
            command = ["sh", "-c", line, "sh", *command]
        out = given.get("stdout", subprocess.PIPE)
        env |= given.get("env", {})
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, env=env)
        try:
            _, complaint = child.communicate(TYPED, PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            yield "it did not end"
            return
    if b"Traceback" in complaint or b"Exception ignored" in complaint or child.returncode not in SOUND:
        yield f"exit code {child.returncode}, {complaint[-300:].decode('utf-8', 'replace')}"
