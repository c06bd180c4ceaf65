"""What JavaScript's regular expressions call a digit, a blank, a border, a capital, as pieces of patterns of `regex`.

Reference: ECMA-262, 2025, 22.2. Does not know how patterns are made of them (js_regex.py).
"""

import re

import regex

DIGIT, WORD = "0-9", "A-Za-z0-9_"
SPACE = r"\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
NEWLINES = r"\n\r\u2028\u2029"
SETS = {"d": DIGIT, "w": WORD, "s": SPACE}
ANY = "(?s:.)"
BORDER = f"(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))"
INSIDE = f"(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}]))"
# Of the categories and properties of Unicode, those that keys are likely to name.
_NAMES = re.compile(
    "C[cfnos]?|L[Clmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|Letter|(?:Lower|Upper)case_Letter|Mark|Number"
    "|Decimal_Number|Punctuation|Symbol|Separator|Other|ASCII|Alpha(?:betic)?|Any|Assigned|Dash|Diacritic|Emoji"
    "|Emoji_Presentation|Extended_Pictographic|Hex_Digit|Ideographic|Lower(?:case)?|Math|Quotation_Mark"
    "|(?:Sentence_Terminal|Terminal_Punctuation)|Upper(?:case)?|White_Space|X?ID_(?:Continue|Start)"
)


class NotJavaScript(ValueError):
    """The text is no regular expression of JavaScript, or one that would take too long to make ready."""


def property_class(token: str) -> str:
    r"""What \p{…} of JavaScript is here, to stand in a class."""
    name, equals, value = token[3:-1].partition("=")
    if equals:
        if name not in ("Script", "sc", "Script_Extensions", "scx", "General_Category", "gc"):
            raise NotJavaScript(f"no property: {name}")
        token = rf"\{token[1]}{{{'gc' if name in ('General_Category', 'gc') else 'sc'}={value}}}"
    elif not _NAMES.fullmatch(name):
        raise NotJavaScript(f"no property: {name}")
    try:
        regex.compile(token)
    except regex.error as error:
        raise NotJavaScript(f"no property: {token}") from error
    return token
