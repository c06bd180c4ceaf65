"""Pictures as text for terminals: what is drawn is read back with decoders of the tests' own."""

import base64
import io
import re
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from rich.color import ColorSystem

from advrepl import AdvreplError
from advrepl.terminal import pictures
from advrepl.terminal.pictures import Canvas
from tests.card_files import END, HEAD, chunk, survives

RED, GREEN, BLUE, CLEAR = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (9, 9, 9, 0)
COLORS = ColorSystem.TRUECOLOR


def saved(picture: Image.Image, format: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **how)
    return file.getvalue()


def flag(width: int = 60, height: int = 90) -> Image.Image:
    """Red above blue, and the left third transparent."""
    picture = Image.new("RGBA", (width, height), RED)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height // 2, width, height), fill=BLUE)
    draw.rectangle((0, 0, width // 3 - 1, height), fill=CLEAR)
    return picture


def canvas(protocol: str, columns: int = 80, rows: int = 24, cell: tuple[int, int] = (10, 20)) -> Canvas:
    return Canvas(protocol, COLORS, columns, rows, cell)


# --- size


@pytest.mark.parametrize(
    ("size", "columns", "rows", "cells"),
    [
        ((400, 600), 80, 50, (26, 20)),  # a card's usual shape: as high as it may be
        ((400, 600), 80, 24, (26, 20)),
        ((400, 600), 40, 24, (13, 10)),
        ((400, 600), 80, 12, (11, 8)),
        ((600, 400), 120, 50, (40, 13)),
        ((1, 1), 80, 24, (26, 13)),
        ((10_000, 1), 80, 24, (26, 1)),
        ((1, 10_000), 80, 24, (1, 20)),
        ((400, 600), 2, 3, (1, 1)),
    ],
)
def test_pictures_fit(size: tuple[int, int], columns: int, rows: int, cells: tuple[int, int]) -> None:
    assert pictures.fit(size, canvas("blocks", columns, rows)) == cells


@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    *(st.integers(1, 400), st.integers(1, 200)),
    st.tuples(st.integers(4, 40), st.integers(4, 80)),
)
def test_no_picture_takes_more_than_its_share(
    size: tuple[int, int], columns: int, rows: int, cell: tuple[int, int]
) -> None:
    across, down = pictures.fit(size, canvas("sixel", columns, rows, cell))
    assert 1 <= across <= max(columns // 3, 1) and 1 <= down <= max(min(20, rows - 4), 1)
    if across > 1 and down > 1:  # in proportion, but for whole characters
        assert (across - 1) * cell[0] * size[1] <= (down + 1) * cell[1] * size[0]
        assert (down - 1) * cell[1] * size[0] <= (across + 1) * cell[0] * size[1]


# --- the ways to draw


def test_blocks_hold_two_pixels_each() -> None:
    picture = Image.new("RGBA", (5, 2))
    for x, (upper, lower) in enumerate([(RED, BLUE), (RED, BLUE), (CLEAR, GREEN), (GREEN, CLEAR), (CLEAR, CLEAR)]):
        picture.putpixel((x, 0), upper)
        picture.putpixel((x, 1), lower)
    assert pictures.half_blocks(picture, COLORS) == (
        "\x1b[0;38;2;255;0;0;48;2;0;0;255m▀▀\x1b[0;38;2;0;255;0m▄▀\x1b[0m \x1b[0m\n"
    )
    assert (
        pictures.half_blocks(picture.crop((0, 0, 1, 2)), ColorSystem.EIGHT_BIT) == "\x1b[0;38;5;196;48;5;21m▀\x1b[0m\n"
    )
    assert pictures.half_blocks(picture.crop((0, 0, 1, 2)), ColorSystem.STANDARD) == "\x1b[0;31;44m▀\x1b[0m\n"


def frame(text: str, rows: int) -> str:
    """What stands between making room and going below the picture."""
    before, after = "\n" * rows + f"\x1b[{rows}A\x1b7", f"\x1b8\x1b[{rows}B\r"
    assert text.startswith(before) and text.endswith(after)
    return text.removeprefix(before).removesuffix(after)


def test_kitty_gets_a_png_in_pieces_and_is_asked_for_no_answer() -> None:
    noise = Image.effect_noise((300, 450), 90)
    body = frame(pictures.draw(saved(noise), canvas("kitty")), 20)
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", body)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == body and len(parts) > 2
    keys = [dict(pair.split("=") for pair in head.split(",")) for head, _ in parts]
    assert keys[0] == {"a": "T", "f": "100", "c": "26", "r": "20", "C": "1", "q": "2", "m": "1"}
    assert [key["m"] for key in keys[1:]] == ["1"] * (len(parts) - 2) + ["0"]
    assert all(key["q"] == "2" for key in keys) and all(len(data) <= 4096 for _, data in parts)
    picture = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in parts))))
    assert picture.size == (260, 400)


def test_iterm_gets_a_png() -> None:
    body = frame(pictures.draw(saved(flag()), canvas("iterm", 40)), 10)
    head, _, data = body.removesuffix("\a").partition(":")
    png = base64.b64decode(data)
    assert head == f"\x1b]1337;File=inline=1;size={len(png)};width=13;height=10;preserveAspectRatio=1"
    assert Image.open(io.BytesIO(png)).convert("RGBA").getpixel((100, 20)) == RED


def read_sixel(text: str) -> dict[tuple[int, int], tuple[int, int, int]]:
    """The pixels of a sixel picture."""
    found = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', text)
    assert found
    palette: dict[int, tuple[int, int, int]] = {}
    pixels: dict[tuple[int, int], tuple[int, int, int]] = {}
    x = top = color = 0
    for define, use, count, char in re.findall(r"#(\d+;2;\d+;\d+;\d+)|#(\d+)|!(\d+)(?=.)|(.)", found[3]):
        if define:
            number, _, *parts = map(int, define.split(";"))
            palette[number] = (parts[0], parts[1], parts[2])
        elif use:
            color = int(use)
        elif count:
            x += int(count) - 1  # the character itself comes next
            run = int(count)
            continue
        elif char in "$-":
            x, top = 0, top + 6 * (char == "-")
        else:
            bits = ord(char) - 63
            assert 0 <= bits < 64
            for back in range(run):
                pixels |= {(x - back, top + bit): palette[color] for bit in range(6) if bits >> bit & 1}
            x += 1
        run = 1
    assert all(x < int(found[1]) and y < int(found[2]) for x, y in pixels)
    return pixels


def test_sixel_draws_every_solid_pixel_once() -> None:
    pixels = read_sixel(frame(pictures.draw(saved(flag(130, 200)), canvas("sixel", 40)), 10))
    assert pixels[100, 20] == (100, 0, 0) and pixels[100, 180] == (0, 0, 100) and pixels[129, 199] == (0, 0, 100)
    assert (20, 20) not in pixels
    assert {y for _, y in pixels} == set(range(200))
    assert len(pixels) == pytest.approx(130 * 200 * 2 / 3, rel=0.02)


# --- what a terminal can do


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1", "TMUX": "/tmp/tmux"}, "blocks"),
        ({"TERM": "screen-256color", "TERM_PROGRAM": "iTerm.app"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230801"}, "kitty"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "211203"}, "blocks"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "mlterm-256color"}, "sixel"),
        ({"TERM": "xterm-kitty", "ADVREPL_PICTURES": "off"}, "off"),
        ({"TERM": "xterm", "ADVREPL_PICTURES": "Sixel"}, "sixel"),
        ({}, "blocks"),
    ],
)
def test_terminals_are_known_by_their_environment(environment: dict[str, str], protocol: str) -> None:
    assert pictures.graphics_protocol(environment) == protocol


def test_unknown_protocol_is_one_sentence() -> None:
    with pytest.raises(AdvreplError, match="ADVREPL_PICTURES is kitty, iterm, sixel, blocks or off, not 'ascii'"):
        pictures.graphics_protocol({"ADVREPL_PICTURES": "ascii"})


@pytest.mark.parametrize(
    ("environment", "system"),
    [
        ({"COLORTERM": "truecolor"}, ColorSystem.TRUECOLOR),
        ({"TERM": "xterm-256color"}, ColorSystem.EIGHT_BIT),
        ({"TERM": "linux"}, ColorSystem.STANDARD),
    ],
)
def test_colors(environment: dict[str, str], system: ColorSystem) -> None:
    assert pictures.color_system(environment) is system


# --- odd and broken pictures


def half(mode: str, light: object, dark: object) -> Image.Image:
    picture = Image.new(mode, (8, 8), light)  # type: ignore[arg-type]
    picture.paste(dark, (0, 4, 8, 8))  # type: ignore[arg-type]
    return picture


def indexed() -> Image.Image:
    return Image.new("RGB", (8, 8), "white").quantize(4)


@pytest.mark.parametrize(
    ("data", "pixel"),
    [
        (saved(half("1", 1, 0)), (255, 255, 255, 255)),
        (saved(half("L", 200, 0)), (200, 200, 200, 255)),
        (saved(half("LA", (200, 128), (0, 0))), (200, 200, 200, 128)),
        (saved(half("I;16", 40_000, 0)), (156, 156, 156, 255)),
        (saved(half("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "JPEG"), (254, 254, 254, 255)),
        (saved(indexed(), transparency=b"\0\0\0\0"), (255, 255, 255, 0)),
        (saved(half("RGB", "red", "blue"), "WEBP", lossless=True), RED),
        (saved(half("RGB", "red", "blue"), "BMP"), RED),
        (saved(Image.new("RGB", (8, 8), "red"), "GIF", save_all=True, append_images=[Image.new("RGB", (8, 8))]), RED),
        (saved(Image.new("RGB", (8, 8), "red"), save_all=True, append_images=[Image.new("RGB", (8, 8))]), RED),
    ],
    ids=["1", "L", "LA", "I16", "CMYK", "P", "WebP", "BMP", "GIF that moves", "PNG that moves"],
)
def test_pictures_of_all_kinds(data: bytes, pixel: tuple[int, ...]) -> None:
    assert pictures.decode(data).getpixel((1, 1)) == pixel
    for protocol in ("kitty", "iterm", "sixel", "blocks"):
        assert pictures.draw(data, canvas(protocol))


def bomb(width: int, height: int) -> bytes:
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return HEAD[:8] + chunk(b"IHDR", size + b"\x08\0\0\0\0") + chunk(b"IDAT", zlib.compress(bytes(10**6))) + END


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (bomb(60_000, 60_000), "the picture is far too large: 40,000,000 pixels are the most"),
        (bomb(10_000, 9_000), "the picture is far too large"),
        (bomb(8_000, 6_000), "the picture has 8,000 × 6,000 pixels; 40,000,000 are the most"),
        (bomb(0, 5), "the picture cannot be shown"),
        (bomb(5_000, 5_000), "the picture cannot be shown"),  # fewer pixels than it says
        (saved(flag())[:100], "the picture cannot be shown"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "the picture cannot be shown"),
        (b"", "the picture cannot be shown"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "the picture cannot be shown"),
    ],
)
def test_pictures_that_cannot_be_shown_are_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(AdvreplError) as error:
        pictures.decode(data)
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


def test_our_own_mistakes_are_not_taken_for_a_damaged_picture() -> None:
    with pytest.raises(TypeError):
        pictures.decode("a text, no file")  # type: ignore[arg-type]


GOOD = [saved(flag(12, 9)), *(saved(flag(12, 9).convert("RGB"), kind) for kind in ("JPEG", "GIF", "WEBP", "BMP"))]


@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    st.integers(1, 800),
)
def test_any_damage_is_survived(good: bytes, changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(good)
    for place, byte in changes:
        data[place % len(data)] = byte
    survives(lambda: pictures.draw(bytes(data[:length]), canvas("blocks")))


@given(st.binary(max_size=200), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF"]))
def test_any_bytes_are_survived(data: bytes, magic: bytes) -> None:
    survives(lambda: pictures.draw(magic + data, canvas("blocks")))
