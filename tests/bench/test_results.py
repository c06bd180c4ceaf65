"""What the benchmark shows: goals, the page, the picture."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from tests.bench import plot, results, waiting
from tests.bench.__main__ import PARTS as SMALL
from tests.bench.__main__ import SEVEN
from tests.bench.results import BEGIN, END, Results, Row, Section, between, missing, row
from tests.bench.setup import machine

SVG = "{http://www.w3.org/2000/svg}"


def a_section(*rows: Row, key: str = "peers", **more: dict[str, list[float]]) -> Section:
    return Section(key, "Free text", "What it is", list(rows), "python -m tests.bench.peers", "now", "Tiny", **more)


@pytest.mark.parametrize(
    "row,met",
    [
        (Row("a", 0.9, at_most=0.9), True),
        (Row("a", 0.91, at_most=0.9), False),
        (Row("a", 0.97, at_least=0.97), True),
        (Row("a", 0.96, at_least=0.97), False),
        (Row("a", 5.0), None),
        (missing("a", "not there yet", at_most=30), None),
    ],
)
def test_a_goal_is_met_or_missed(row: Row, met: bool | None) -> None:
    assert row.met is met


def test_a_row_has_the_median_and_the_ends() -> None:
    found = row("first piece", [120.0, 90.5, 4000.0], "ms", at_most=200)
    assert (found.value, found.least, found.most, found.met) == (120.0, 90.5, 4000.0, True)
    assert results.value(found) == "120.0 ms (90.5 to 4,000)"
    assert results.goal(found) == "≤ 200 ms"
    assert row("first piece", [], "ms").value is None


def test_small_figures_keep_their_digits() -> None:
    assert [results.number(value, "ms") for value in (0.184, 12.34, 1234.5)] == ["0.18", "12.3", "1,234"]
    assert results.number(7, "tokens") == "7" and results.number(0, "tokens") == "0"


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = f"# Title\n\nBy hand.\n\n{BEGIN}\nold\n{END}\n\nMore by hand.\n"
    assert between(page, "new") == f"# Title\n\nBy hand.\n\n{BEGIN}\n\nnew\n\n{END}\n\nMore by hand.\n"
    assert between(between(page, "one"), "two") == between(page, "two")
    assert between("# Title\n", "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n"


def test_each_part_replaces_its_own_section(tmp_path: Path) -> None:
    path, page = tmp_path / "performance.json", tmp_path / "performance.md"
    page.write_text(f"# By hand\n\n{BEGIN}\n{END}\n")
    results.keep(a_section(Row("decoding", 0.98, at_least=0.97), key="rates"), path)
    results.keep(a_section(Row("ratio", 0.99, at_most=0.9), curves={"advrepl": [90.0, 100.0]}), path)
    results.keep(a_section(Row("ratio", 0.8, at_most=0.9), curves={"advrepl": [90.0, 100.0]}), path)
    kept = results.read(path)
    assert sorted(kept.sections) == ["peers", "rates"] and kept.sections["peers"].rows[0].value == 0.8
    text = page.read_text()
    assert "| ratio | 0.80 | ≤ 0.9 | met |" in text and "0.99" not in text and text.startswith("# By hand")
    assert text.index("| ratio") < text.index("| decoding") and "(performance.svg)" in text
    assert (tmp_path / "performance.svg").read_text().startswith("<svg")


def test_what_a_player_waits_for_is_taken_from_the_parts() -> None:
    shown = {
        "picked": {"first piece, written ahead": "7.1 ms (4.5 to 22.4)"},
        "opened": {"leaving, 3 s after a reply": "0.10 s"},
        "opened-seven": {"leaving, 3 s after a reply": "0.40 s", "something else": "1 s"},
    }
    assert waiting.table(shown).splitlines()[2:] == [
        "| picks an option 5 s after the reply: first words | 7.1 ms (4.5 to 22.4) |  |",
        "| leaves | 0.10 s | 0.40 s |",
    ]


def test_each_figure_that_a_player_waits_for_is_measured_by_a_part() -> None:
    source = {part: (Path(waiting.__file__).parent / f"{part}.py").read_text() for part in {*SMALL, *SEVEN}}
    for wait in waiting.WAITS:
        for part, figure in (wait.small, wait.large):
            what = figure.split(" after ")[-1].split(": ")[-1]
            assert not part or what.replace("3 s", "{READING:g} s") in source[part.removesuffix("-seven")], figure


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "performance.json"
    path.write_text('{"machine": 1}')
    with pytest.raises(AdvreplError, match=r"performance\.json holds no results"):
        results.read(path)


def test_a_missed_goal_shows() -> None:
    text = results.markdown(a_section(Row("ratio", 1.5, at_most=0.9), missing("ahead", "not there yet", at_most=30)))
    assert "| ratio | 1.50 | ≤ 0.9 | **missed** |" in text and "| ahead | not there yet | ≤ 30 |  |" in text


def test_the_picture_has_a_line_for_each_curve_and_escapes_names() -> None:
    curves = {"a <b>": [10.0, 100.0, 1000.0], "other": [20.0, 20.0, 20.0]}
    root = ET.fromstring(plot.svg(curves, "ms", "turn"))
    lines = [
        [tuple(map(float, p.split(","))) for p in line.attrib["points"].split()] for line in root.iter(f"{SVG}polyline")
    ]
    assert [len(line) for line in lines] == [3, 3]
    ys = [y for _, y in lines[0]]
    assert ys[0] > ys[1] > ys[2] and abs((ys[0] - ys[1]) - (ys[1] - ys[2])) < 0.2  # a logarithmic scale
    assert len({y for _, y in lines[1]}) == 1
    assert {"a <b>", "other", "turn"} <= {text.text for text in root.iter(f"{SVG}text")}


@given(st.lists(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=40), min_size=1, max_size=6))
def test_the_lines_stay_inside_the_picture(curves: list[list[float]]) -> None:
    root = ET.fromstring(plot.svg({str(i): curve for i, curve in enumerate(curves)}, "ms", "turn"))
    for line in root.iter(f"{SVG}polyline"):
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert (
                plot.LEFT <= x <= plot.WIDTH - plot.RIGHT + 0.1
                and plot.TOP - 0.1 <= y <= plot.HEIGHT - plot.BOTTOM + 0.1
            )


def test_names_do_not_cover_each_other() -> None:
    places = plot._apart([100, 101, 50, 102])
    assert sorted(places) == [50, 100, 114, 128] and places[2] == 50


def test_results_survive_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    found = a_section(row("x", [1.0, 2.0], "s", at_most=3), missing("y", "no"), curves={"a": [1.0]})
    results.keep(found, path)
    assert results.read(path) == Results(machine(), {"peers": found})
