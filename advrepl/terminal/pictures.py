"""A picture as text for a terminal: graphics where the terminal is known to have them, else coloured half blocks.

Asks the terminal nothing, since its answers would come among the player's keys: what it can do is read from the
environment, or said with ADVREPL_PICTURES. Needs Pillow (the extra `pictures`).
"""

import base64
import io
import re
import shutil
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

from rich.color import Color, ColorSystem

from advrepl import AdvreplError

if TYPE_CHECKING:
    from PIL.Image import Image

INSTALL = "pictures need one more package: pip install 'advrepl[pictures]'"
WAYS = ("kitty", "iterm", "sixel", "blocks", "off")
SHARE = 3  # a picture takes at most this part of the width
MOST_ROWS = 20
ROWS_LEFT = 4  # of the terminal's height, so that nothing has scrolled away when the first words come
PIXELS = 40_000_000  # takes 160 MB for a moment
MOST_CELL = 100  # pixels; a terminal that claims more is wrong
USUAL_CELL = (10, 20)  # pixels, where a terminal does not tell the size of its characters
SHADES = 128  # colours of a sixel picture
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
# What Pillow is known to raise on broken files.
BROKEN = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError),
    *(struct.error, zlib.error),
)
KITTY_CHUNK = 4096
BY_PROGRAM = {"iTerm.app": "iterm", "WezTerm": "iterm", "mintty": "iterm", "ghostty": "kitty"}
BY_TERM = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty", "foot": "sixel", "mlterm": "sixel", "contour": "sixel"}
KONSOLE_WITH_GRAPHICS = 220400  # 22.04


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a picture is drawn on."""

    way: str  # one of WAYS
    colours: ColorSystem  # of half blocks
    columns: int
    rows: int
    cell: tuple[int, int] = USUAL_CELL  # pixels of a character, across and down

    @classmethod
    def of(cls, environment: Mapping[str, str], out: TextIO) -> "Canvas":
        rows, columns, width, height = _window(out)
        cell = (width // columns, height // rows)
        believable = all(4 <= side <= MOST_CELL for side in cell)
        return cls(way(environment), colours(environment), columns, rows, cell if believable else USUAL_CELL)


def possible() -> bool:
    """Is Pillow there?"""
    return find_spec("PIL") is not None


def way(environment: Mapping[str, str]) -> str:
    """How a terminal with this environment shows pictures."""
    chosen = environment.get("ADVREPL_PICTURES", "").lower()
    if chosen:
        if chosen not in WAYS:
            raise AdvreplError(f"ADVREPL_PICTURES is {', '.join(WAYS[:-1])} or {WAYS[-1]}, not {chosen[:40]!r}")
        return chosen
    term = environment.get("TERM", "")
    if environment.get("TMUX") or environment.get("STY") or term.startswith(("tmux", "screen")):
        return "blocks"  # the terminal behind them gets no graphics, and the rest of the environment is its own
    if environment.get("KITTY_WINDOW_ID") or _number(environment.get("KONSOLE_VERSION", "")) >= KONSOLE_WITH_GRAPHICS:
        return "kitty"
    if environment.get("LC_TERMINAL") == "iTerm2":  # goes through ssh
        return "iterm"
    program = BY_PROGRAM.get(environment.get("TERM_PROGRAM", ""))
    return program or BY_TERM.get(term) or BY_TERM.get(term.partition("-")[0], "blocks")


def colours(environment: Mapping[str, str]) -> ColorSystem:
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return ColorSystem.TRUECOLOR
    term = environment.get("TERM", "")
    return ColorSystem.EIGHT_BIT if "256" in term or term in BY_TERM else ColorSystem.STANDARD


def drawn(data: bytes, canvas: Canvas) -> str:
    """The picture as what is to be written; the cursor stands at the beginning of a line before and after."""
    if canvas.way == "off":
        raise AdvreplError("pictures are off: ADVREPL_PICTURES says so")
    picture = opened(data)
    columns, rows = fitted(picture.size, canvas)
    if canvas.way == "blocks":
        return blocks(_scaled(picture, columns, 2 * rows), canvas.colours)
    picture = _scaled(picture, columns * canvas.cell[0], rows * canvas.cell[1])
    if canvas.way == "kitty":
        body = kitty(_png(picture), columns, rows)
    elif canvas.way == "iterm":
        body = iterm(_png(picture), columns, rows)
    else:
        body = sixel(picture)
    # Room is made first, since a picture that scrolls the screen takes the cursor to where each terminal likes.
    return "\n" * rows + f"\x1b[{rows}A\x1b7{body}\x1b8\x1b[{rows}B\r"


def opened(data: bytes) -> "Image":
    """The first frame, in colours with transparency; anything wrong with it is one sentence."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            if picture.width * picture.height > PIXELS:
                raise AdvreplError(
                    f"the picture has {picture.width:,} × {picture.height:,} pixels; {PIXELS:,} are the most"
                )
            if picture.mode.startswith("I"):  # 16 bits of grey, of which a conversion would only keep the darkest
                picture = picture.convert("I").point(lambda value: value / 256).convert("L")
            return picture.convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise AdvreplError(f"the picture is far too large: {PIXELS:,} pixels are the most") from None
    except UnidentifiedImageError:
        raise AdvreplError("the picture cannot be shown: it is damaged, or no PNG, JPEG, GIF, WebP or BMP") from None
    except BROKEN as error:
        reason = " ".join(str(error).split())[:100]
        raise AdvreplError(f"the picture cannot be shown: {reason or 'it is damaged'}") from error


def fitted(size: tuple[int, int], canvas: Canvas) -> tuple[int, int]:
    """Columns and rows of a picture that keeps its proportions and takes no more than its share of the screen."""
    width, height = size
    across, down = canvas.cell
    columns = max(canvas.columns // SHARE, 1)
    rows = max(min(MOST_ROWS, canvas.rows - ROWS_LEFT), 1)
    scale = min(columns * across / width, rows * down / height)
    return (
        min(max(round(width * scale / across), 1), columns),
        min(max(round(height * scale / down), 1), rows),
    )


# The ways to draw


def blocks(picture: "Image", system: ColorSystem) -> str:
    """Two pixels in each character: its upper half in the colour of the text, the lower one in that behind it."""
    data, width = picture.tobytes(), picture.width
    rows = [data[start : start + 4 * width] for start in range(0, len(data), 4 * width)]
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line, last = "", ""
        for x in range(0, 4 * width, 4):
            style, char = _block(upper[x : x + 4], lower[x : x + 4], system)
            line += char if style == last else f"\x1b[0{style}m{char}"
            last = style
        lines.append(f"{line}\x1b[0m\n")
    return "".join(lines)


def _block(upper: bytes, lower: bytes, system: ColorSystem) -> tuple[str, str]:
    """The codes that style one character, and the character; where the picture is transparent nothing is drawn."""
    if upper[3] < 128 and lower[3] < 128:
        return "", " "
    if upper[3] < 128:
        return _ink(lower, system, True), "▄"
    return _ink(upper, system, True) + (_ink(lower, system, False) if lower[3] >= 128 else ""), "▀"


def _ink(pixel: bytes, system: ColorSystem, foreground: bool) -> str:
    codes = Color.from_rgb(*pixel[:3]).downgrade(system).get_ansi_codes(foreground)
    return ";" + ";".join(codes)


def kitty(png: bytes, columns: int, rows: int) -> str:
    """https://sw.kovidgoyal.net/kitty/graphics-protocol/: q=2, no answers; C=1, the cursor stays."""
    text = base64.b64encode(png).decode()
    parts = [text[start : start + KITTY_CHUNK] for start in range(0, len(text), KITTY_CHUNK)]
    head = f"a=T,f=100,c={columns},r={rows},C=1,q=2,"
    last = len(parts) - 1
    return "".join(
        f"\x1b_G{head if not number else 'q=2,'}m={int(number < last)};{part}\x1b\\"
        for number, part in enumerate(parts)
    )


def iterm(png: bytes, columns: int, rows: int) -> str:
    """https://iterm2.com/documentation-images.html, as WezTerm and mintty know it too."""
    size = f"size={len(png)};width={columns};height={rows};preserveAspectRatio=1"
    return f"\x1b]1337;File=inline=1;{size}:{base64.b64encode(png).decode()}\a"


def sixel(picture: "Image") -> str:
    """Bands of six rows, colour after colour; each character says which of the six are set (DEC VT330, chapter 14)."""
    import numpy as np

    reduced = picture.convert("RGB").quantize(SHADES)
    palette = reduced.getpalette() or []
    pixels = np.asarray(reduced)
    solid = np.asarray(picture.getchannel("A")) >= 128
    used = np.unique(pixels[solid])
    # 1 in the second place: what is not drawn stays as it was. Colours are in percent.
    out = [f'\x1bP0;1;0q"1;1;{picture.width};{picture.height}']
    for colour in used:
        red, green, blue = (palette[3 * int(colour) + channel] * 100 // 255 for channel in range(3))
        out.append(f"#{colour};2;{red};{green};{blue}")
    bands = []
    for top in range(0, picture.height, 6):
        band, drawn = pixels[top : top + 6], solid[top : top + 6]
        weights = (1 << np.arange(len(band)))[:, None]
        rows = {colour: (((band == colour) & drawn) * weights).sum(axis=0) + 63 for colour in np.unique(band[drawn])}
        bands.append("$".join(f"#{colour}{_shortened(row.astype(np.uint8).tobytes())}" for colour, row in rows.items()))
    return "".join(out) + "-".join(bands) + "\x1b\\"


def _shortened(row: bytes) -> str:
    """Four and more of the same in a row as a count; what is empty at the end is left out."""
    return re.sub(rb"(.)\1{3,}", lambda run: b"!%d%c" % (len(run[0]), run[1]), row.rstrip(b"?")).decode()


# What is underneath


def _scaled(picture: "Image", width: int, height: int) -> "Image":
    from PIL.Image import Resampling

    # Small a: colours are weighed by how solid they are, else edges take on what hides behind them.
    return picture.convert("RGBa").resize((width, height), Resampling.LANCZOS, reducing_gap=2.0).convert("RGBA")


def _png(picture: "Image") -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _window(out: TextIO) -> tuple[int, int, int, int]:
    """Rows and columns of the terminal, its width and height in pixels (0: it does not tell)."""
    width = height = 0
    try:
        import fcntl
        import termios

        rows, columns, width, height = struct.unpack("4H", fcntl.ioctl(out.fileno(), termios.TIOCGWINSZ, bytes(8)))
    except (ImportError, OSError, ValueError):  # no such terminal
        columns, rows = shutil.get_terminal_size()
    return rows or 24, columns or 80, width, height


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
