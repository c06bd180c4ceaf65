"""What earlier runs have found out about model files, true while a file, llama.cpp and this program stay as they are.

So nobody waits twice for a long header, or for a trial. Finds nothing out itself (llama/playable.py, llama/trial.py).
"""

import json
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from advrepl import __version__, atomic, paths
from advrepl.engines.files import parts

MOST = 256  # files, and names of a fact
STAMP = "stamp"


def recall(path: Path, fact: str) -> Any:
    """Return what is remembered of a model file under this name; None: nothing, or it is another file now."""
    return _facts(_read(), path).get(fact)


def remember(path: Path, fact: str, value: Any) -> None:
    """Keep a fact about a model file; where it cannot be written it is found out again the next time."""
    known, file = _read(), paths.model_facts()
    facts = _facts(known, path) | {STAMP: _stamp(path), fact: value}
    others = [(name, facts) for name, facts in known.items() if name != str(path)][-MOST + 1 :]
    with suppress(OSError):
        atomic.make_folder(file.parent)
        atomic.write(file, json.dumps(dict(others) | {str(path): facts}, indent=1).encode(), private=True)


class Kept(dict[str, int]):
    """Numbers found out about a model file one by one, each under a name; `fact`: where they are remembered."""

    def __init__(self, path: Path, fact: str) -> None:
        found = recall(path, fact)
        numbers = found.items() if isinstance(found, dict) else ()
        super().__init__({name: number for name, number in numbers if type(number) is int and number >= 0})
        self._path, self._fact = path, fact

    def __setitem__(self, name: str, number: int) -> None:
        super().__setitem__(name, number)
        while len(self) > MOST:
            del self[next(iter(self))]
        remember(self._path, self._fact, dict(self))


def _facts(known: dict[str, Any], path: Path) -> dict[str, Any]:
    facts = known.get(str(path))
    return facts if isinstance(facts, dict) and facts.get(STAMP) == _stamp(path) else {}


def _stamp(path: Path) -> list[Any]:
    library = find_spec("llama_cpp")  # its own number takes longer to find out than the time of its file
    files = [Path(library.origin)] if library and library.origin else []
    there = [part.stat() for part in (*files, *parts(path)) if part.is_file()]
    return [__version__, *([file.st_size, file.st_mtime_ns] for file in there)]


def _read() -> dict[str, Any]:
    file = paths.model_facts()
    try:
        found = json.loads(file.read_bytes()) if file.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
