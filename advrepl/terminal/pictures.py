"""A picture as text for a terminal: graphics where the terminal is known to have them, else colored half blocks.

Asks the terminal nothing, since its answers would come among the player's keys: what it can do is read from the
environment, or said with ADVREPL_PICTURES. Needs Pillow (the extra `pictures`).
"""

import base64
import io
import re
import shutil
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from advrepl import AdvreplError

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.color import ColorSystem

PROTOCOLS = ("kitty", "iterm", "sixel", "blocks", "off")
WIDTH_SHARE = 3  # a picture takes at most this part of the width
MAX_ROWS = 20
ROWS_LEFT = 4  # of the terminal's height, so that nothing has scrolled away when the first words come
MAX_PIXELS = 40_000_000  # takes 160 MB for a moment
MAX_CELL = 100  # pixels; a terminal that claims more is wrong
USUAL_CELL = (10, 20)  # pixels, where a terminal does not tell the size of its characters
SIXEL_COLORS = 128
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
# What Pillow raises for broken files of these formats (found by damaging some 180,000, Pillow 11.0 and 13.0, and in its
# source), and what it raises where a large one does not fit into memory.
PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, MemoryError)
KITTY_CHUNK = 4096
BY_PROGRAM = {"iTerm.app": "iterm", "WezTerm": "iterm", "mintty": "iterm", "ghostty": "kitty"}
BY_TERM = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty", "foot": "sixel", "mlterm": "sixel", "contour": "sixel"}
KONSOLE_WITH_GRAPHICS = 220400  # 22.04


class Canvas(Struct, frozen=True):
    """What a picture is drawn on."""

    protocol: str  # one of PROTOCOLS
    colors: "ColorSystem"  # of half blocks
    columns: int
    rows: int
    cell: tuple[int, int] = USUAL_CELL  # pixels of a character, across and down

    @classmethod
    def of(cls, environment: Mapping[str, str], out: TextIO) -> "Canvas":
        """Take them from the environment and the terminal's size."""
        rows, columns, width, height = _window(out)
        cell = (width // columns, height // rows)
        believable = all(4 <= side <= MAX_CELL for side in cell)
        return cls(
            graphics_protocol(environment), color_system(environment), columns, rows, cell if believable else USUAL_CELL
        )


def available() -> bool:
    """Say whether Pillow is installed."""
    return find_spec("PIL") is not None


def graphics_protocol(environment: Mapping[str, str]) -> str:
    """Return how a terminal with this environment shows pictures, as one of PROTOCOLS."""
    chosen = environment.get("ADVREPL_PICTURES", "").lower()
    if chosen:
        if chosen not in PROTOCOLS:
            raise AdvreplError(
                f"ADVREPL_PICTURES is {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}, not {chosen[:40]!r}"
            )
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


def color_system(environment: Mapping[str, str]) -> "ColorSystem":
    """Return how many colors a terminal with this environment has."""
    from rich.color import ColorSystem

    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return ColorSystem.TRUECOLOR
    term = environment.get("TERM", "")
    return ColorSystem.EIGHT_BIT if "256" in term or term in BY_TERM else ColorSystem.STANDARD


def draw(data: bytes, canvas: Canvas) -> str:
    """Return a picture's file as what is to be written; the cursor stands at the beginning of a line before and after.

    Raises AdvreplError where the file is damaged or too large, or pictures are off.
    """
    if canvas.protocol == "off":
        raise AdvreplError("pictures are off: ADVREPL_PICTURES says so")
    picture = decode(data)
    columns, rows = fit(picture.size, canvas)
    if canvas.protocol == "blocks":
        return half_blocks(_scaled(picture, columns, 2 * rows), canvas.colors)
    picture = _scaled(picture, columns * canvas.cell[0], rows * canvas.cell[1])
    if canvas.protocol == "kitty":
        body = kitty(_png(picture), columns, rows)
    elif canvas.protocol == "iterm":
        body = iterm(_png(picture), columns, rows)
    else:
        body = sixel(picture)
    # Room is made first, since a picture that scrolls the screen takes the cursor to where each terminal likes.
    return "\n" * rows + f"\x1b[{rows}A\x1b7{body}\x1b8\x1b[{rows}B\r"


def decode(data: bytes) -> "Image":
    """Return the first frame of a picture's file as RGBA; anything wrong with it is an AdvreplError of one sentence."""
    from PIL import Image

    with _damage_told():
        picture: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    if picture.width * picture.height > MAX_PIXELS:
        raise AdvreplError(
            f"the picture has {picture.width:,} × {picture.height:,} pixels; {MAX_PIXELS:,} are the most"
        )
    with _damage_told():
        picture.load()
        if picture.mode.startswith("I"):  # 16 bits of gray, of which a conversion would only keep the darkest
            picture = picture.convert("I").point(lambda value: value / 256).convert("L")
        return picture.convert("RGBA")


@contextmanager
def _damage_told() -> Iterator[None]:
    """Tell in one sentence what Pillow raises for a broken file. For its calls only: our mistakes must not look so."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise AdvreplError(f"the picture is far too large: {MAX_PIXELS:,} pixels are the most") from None
    except UnidentifiedImageError:
        raise AdvreplError("the picture cannot be shown: it is damaged, or no PNG, JPEG, GIF, WebP or BMP") from None
    except PILLOW_ERRORS as error:
        reason = " ".join(str(error).split())[:100]
        raise AdvreplError(f"the picture cannot be shown: {reason or 'it is damaged'}") from error


def fit(size: tuple[int, int], canvas: Canvas) -> tuple[int, int]:
    """Return columns and rows for a picture of so many pixels: in proportion, and its share of the screen at most."""
    width, height = size
    across, down = canvas.cell
    columns = max(canvas.columns // WIDTH_SHARE, 1)
    rows = max(min(MAX_ROWS, canvas.rows - ROWS_LEFT), 1)
    scale = min(columns * across / width, rows * down / height)
    return (
        min(max(round(width * scale / across), 1), columns),
        min(max(round(height * scale / down), 1), rows),
    )


# --- one function for each protocol


def half_blocks(picture: "Image", system: "ColorSystem") -> str:
    """Draw two pixels in each character: its upper half in the color of the text, the lower one in that behind it."""
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


def _block(upper: bytes, lower: bytes, system: "ColorSystem") -> tuple[str, str]:
    """The codes that style one character, and the character; where the picture is transparent nothing is drawn."""
    if upper[3] < 128 and lower[3] < 128:
        return "", " "
    if upper[3] < 128:
        return _ink(lower, system, True), "▄"
    return _ink(upper, system, True) + (_ink(lower, system, False) if lower[3] >= 128 else ""), "▀"


def _ink(pixel: bytes, system: "ColorSystem", foreground: bool) -> str:
    from rich.color import Color

    codes = Color.from_rgb(*pixel[:3]).downgrade(system).get_ansi_codes(foreground)
    return ";" + ";".join(codes)


def kitty(png: bytes, columns: int, rows: int) -> str:
    """Draw as in https://sw.kovidgoyal.net/kitty/graphics-protocol/: q=2, no answers; C=1, the cursor stays."""
    text = base64.b64encode(png).decode()
    parts = [text[start : start + KITTY_CHUNK] for start in range(0, len(text), KITTY_CHUNK)]
    head = f"a=T,f=100,c={columns},r={rows},C=1,q=2,"
    last = len(parts) - 1
    return "".join(
        f"\x1b_G{head if not number else 'q=2,'}m={int(number < last)};{part}\x1b\\"
        for number, part in enumerate(parts)
    )


def iterm(png: bytes, columns: int, rows: int) -> str:
    """Draw as in https://iterm2.com/documentation-images.html; WezTerm and mintty know it too."""
    size = f"size={len(png)};width={columns};height={rows};preserveAspectRatio=1"
    return f"\x1b]1337;File=inline=1;{size}:{base64.b64encode(png).decode()}\a"


def sixel(picture: "Image") -> str:
    """Draw in bands of six rows, color after color; each character says which of the six are set.

    Source: DEC VT330/VT340 Programmer Reference Manual, chapter 14.
    """
    import numpy as np

    reduced = picture.convert("RGB").quantize(SIXEL_COLORS)
    palette = reduced.getpalette() or []
    pixels = np.asarray(reduced)
    solid = np.asarray(picture.getchannel("A")) >= 128
    used = np.unique(pixels[solid])
    # 1 in the second place: what is not drawn stays as it was. Colors are in percent.
    out = [f'\x1bP0;1;0q"1;1;{picture.width};{picture.height}']
    for color in used:
        red, green, blue = (palette[3 * int(color) + channel] * 100 // 255 for channel in range(3))
        out.append(f"#{color};2;{red};{green};{blue}")
    bands = []
    for top in range(0, picture.height, 6):
        band, drawn = pixels[top : top + 6], solid[top : top + 6]
        weights = (1 << np.arange(len(band)))[:, None]
        rows = {color: (((band == color) & drawn) * weights).sum(axis=0) + 63 for color in np.unique(band[drawn])}
        bands.append("$".join(f"#{color}{_shortened(row.astype(np.uint8).tobytes())}" for color, row in rows.items()))
    return "".join(out) + "-".join(bands) + "\x1b\\"


def _shortened(row: bytes) -> str:
    """Four and more of the same in a row as a count; what is empty at the end is left out."""
    return re.sub(rb"(.)\1{3,}", lambda run: b"!%d%c" % (len(run[0]), run[1]), row.rstrip(b"?")).decode()


# ---


def _scaled(picture: "Image", width: int, height: int) -> "Image":
    from PIL.Image import Resampling

    # Small a: colors are weighed by how solid they are, else edges take on what hides behind them.
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
