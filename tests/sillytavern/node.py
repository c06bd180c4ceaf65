"""Asks a script of this folder a question under node: JSON in, JSON out."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def ask(script: str, question: object) -> Any:
    """Run `script` (its name in this folder) and return what it answers to the question."""
    environment = {**os.environ, "TZ": "UTC"}
    done = subprocess.run(
        ["node", str(HERE / script)],
        input=json.dumps(question), env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rstrip("\n").split("\n")[-1])
