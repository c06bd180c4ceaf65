"""Where the program begins: a Ctrl-C before it has anything to say."""

import os
import signal
import subprocess
import sys
import time
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


def test_ctrl_c_while_the_model_is_loaded_is_silent_and_keeps_nothing(tmp_path: Path) -> None:
    home, pipe = tmp_path / "home", subprocess.PIPE
    environment = {**os.environ, "ADVREPL_SAVES": str(tmp_path / "saves"), "ADVREPL_HOME": str(home)}
    command = [sys.executable, "-m", "advrepl", "play", "--ctx", "512", "--threads", "1"]
    for attempt in range(6):
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=ROOT) as process:
            while not (home / "llama.log").exists():
                assert process.poll() is None
                time.sleep(0.002)
            time.sleep(0.01 * attempt)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()
        assert not list((tmp_path / "saves").iterdir())
        (home / "llama.log").unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="closes streams as a shell does")
@pytest.mark.parametrize("closed", ["<&-", ">&-", ">&- 2>&-"])
def test_a_stream_that_is_missing_is_no_place_for_a_file(tmp_path: Path, closed: str) -> None:
    code = (
        f"from advrepl import cli; cli._open_streams(); file = open({str(tmp_path / 'story')!r}, 'w');"
        "assert file.fileno() > 2; import os; os.write(1, b'x'); os.write(2, b'x'); print('y')"
    )
    subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", code], cwd=ROOT, check=True)
    assert (tmp_path / "story").read_bytes() == b""


# A signal that comes while something is torn down, where Python tells the error as a traceback and goes on.
TORN_DOWN = """
import os, signal, time
from advrepl import cli

class Torn:
    def __del__(self):
        os.kill(os.getpid(), {number})
        for _ in range(1000):
            pass

def end(number, frame):
    raise SystemExit(128 + number)

def run():
    signal.signal(signal.SIGTERM, end)
    Torn()
    time.sleep(30)

cli._run = run
cli.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_meets_a_destructor_is_heard_and_silent(number: int, code: int) -> None:
    command = [sys.executable, "-c", TORN_DOWN.format(number=int(number))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=25, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
