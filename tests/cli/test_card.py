"""The commands `card show` and `card export`, from the command line to the file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advrepl import AdvreplError
from advrepl.cards import card_files
from advrepl.cards.read import find_picture, load_card, parse_card
from advrepl.cli.card import app
from tests.card_files import END, HEAD, PIXELS, charx, text

CARD = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "A\x1b[31mda",
        "description": "An engineer.",
        "alternate_greetings": ["Tea?", "You again?"],
        "tags": ["science", "tea"],
        "character_book": {"entries": [{"keys": ["tea"], "content": "Hot."}]},
        "creator": None,
        "other": [1, 2],
    },
}
PICTURE = HEAD + PIXELS + END


def run(*args: object) -> Result:
    result = CliRunner().invoke(app, list(map(str, args)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "ada.png"
    path.write_bytes(HEAD + text(CARD) + PIXELS + END)
    return path


def test_show_prints_the_card_without_its_escape_codes(png: Path) -> None:
    result = run("show", png)
    assert result.stdout == (
        "A␛[31mda\nCard: chara_card_v2 2.0\nTags: science, tea\nLorebook: 1 entries\n"
        "\nDescription\nAn engineer.\n\nAnother greeting\nTea?\n\nAnother greeting\nYou again?\n"
    )
    assert result.stderr == "note: creator: null, read as empty\n"


def test_show_knows_the_characters_that_come_with_the_program() -> None:
    assert run("show", "Brindle").stdout.startswith("Brindle\nCard: chara_card_v2 2.0\nCreator: advrepl\n")


def test_png_to_png_keeps_the_picture_and_unknown_fields(png: Path, tmp_path: Path) -> None:
    result = run("export", png, tmp_path / "new.png")
    data = (tmp_path / "new.png").read_bytes()
    assert find_picture(data) == PICTURE
    assert parse_card(data, "x")[0].raw["data"]["other"] == [1, 2]
    assert result.stdout == f"{tmp_path / 'new.png'}: A␛[31mda, {len(data):,} bytes\n"


@pytest.mark.parametrize("spec", [2, 3])
def test_png_to_json(png: Path, tmp_path: Path, spec: int) -> None:
    result = run("export", png, tmp_path / "new.json", "--spec", spec)
    card = json.loads((tmp_path / "new.json").read_text())
    assert card["spec"] == f"chara_card_v{spec}" and card["data"]["other"] == [1, 2]
    assert "the picture stays behind" in result.stderr


def test_json_to_png_takes_a_plain_picture_or_the_given_one(png: Path, tmp_path: Path) -> None:
    (tmp_path / "ada.json").write_text(json.dumps(CARD))
    result = run("export", tmp_path / "ada.json", tmp_path / "plain.png")
    assert "a plain gray one was used" in result.stderr
    assert find_picture((tmp_path / "plain.png").read_bytes()) == card_files.plain_picture()
    run("export", tmp_path / "ada.json", tmp_path / "own.png", "--picture", png)
    assert find_picture((tmp_path / "own.png").read_bytes()) == PICTURE


@pytest.mark.parametrize(("icon", "note"), [(PICTURE, "other files"), (b"RIFF....WEBP", "its picture is no PNG")])
def test_charx_to_png(tmp_path: Path, icon: bytes, note: str) -> None:
    assets = [{"type": "icon", "name": "main", "uri": "embeded://i.png", "ext": "png"}]
    card = {"spec": "chara_card_v3", "spec_version": "3.0", "data": {"name": "Ada", "assets": assets}}
    (tmp_path / "ada.charx").write_bytes(charx({"card.json": json.dumps(card).encode(), "i.png": icon}))
    result = run("export", tmp_path / "ada.charx", tmp_path / "ada.png")
    assert note in result.stderr
    kept = icon if icon is PICTURE else card_files.plain_picture()
    assert find_picture((tmp_path / "ada.png").read_bytes()) == kept


def test_nothing_is_written_over_unasked(png: Path) -> None:
    before = png.read_bytes()
    with pytest.raises(AdvreplError, match="is there already"):
        run("export", "halcyon", png)
    assert png.read_bytes() == before
    run("export", "halcyon", png, "--force")
    assert load_card(png)[0].name == "Halcyon"
    assert [path.name for path in png.parent.iterdir()] == ["ada.png"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("show", "nobody"), "there is no file nobody"),
        (("export", "halcyon", "x.webp"), r"x\.webp is neither \.json nor \.png"),
        (("export", "halcyon", "x"), "x is neither"),
        (("export", "halcyon", "none/x.png"), "cannot be written: No such file"),
        (("export", "halcyon", "x.png", "--picture", "text.txt"), "picture is no PNG"),
    ],
)
def test_wrong_uses_are_told(
    args: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("no picture")
    with pytest.raises(AdvreplError, match=message):
        run(*args)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]
