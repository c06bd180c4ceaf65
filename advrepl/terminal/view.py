"""Text on its way to the screen: nothing foreign gets there raw, and lines are wrapped as they are written.

Pure: knows widths, not terminals. screen.py does the writing.
"""

# What may reach a terminal besides ordinary characters: newline and tab.
_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}  # ESC becomes ␛
_CONTROLS[0x7F] = "\N{SYMBOL FOR DELETE}"
# 8-bit controls, and overrides that let text run backwards over what stands beside it.
_REPLACED = (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
_CONTROLS |= dict.fromkeys(_REPLACED, "\N{REPLACEMENT CHARACTER}")
_CONTROLS |= {0x2028: "\n", 0x2029: "\n"}


def visible(text: str) -> str:
    """The text with control and escape characters made visible or replaced, so that it is only text."""
    return text.replace("\r\n", "\n").translate(_CONTROLS)


def one_line(text: str) -> str:
    """Visible, and without line breaks."""
    return " ".join(visible(text).split())
