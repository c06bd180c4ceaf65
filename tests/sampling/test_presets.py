"""Presets: those of the era, the player's own, and on the command line."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from advrepl import AdvreplError, paths
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling import presets
from advrepl.sampling.params import NAMES, PARAMETERS, Sampling, read_saved
from advrepl.sampling.presets import BUILT_IN, OWN, find
from advrepl.story import saves
from tests import ROOT
from tests.card_files import survives
from tests.terminal.test_pipe import Program, events

LOUD = Sampling(5.0, 7, 0.1, 0.9, 0.2, 4.0, 3, 2, 2, 9, 8, 9, 1, 0.9, 2, 9, 0.9, {"dragon": 5}, 42, 77)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the player's own presets."""
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    paths.presets_folder().mkdir(parents=True)
    return paths.presets_folder()


# --- those that come with the program


@pytest.mark.parametrize(
    ("name", "sampling"),
    [
        # tfs 0.9 -> min_p 0.1; a penalty that slopes over 1024 tokens -> a level one over 512
        ("classic-pygmalion-6b", Sampling(0.65, 0, 0.9, 0.1, 1.0, 1.1, 512, max_tokens=180)),
        # tfs 0.68 would be a min_p of 0.32: never more than 0.1
        ("classic-pygmalion-2.7b", Sampling(0.43, 0, 0.96, 0.1, 1.0, 1.17, 512)),
        ("dragonslayer-pygmalion-6b", Sampling(0.79, 0, 0.9, 0.05, 1.0, 1.19, 512)),
        # tfs 0.97 would be 0.03: never less than 0.05
        ("godlike", Sampling(0.7, 0, 0.5, 0.05, 0.19, 1.1, 512)),
        ("universal-light", Sampling(1.25, 0, 1.0, 0.1, 1.0, 1.0, 2048)),
        ("pygmalion", Sampling(0.5, 0, 0.9, 0.0, 1.0, 1.05, 2048, max_tokens=196)),
        ("simple-proxy", Sampling(0.65, 42, 0.47, 0.0, 1.0, 1.18, 2048)),
        ("pygmalion-2", Sampling(0.7, 40, 0.95, 0.0, 1.0, 1.1, 64)),
        ("default", Sampling()),
    ],
)
def test_presets_of_the_era_are_translated(name: str, sampling: Sampling) -> None:
    assert BUILT_IN[name].on(Sampling()) == sampling


@pytest.mark.parametrize("name", BUILT_IN)
def test_presets_say_everything_but_what_is_the_players(name: str) -> None:
    preset = BUILT_IN[name]
    after = preset.on(LOUD)
    assert (after.seed, after.logit_bias) == (42, {"dragon": 5})
    assert set(preset.fields) - {"max_tokens"} == set(PARAMETERS) - {"max_tokens", *OWN}
    assert (
        after.dry_multiplier,
        after.xtc_probability,
        after.mirostat,
        after.presence_penalty,
        after.frequency_penalty,
    ) == (0, 0, 0, 0, 0)
    for field, value in preset.fields.items():
        assert PARAMETERS[field].check(value) == value and type(value) is PARAMETERS[field].kind
    assert len(preset.about) < 110 and "for " in preset.about


def test_a_real_model_writes_under_every_preset(open_engine: Callable[..., LlamaEngine]) -> None:
    engine = open_engine(ctx=256)
    segments = (Segment("", "Once upon a time, in a house by the sea,"),)
    window = Window(Prompt(segments, (), ()), 0, engine.count(segments[0]), engine.n_ctx)
    for name, preset in BUILT_IN.items():
        sampling = replace(preset.on(Sampling()), seed=1, max_tokens=4)
        assert "".join(engine.generate(window, sampling)), name


# --- the player's own


def test_own_presets_change_what_they_name(own: Path) -> None:
    (own / "warm.json").write_text('\ufeff{"temperature": 1, "top_k": 20, "seed": null, "logit_bias": {"dragon": -5}}')
    preset = find("warm", own)
    assert preset.on(LOUD) == replace(LOUD, temperature=1.0, top_k=20, seed=None, logit_bias={"dragon": -5})
    assert presets.names(own) == [*BUILT_IN, "warm"]


def test_own_presets_may_use_the_names_of_other_programs(own: Path) -> None:
    (own / "tavern.json").write_text(
        '{"temp": 0.65, "typical": 0.9, "rep_pen": 1.1, "rep_pen_range": 1024, "xtc": 0.5}'
    )
    assert find("tavern", own).fields == {
        "temperature": 0.65, "typical_p": 0.9, "repeat_penalty": 1.1, "repeat_last_n": 1024, "xtc_probability": 0.5,
    }  # fmt: skip
    presets.write("tavern", find("tavern", own).on(Sampling()), own)
    assert '"typical_p": 0.9' in (own / "tavern.json").read_text()


def test_presets_of_other_programs_give_what_is_known_here(own: Path) -> None:
    theirs = '{"temp": 0.7, "top_a": 0.2, "tfs": 1, "logit_bias": [], "seed": -1, "rep_pen": 1.1, "sampler_order": [6]}'
    (own / "theirs.json").write_text(theirs)
    preset = presets.read(own / "theirs.json")
    assert preset.fields == {"temperature": 0.7, "repeat_penalty": 1.1}
    assert preset.about.endswith("of another program; 5 of its settings are not known here")
    (own / "theirs.json").write_text('{"sampler_order": [6]}')
    with pytest.raises(AdvreplError, match="sampler_order"):
        presets.read(own / "theirs.json")


def test_an_own_preset_of_a_known_name_wins(own: Path) -> None:
    (own / "godlike.json").write_text('{"temperature": 0.1}')
    assert find("godlike", own).fields == {"temperature": 0.1}
    assert presets.names(own) == list(BUILT_IN)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"temprature": 1}', "there is nothing called 'temprature' to set: did you mean temperature?"),
        ('{"warmth": 1}', "there is nothing called 'warmth' to set: /set lists what there is"),
        ('{"temperature": "hot"}', "temperature is a number from 0 to 5, not 'hot'"),
        ('{"temperature": 5.5}', "temperature is a number from 0 to 5, not 5.5"),
        ('{"temperature": true}', "temperature is a number from 0 to 5, not True"),
        ('{"temperature": null}', "temperature is a number from 0 to 5, not None"),
        ('{"top_k": 1.5}', "top_k is a whole number, 0 or more, not 1.5"),
        ('{"top_k": 99999999999}', "top_k is a whole number, 0 or more, not 99999999999"),
        ('{"repeat_last_n": 2000000000}', "repeat_last_n is a whole number from 0 to 1,000,000, not 2000000000"),
        ('{"seed": -1}', "seed is a whole number, 0 or more, not -1"),
        ('{"dry": 11}', "dry_multiplier is a number from 0 to 10, not 11"),
        ('{"dry": 1, "dry_multiplier": 0.8}', "dry is another name of dry_multiplier, which is there too"),
        ('{"temp": 1, "temperature": 1}', "temp is another name of temperature, which is there too"),
        ('{"rep_pen": 1.1, "repetition_penalty": 1.1}', "repetition_penalty is another name of repeat_penalty, which"),
        ('{"logit_bias": {"": 1}}', "logit_bias is words with numbers from -100 to 100"),
        ('{"logit_bias": ["dragon"]}', "logit_bias is words with numbers from -100 to 100"),
        ("[]", "it is not JSON like"),
        ('{"temperature": 1', "it is not JSON like"),
        ('{"dry": ' + "[" * 5000 + "]" * 5000 + "}", ""),
        ('{"temperature": 1' + "0" * 5000 + "}", ""),
        (" " * 70_000 + "{}", "more than 64 KB"),
    ],
)
def test_wrong_own_presets_are_one_sentence_with_file_and_field(own: Path, text: str, sentence: str) -> None:
    (own / "mine.json").write_text(text)
    with pytest.raises(AdvreplError) as error:
        find("mine", own)
    said = str(error.value)
    assert str(own / "mine.json") in said and sentence in said
    assert "\n" not in said and len(said) < 300 + len(str(own))


def test_files_that_are_none_are_refused(own: Path) -> None:
    (own / "folder.json").mkdir()
    os.mkfifo(own / "pipe.json")  # reading it would wait for ever
    (own / "gone.json").symlink_to(own / "nowhere")
    (own / "bytes.json").write_bytes(b"\xff\xfe{}")
    for name in ("folder", "pipe", "gone", "bytes"):
        with pytest.raises(AdvreplError, match=f"{name}\\.json"):
            find(name, own)


@pytest.mark.parametrize("name", ["nonsense", "../secret", "", ".", "save", "a" * 300, "x/y", "\x1b[2J", "x\n"])
def test_unknown_presets_name_those_there_are(own: Path, name: str) -> None:
    (own.parent / "secret.json").write_text("{}")
    with pytest.raises(AdvreplError, match="there are default, pygmalion, ") as error:
        find(name, own)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_near_match_is_named_first(own: Path) -> None:
    with pytest.raises(AdvreplError, match=r"there is no preset 'God-Like': did you mean godlike\?"):
        find("God-Like", own)


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*NAMES, "warmth", ""]), jsons, max_size=4).map(json.dumps) | st.text())
def test_any_own_preset_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")

    def read() -> None:
        sampling = presets.read(path).on(Sampling())
        assert read_saved(sampling.to_save()) == (sampling, [])

    survives(read)


# --- the command line


def test_preset_on_the_command_line(tmp_path: Path, shallow: Path) -> None:
    program = Program(tmp_path, shallow)
    code, out, _ = program.play("--json", "--preset", "clover", "--temperature", "0.9", lines=b"/preset good-winds\n")
    assert code == 0 and events(out)[-1]["event"] == "note" and events(out)[-1]["text"].startswith("good-winds: temp")
    kept = saves.load(program.saves / "start.json").sampling
    assert (kept["temperature"], kept["min_p"], kept["max_tokens"], kept["seed"]) == (0.7, 0.1, 24, 1)

    code, _, err = program.run("resume", "--ctx", "512", "--preset", "clover", "--top-p", "0.5", lines=b"/set\n")
    assert code == 0 and re.search(r"^temperature +0.4 ", err, re.MULTILINE)
    assert re.search(r"^top_p +0.5 ", err, re.MULTILINE) and re.search(r"^max_tokens +60 ", err, re.MULTILINE)


def test_unknown_preset_on_the_command_line(tmp_path: Path) -> None:
    code, out, err = Program(tmp_path).run("play", "--preset", "good-wind")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("advrepl: there is no preset 'good-wind': did you mean good-winds? (there are default, ")


# --- what the README says


def test_readme_names_presets_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    table = next(block for block in readme.split("\n\n") if block.startswith("| model | published"))
    cells = [row.split("|")[-2] for row in table.split("\n")[2:]]
    assert len(cells) == 5 and all(re.fullmatch(r"( `[^`]+`,?)+ ", cell) for cell in cells)
    named = re.findall(r"`([^`]+)`", "".join(cells)) + re.findall(r"--preset ([a-z0-9.-]+)", readme)
    assert len(named) == 15 and set(named) <= set(BUILT_IN)
