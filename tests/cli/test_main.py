"""Where the program begins: a Ctrl-C before it has anything to say."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT


@pytest.mark.parametrize("imports", [1, 3, 10, 20, 40, 60, 80, 100])
def test_ctrl_c_while_the_program_is_loaded_is_silent(tmp_path: Path, imports: int) -> None:
    """Python tells each import on stderr, so that the signal comes at the same place on any machine."""
    (tmp_path / "story.json").write_text("{}")
    command = [sys.executable, "-X", "importtime", "-m", "advrepl", "saves", "delete", "story"]  # waits for an answer
    environment = {**os.environ, "ADVREPL_SAVES": str(tmp_path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=ROOT) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).endswith(b"| signal\n"):
            assert line.startswith(b"import time:")
        for _ in range(imports):
            assert process.stderr.readline().startswith(b"import time:")
        process.send_signal(signal.SIGINT)
        said = [line for line in process.stderr if not line.startswith(b"import time:")]
        assert (process.wait(60), said) == (130, [])
