"""The sampling parameters: every way in takes the same values, by every name; the README lists them."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields
from typer.testing import CliRunner

from advrepl import AdvreplError
from advrepl.cli.commands import app
from advrepl.sampling import presets
from advrepl.sampling.params import NAMES, PARAMETERS, Parameter, Sampling, parameter, read_saved
from advrepl.story import saves
from advrepl.terminal.commands import sampling as commands
from tests import ROOT
from tests.terminal.test_pipe import Program

# --- one declaration


def test_every_parameter_is_declared_in_sampling() -> None:
    assert list(PARAMETERS) == [field.name for field in fields(Sampling)]
    names = [name for each in PARAMETERS.values() for name in (each.name, *each.aliases)]
    assert len(names) == len(set(names)) == len(NAMES)
    for name, each in PARAMETERS.items():
        assert each.check(each.default) == each.default == getattr(Sampling(), name)
        assert each.off is None or each.check(each.off) == each.off
        assert set(each.only_with) <= set(PARAMETERS) and all(PARAMETERS[one].off is not None for one in each.only_with)


def test_whole_numbers_become_numbers_and_words_are_copied() -> None:
    words: dict[str, float] = {"dragon": 5}
    sampling = Sampling(temperature=1, logit_bias=words)
    words["dragon"] = 6
    assert (repr(sampling.temperature), repr(sampling.logit_bias)) == ("1.0", "{'dragon': 5.0}")


# --- every way in


def ways(name: str, value: Any, folder: Path) -> dict[str, str | None]:
    """What each way in says to a value: None where it takes it."""
    text = json.dumps(value) if isinstance(value, dict) else repr(value)
    remarks = read_saved({name: value})[1]
    each, file = PARAMETERS[name], folder / "any.json"
    file.write_text(json.dumps({name: value}))
    said = {
        "sampling": refusal(lambda: Sampling(**{name: value})),
        "save": remarks[0] if remarks else None,
        "preset": refusal(lambda: presets.read(file)),
        "/set": refusal(lambda: commands.read(each, text)),
    }
    if each.is_flag:
        # The name of the story is refused as soon as everything on the command line was read.
        result = CliRunner().invoke(app(), ["play", f"{each.flag}={text}", "--save", "../none"])
        refused = str(result.exception)
        assert result.exit_code == 1 and isinstance(result.exception, AdvreplError)
        said["flag"] = None if "cannot be the name of a story" in refused else refused
    return said


def refusal(do: Callable[[], object]) -> str | None:
    try:
        do()
    except AdvreplError as error:
        return str(error)
    return None


EDGES = sorted({edge + step for each in PARAMETERS.values() for edge in (each.low, each.high) for step in (-1, 0, 1)})
VALUES = st.integers() | st.floats() | st.sampled_from(EDGES)
NUMBERS = [name for name, each in PARAMETERS.items() if each.kind is not dict]


@settings(deadline=None)  # the first one loads the program
@given(st.sampled_from(NUMBERS), VALUES)
@example("temperature", 50)
@example("temperature", float("nan"))
@example("seed", 2**32)
@example("top_k", 1.0)
@example("top_p", 1e-7)
def test_every_way_in_takes_the_same_numbers(tmp_path_factory: pytest.TempPathFactory, name: str, value: float) -> None:
    each = PARAMETERS[name]
    right = (each.kind is float or isinstance(value, int)) and each.low <= value <= each.high
    for way, said in ways(name, value, tmp_path_factory.getbasetemp()).items():
        assert (said is None) is right, f"{way} {value}: {said}"
        assert right or value != value or f"{name} is {each.range}, not " in str(said) or abs(value) == float("inf")


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.integers(-101, 101) | st.floats(-101, 101), max_size=3))
@example({"dragon": 101})
@example({"": 1})
@example({"\ud800": 1})
def test_every_way_in_takes_the_same_words(tmp_path_factory: pytest.TempPathFactory, words: dict[str, float]) -> None:
    right = "" not in words and "\ud800" not in words and all(-100 <= number <= 100 for number in words.values())
    for way, said in ways("logit_bias", words, tmp_path_factory.getbasetemp()).items():
        assert (said is None) is right, f"{way}: {said}"


@pytest.mark.parametrize("name", PARAMETERS)
def test_values_of_another_kind_are_refused(name: str) -> None:
    values: list[Any] = [True, "1", "hot", None, [], {}, {"dragon": True}, {"dragon": None}, {1: 1}]
    for value in values:
        if (name, value) in (("seed", None), ("logit_bias", {})):
            assert getattr(Sampling(**{name: value}), name) == value
        else:
            with pytest.raises(AdvreplError, match=re.escape(f"{name} is {PARAMETERS[name].range}, not ")):
                Sampling(**{name: value})


def test_a_flag_out_of_range_is_refused_in_a_sentence(tmp_path: Path) -> None:
    code, out, err = Program(tmp_path).run("play", "--temperature", "50")
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert "temperature is a number from 0 to 5, not '50'" in err


# --- names


@pytest.mark.parametrize(
    ("given", "name"),
    [
        # llama.cpp: its command line, its server, its code
        ("repeat_last_n", "repeat_last_n"), ("dry-allowed-length", "dry_allowed_length"),
        ("temp", "temperature"), ("typical-p", "typical_p"), ("typ_p", "typical_p"), ("n-predict", "max_tokens"),
        ("penalty_last_n", "repeat_last_n"), ("penalty_repeat", "repeat_penalty"), ("mirostat-lr", "mirostat_eta"),
        ("mirostat-ent", "mirostat_tau"), ("dry-multiplier", "dry_multiplier"), ("XTC-Probability", "xtc_probability"),
        # KoboldAI and SillyTavern
        ("typical", "typical_p"), ("rep_pen", "repeat_penalty"), ("rep_pen_range", "repeat_last_n"),
        ("presence_pen", "presence_penalty"), ("freq_pen", "frequency_penalty"), ("mirostat_mode", "mirostat"),
        ("genamt", "max_tokens"),
        # transformers and text-generation-webui
        ("repetition_penalty", "repeat_penalty"), ("max_new_tokens", "max_tokens"),
        ("repetition_penalty_range", "repeat_last_n"),
        # ours, until they were called as in llama.cpp
        ("repeat_last", "repeat_last_n"), ("dry", "dry_multiplier"), ("dry_allowed", "dry_allowed_length"),
        ("xtc", "xtc_probability"),
    ],
)  # fmt: skip
def test_names_of_other_programs_are_known(given: str, name: str) -> None:
    assert parameter(given).name == name


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("temprature", "temperature"),
        ("repetition_penalti", "repeat_penalty"),
        ("xtc_prob", "xtc_probability"),
        ("dry_penalty_last_n", "repeat_last_n"),
        ("max_length", "max_tokens"),
        ("mirostat_", "mirostat or mirostat_tau or mirostat_eta"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(given: str, meant: str) -> None:
    with pytest.raises(AdvreplError) as error:
        parameter(given)
    assert str(error.value) == f"there is nothing called '{given}' to set: did you mean {meant}?"


ELSEWHERE = """
    warmth heat samplers sampler_order top_a top_h tfs tfs_z top_n_sigma nsigma dynatemp_range dynatemp_exponent
    dynamic_temperature temperature_last smoothing_factor smoothing_curve min_keep min_tokens min_length min_temp
    max_temp rep_pen_slope rep_pen_decay rep_pen_size encoder_rep_pen encoder_repetition_penalty no_repeat_ngram_size
    penalty_alpha length_penalty repetition_decay repetition_penalty_slope epsilon_cutoff eta_cutoff guidance_scale
    adaptive_target adaptive_decay dry_sequence_breakers grammar n_probs n_keep ignore_eos ban_eos_token banned_tokens
"""


def test_samplers_that_are_not_here_are_not_taken_for_others() -> None:
    sentences = {name: refusal(partial(parameter, name)) for name in ELSEWHERE.split()}
    for name, sentence in sentences.items():
        assert sentence == f"there is nothing called '{name}' to set: /set lists what there is"


# --- saves


def test_a_save_holds_what_is_not_the_default() -> None:
    assert Sampling().to_save() == {}
    sampling = Sampling(typical_p=0.9, seed=7, logit_bias={"dragon": -5})
    assert sampling.to_save() == {"typical_p": 0.9, "seed": 7, "logit_bias": {"dragon": -5.0}}
    assert read_saved(sampling.to_save()) == (sampling, [])


def test_what_a_save_says_wrongly_becomes_the_default_and_is_told() -> None:
    sampling, remarks = read_saved({"temperature": 50, "top_k": 20, "seed": "x", "dry": 0.8, "warmth": 1})
    assert sampling == Sampling(top_k=20, dry_multiplier=0.8)
    assert remarks == [
        "in the settings of this story, temperature is a number from 0 to 5, not 50; temperature is 0.8 now",
        "in the settings of this story, seed is a whole number, 0 or more, not 'x'; seed is random now",
        "in the settings of this story, there is nothing called 'warmth' to set: /set lists what there is; "
        "it is left out",
    ]


def test_of_two_names_in_a_save_ours_counts() -> None:
    sampling, remarks = read_saved({"typical": 0.5, "typical_p": 0.9})
    assert sampling.typical_p == 0.9
    assert remarks == [
        "in the settings of this story, typical is another name of typical_p, which is there too; typical_p is 0.9 now"
    ]


def old_save(program: Program, **sampling: Any) -> Path:
    """A story as it was written when the parameters had names of our own."""
    path = program.saves / "old.json"
    path.parent.mkdir()
    turns = [
        {"parent": None, "role": "user", "text": "Start!"},
        {"parent": 0, "role": "model", "text": "A house.\n1. Go in.\n2. Leave.\n3. Knock."},
    ]
    scenario = {"name": "start", "title": "Old", "system": "This is a text adventure game."}
    head = {"schema": 1, "title": "Old", "created": "2026-11-21T00:00:00+00:00", "updated": "", "model": {}}
    rest = {"format": "metharme", "sampling": sampling, "scenario": scenario, "turns": turns, "head": 1}
    path.write_text(json.dumps({**head, **rest}))
    return path


def test_a_story_of_before_plays_with_its_values(tmp_path: Path, shallow: Path) -> None:
    program = Program(tmp_path, shallow)
    path = old_save(program, typical=0.9, dry=0.8, repeat_last=64, max_tokens=8)
    code, out, err = program.run("resume", "old", "--ctx", "512", lines=b"1\n/set\n")
    assert code == 0 and out and "in the settings of this story" not in err
    for row in (r"typical_p +0.9 ", r"dry_multiplier +0.8 ", r"repeat_last_n +64 ", r"max_tokens +8 "):
        assert re.search(f"^{row}", err, re.MULTILINE)
    kept = saves.load(path)
    assert kept.sampling == {"typical_p": 0.9, "dry_multiplier": 0.8, "repeat_last_n": 64, "max_tokens": 8}
    assert len(kept.turns) == 4


def test_a_story_with_a_value_out_of_range_plays_and_says_so(tmp_path: Path, shallow: Path) -> None:
    program = Program(tmp_path, shallow)
    path = old_save(program, temperature=50, max_tokens=8)
    code, out, err = program.run("resume", "old", "--ctx", "512", lines=b"1\n")
    assert code == 0 and out
    assert "temperature is a number from 0 to 5, not 50; temperature is 0.8 now\n" in err
    assert saves.load(path).sampling == {"max_tokens": 8}


# --- what the README says


def row(each: Parameter) -> str:
    off = "" if each.off is None else f"; {each.show(each.off)}: off"
    names = ", ".join(f"`{name}`" for name in ((each.flag,) if each.is_flag else ()) + each.aliases)
    return f"| `{each.name}` | {each.show(each.default)} | {each.bounds} | {each.meaning}{off} | {names} |"


def test_readme_lists_the_parameters() -> None:
    readme = (ROOT / "README.md").read_text()
    table = next(block for block in readme.split("\n\n") if block.startswith("| parameter |"))
    assert table.split("\n")[2:] == [row(each) for each in PARAMETERS.values()]
