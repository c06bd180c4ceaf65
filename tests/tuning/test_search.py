"""`advrepl tune`: what it chooses from runs, a real search, what is kept of it and who uses it."""

import json
import math
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from advrepl import paths
from advrepl.cli import tune
from advrepl.cli.commands import app
from advrepl.cli.tune import summary
from advrepl.engines.base import LoadOptions, Tuning
from advrepl.engines.files import fingerprint
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.loading import devices
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.machine import physical_cores, this_machine
from advrepl.play import session
from advrepl.play.game import Game
from advrepl.play.session import Settings
from advrepl.tuning import search as tuning_search
from advrepl.tuning import store as tuning_store
from advrepl.tuning.axes import Run, best, by_threads, uses
from advrepl.tuning.search import Search, TuneResult
from convert import run
from tests import tiny


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ADVREPL_MODEL", raising=False)
    return tmp_path / "home"


# --- choosing

NOISE = st.lists(st.floats(0.976, 1.024), min_size=2, max_size=5)
TAKES = st.lists(st.floats(0.1, 1000), min_size=1, max_size=5)


@given(NOISE, st.lists(NOISE, max_size=4), st.floats(0.1, 1e4))
def test_noise_never_replaces_what_is_in_use(used: list[float], others: list[list[float]], rate: float) -> None:
    assert best([[rate * x for x in runs] for runs in (used, *others)]) == 0


@given(st.lists(TAKES, min_size=1, max_size=5), st.sets(st.integers(1, 4)))
def test_what_is_chosen_is_never_slower(rates: list[list[float]], spare: set[int]) -> None:
    chosen = best(rates, spare)
    assert statistics.median(rates[chosen]) >= statistics.median(rates[0])
    assert chosen == 0 or len(rates[chosen]) > 1


@given(NOISE, NOISE, st.floats(1.2, 20), st.integers(0, 1))
def test_what_is_clearly_faster_is_found(used: list[float], faster: list[float], by: float, place: int) -> None:
    rates = [used, used]
    rates.insert(1 + place, [by * x for x in faster])
    assert best(rates) == 1 + place


def test_takes_that_scatter_prove_nothing_and_one_stall_does_not_count() -> None:
    assert best([[100, 60, 140], [120, 80, 160]]) == 0
    assert best([[100, 101, 5], [102, 103, 101]]) == 0
    assert best([[100, 101, 99], [130, 131, 5]]) == 1


def test_fewer_threads_win_a_draw_and_writing_is_apart_from_reading() -> None:
    four, two, eight = (Tuning(threads=n) for n in (4, 2, 8))
    steady = [Run(100, 10)] * 3
    assert by_threads([(four, steady), (two, steady), (eight, steady)])[0] == Tuning(threads=2)
    measured = [(four, steady), (two, [Run(60, 15)] * 3), (eight, [Run(150, 9)] * 3)]
    tuning, expected = by_threads(measured)
    assert tuning == Tuning(threads=2, threads_batch=8) and expected == Run(150, 15)
    assert [uses(tuning, candidate) for candidate in (four, two, eight)] == [False, True, True]


# --- searching


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose runs are over at once."""
    folder = tmp_path_factory.mktemp("tune")
    request = run.Request(tiny.make("llama-wide-heads", folder / "little"), folder / "little.gguf", "F16")
    return run.convert(run.prepare(request), lambda title: lambda label, done, total: None).out


def search(path: Path, tmp_path: Path, seconds: float | None = 20) -> tuple[TuneResult, list[str]]:
    told: list[str] = []
    return Search(path, None, seconds, Log(tmp_path / "llama.log"), lambda doing, *_: told.append(doing)).run(), told


def test_a_search_measures_every_axis(little: Path, tmp_path: Path) -> None:
    result, told = search(little, tmp_path)
    assert result.fingerprint == fingerprint(little) and result.seconds < 40
    axes = {row.axis for row in result.rows}
    assert axes >= {"weights", "batch", "file"} and ("threads" in axes) == (physical_cores() > 1)
    for axis in axes:
        rows = [row for row in result.rows if row.axis == axis and row.runs]
        assert rows and any(row.chosen for row in rows)
        assert all(row.prefill and row.prefill > 0 for row in rows)
    assert all(row.memory_mb is not None for row in result.rows if row.axis in ("weights", "file"))
    assert any(line.startswith("batch") for line in told)
    assert 0 <= result.others <= 1 and list(summary(result))


def test_without_time_the_defaults_stay(little: Path, tmp_path: Path) -> None:
    result, _ = search(little, tmp_path, seconds=0.001)
    assert all(row.note for row in result.rows if row.axis != "threads")
    assert result.tuning.repack is result.tuning.flash_attn is result.tuning.batch is None


@pytest.mark.parametrize("slow", [True, False])
def test_a_slow_model_gets_more_time(little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    monkeypatch.setattr(tuning_search, "SLOW_TURN", 0.0 if slow else math.inf)
    monkeypatch.setattr(tuning_search, "SECONDS", 0.001)
    monkeypatch.setattr(tuning_search, "SECONDS_IF_SLOW", 20.0)
    result, _ = search(little, tmp_path, seconds=None)
    rows = [row for row in result.rows if row.axis == "batch"]
    # A measured candidate may be told to be too slow: on a busy machine one run of so little a model can be.
    assert rows and all(bool(row.runs) == slow and (row.note == "no time left") != slow for row in rows)


def test_a_take_that_lasts_too_long_is_ended(smollm2: Path, tmp_path: Path) -> None:
    log = Log(tmp_path / "llama.log")
    loaded = LlamaModel(smollm2, LoadOptions(ctx=1024, threads=1), log)
    run = Search(smollm2, None, 60, log, print).run_once(loaded, 900, 48, limit=0.05)
    assert run.ended and run.prefill < 900 / 0.05
    loaded.close()


def advrepl(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "advrepl", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]


def test_the_command_keeps_what_it_found(smollm2: Path, home: Path) -> None:
    done = advrepl("tune", "--seconds", "5", "--json", "--keep")  # however busy the machine is
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (entry,) = tuning_store.read(home / "tuned.json")[0]
    assert entry.fingerprint == told["fingerprint"] == fingerprint(smollm2)
    assert entry.machine == this_machine(devices()) and entry.model == smollm2.stem


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_doubtful_is_kept_only_if_asked(
    little: Path, home: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    monkeypatch.setattr(tune, "BUSY", -1.0)
    done = CliRunner().invoke(app(), ["tune", "-m", str(little), "--seconds", "5", *["--keep"][:keep]])
    assert "Other programs used " in done.stdout
    assert ("So this is not kept: tune again on a quiet machine" in done.stdout) == (not keep)
    assert (home / "tuned.json").exists() == ("Kept in" in done.stdout) == keep


@pytest.mark.parametrize(
    ("variation", "others", "words"), [(0.1, 0.1, ""), (0.1, 0.2, "Other programs used 20%"), (0.4, 0.1, "unsteady")]
)
def test_a_busy_or_unsteady_machine_makes_it_doubtful(variation: float, others: float, words: str) -> None:
    result = TuneResult("m", "f", Tuning(), 1.0, variation, others, 5.0, [])
    assert words in tune.doubt(result) and bool(tune.doubt(result)) == bool(words)


def test_a_model_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"no model")
    done = advrepl("tune", "-m", str(tmp_path / "x.gguf"))
    assert done.returncode == 1 and "x.gguf is not a GGUF file" in done.stderr and done.stderr.count("\n") == 1
    (tmp_path / "config.json").write_text("{}")
    done = advrepl("tune", "-m", str(tmp_path))
    assert done.returncode == 1 and "is a folder: this takes a GGUF file" in done.stderr


def test_ctrl_c_leaves_and_keeps_nothing(smollm2: Path, home: Path) -> None:
    command = [sys.executable, "-m", "advrepl", "tune", "--seconds", "200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        log, until = home / "llama.log", time.monotonic() + 60
        while not (log.exists() and "llama_model" in log.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "")
    assert not (home / "tuned.json").exists()


# --- keeping and using

Play = Callable[..., tuple[LlamaEngine, list[str]]]
FOUND = Tuning(threads=1, threads_batch=2, repack=False, flash_attn=False, batch=64, load="copy")


def keep(home: Path, path: Path, tuning: Tuning = FOUND, devices_: list[str] | None = None) -> None:
    machine = this_machine(devices() if devices_ is None else devices_)
    tuning_store.keep(home / "tuned.json", tuning_store.TuningRecord(path.stem, fingerprint(path), machine, tuning))


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Opens a game and returns its engine and what was told."""
    games: list[Game] = []

    def open(resumed: bool = False, **chosen: object) -> tuple[LlamaEngine, list[str]]:
        told: list[str] = []
        settings = Settings(saves=tmp_path / "saves", ctx=256, **chosen)  # type: ignore[arg-type]
        if resumed:
            games[-1].close()
            games.append(session.resumed_game(None, settings, told.append))
        else:
            games.append(session.new_game("start", settings, told.append))
            games[-1].save()
        engine = games[-1].engine
        assert isinstance(engine, LlamaEngine)
        return engine, told

    yield open
    for game in games:
        game.close()


def test_a_game_uses_it_and_says_so_once(smollm2: Path, home: Path, play: Play) -> None:
    keep(home, smollm2)
    engine, told = play()
    model = engine.model
    assert (model.threads, model.threads_batch, model.n_batch, model.chunk) == (1, 2, 64, 64)
    assert told == [
        "tuned for this machine: 1 thread to generate, 2 threads to prefill, weights not repacked, "
        "flash attention off, batches of 64, file copied into memory"
    ]
    engine, told = play(resumed=True)
    assert engine.model.threads == 1 and told == []


def test_a_cache_file_knows_how_values_are_kept(smollm2: Path, home: Path, play: Play) -> None:
    before, _ = play()
    keep(home, smollm2, Tuning(flash_attn=not before.model.flash_attn))
    after, _ = play(resumed=True)
    assert before.key != after.key


def test_what_is_asked_for_wins(smollm2: Path, home: Path, play: Play) -> None:
    keep(home, smollm2)
    engine, _ = play(threads=3, kv="q8_0")
    model = engine.model
    assert (model.threads, model.threads_batch, model.cache_types) == (3, 3, ("q8_0", "q8_0"))


def test_without_a_card_what_was_found_with_it_does_not_count(tmp_path: Path, smollm2: Path) -> None:
    keep(tmp_path, smollm2, Tuning(gpu_layers=20, batch=1024))
    given = LoadOptions(gpu_layers=0)
    assert tuning_store.options(smollm2, tmp_path / "tuned.json", given, devices()) == (given, "")
    assert tuning_store.options(smollm2, tmp_path / "tuned.json", LoadOptions(), devices())[0].layers == 20


@pytest.mark.parametrize("foreign", ["machine", "model"])
def test_what_is_of_another_machine_or_model_is_not_used(
    smollm2: Path, little: Path, home: Path, play: Play, foreign: str
) -> None:
    keep(home, little if foreign == "model" else smollm2, devices_=["abacus"] if foreign == "machine" else None)
    engine, told = play()
    assert engine.model.threads == physical_cores() and told == []


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": 1, "entries": [{"model": 3}]}', '{"schema": 3, "entries": []}']
)
def test_a_damaged_file_is_ignored_and_written_anew(smollm2: Path, home: Path, play: Play, text: str) -> None:
    home.mkdir()
    (home / "tuned.json").write_text(text)
    _, told = play()
    assert len(told) == 1 and "tuned.json" in told[0] and "ignored" in told[0] and "\n" not in told[0]
    keep(home, smollm2)
    assert [entry.tuning for entry in tuning_store.read(home / "tuned.json")[0]] == [FOUND]


def test_a_file_of_the_first_schema_is_read(home: Path, smollm2: Path) -> None:
    keep(home, smollm2)
    text = (home / "tuned.json").read_text().replace("threads_batch", "feed_threads").replace("flash_attn", "flash")
    (home / "tuned.json").write_text(text.replace('"schema": 2', '"schema": 1'))
    entries, problem = tuning_store.read(home / "tuned.json")
    assert "feed_threads" in text and [entry.tuning for entry in entries] == [FOUND] and problem == ""


def test_nonsense_in_the_file_does_not_reach_the_engine(home: Path, smollm2: Path) -> None:
    keep(home, smollm2, Tuning(threads=7))
    text = (home / "tuned.json").read_text()
    (home / "tuned.json").write_text(text.replace("7", "-7"))
    assert (
        tuning_store.read(home / "tuned.json")[0] == []
        and "cannot be read" in tuning_store.read(home / "tuned.json")[1]
    )


def test_each_model_and_machine_keeps_its_own(home: Path, smollm2: Path, little: Path) -> None:
    keep(home, smollm2)
    keep(home, smollm2, Tuning(threads=2), ["abacus"])
    keep(home, little, Tuning(threads=3))
    keep(home, smollm2, Tuning(threads=4))
    entries = tuning_store.read(home / "tuned.json")[0]
    assert len(entries) == 3
    assert tuning_store.find(entries, fingerprint(smollm2), this_machine(devices())) == Tuning(threads=4)
    assert [path.name for path in home.iterdir()] == ["tuned.json"]


def test_bench_uses_it(smollm2: Path, home: Path) -> None:
    keep(home, smollm2, Tuning(threads=1))
    done = advrepl("bench", "--turns", "2", "--runs", "1", "--ctx", "256", "--json")
    told = json.loads(done.stdout)
    assert (told["threads"], told["tuned"]) == (1, True) and "tuned for this machine: 1 thread" in done.stderr
    assert paths.home() == home
