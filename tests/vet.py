"""What other programs that look GGUF files over say of one of ours: `make vet`. Ends with 1 where one objects.

`python -m tests.vet BIN`: the scripts of an environment that has them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from advrepl.prompt.formats import TEMPLATES
from tests import tiny
from tests.convert.converted import convert

# Of ggufdoctor: Metharme's markers are ordinary text, and no end of text stands between its turns. So it was trained.
AS_TRAINED = "S004 # as trained\nS005 # as trained\n"
STRUCTURE = "import modelvet, sys; sys.exit(modelvet.verify_path(sys.argv[1]).verdict != modelvet.Verdict.ACCEPT)"


def main(programs: Path) -> int:
    """Convert a small Metharme, have each program look at it, and return how many object."""
    with tempfile.TemporaryDirectory() as place:
        folder = tiny.make("llama-256", Path(place) / "metharme-7b")
        out = Path(place) / "metharme-7b-Q4_K_M.gguf"
        convert(folder, out, "Q4_K_M", format="metharme", template=TEMPLATES["metharme"])
        ignored = Path(place) / "ignored"
        ignored.write_text(AS_TRAINED)
        commands = (
            ["ggufdoctor", "--fail-on", "warn", "--ignore-file", str(ignored), str(out)],
            ["c4nary", "scan", str(out)],
            ["python", "-c", STRUCTURE, str(out)],
        )
        return sum(subprocess.run([programs / name, *rest]).returncode != 0 for name, *rest in commands)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
