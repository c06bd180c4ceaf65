"""Regular expressions of JavaScript, in which the keys of lore are written, as patterns of the library `regex`.

What JavaScript refuses is refused, with and without its flag u, and what it takes means the same; but for letters
beyond U+FFFF, which are whole here also without u.
Reference: ECMA-262, 2023, 22.2 and Annex B.1.2. Does not search (key_match.py).
"""

import re
from dataclasses import dataclass, field

import regex

FLAGS = "gimsuy"
MAX_COST = 10_000  # characters and classes of a pattern with its counted repeats written out, as `regex` does
MAX_DEPTH = 100  # of groups in groups
MOST = 1_000_000  # repeats beyond which there might as well be no limit

DIGIT, WORD = "0-9", "A-Za-z0-9_"
SPACE = r"\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
NEWLINES = r"\n\r\u2028\u2029"
SETS = {"d": DIGIT, "w": WORD, "s": SPACE}
CONTROLS = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
ANY = "(?s:.)"
NOTHING = "(?!)"
DASH = r"\-"  # between the ends of a range, where it can be
BORDER = f"(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))"
INSIDE = f"(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}]))"

_PAIR = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = rf"\\(?:{_PAIR}|u[0-9a-fA-F]{{4}}|u\{{[0-9a-fA-F]+\}}|x[0-9a-fA-F]{{2}}|c[A-Za-z]|[pP]\{{[\w=]+\}}|[0-9]+|.)"
_TOKEN = re.compile(
    r"(?P<text>[^\\^$.*+?()\[\]{}|]+(?![*+?{]))"
    r"|(?P<set>\[(?:[^\]\\]|\\.)*\])"
    rf"|(?P<escape>\\k<[^>]*>|{_ESCAPE})"
    r"|(?P<open>\((?:\?(?:[:=!]|<[=!]|<[^>]*>)|(?!\?)))"
    r"|(?P<other>.)",
    re.DOTALL,
)
_TIMES = re.compile(r"([*+?]|\{([0-9]+)(,?)([0-9]*)\})(\??)")
_OPENED = re.compile(r"\\.|\[(?:[^\]\\]|\\.)*\]|(\((?!\?)|\(\?<(?![=!]))", re.DOTALL)
_SET_ITEM = re.compile(rf"{_ESCAPE}|.", re.DOTALL)
_PLAIN_SET = re.compile(r"\[\^?[\w ]+\]")
_NAMED = re.compile(r"\\[uxpP]")
_SPECIAL = re.compile(r"[^\w\s\0-\x1f]")
_GROUP_NAME = re.compile(r"[^\W\d$][\w$]*|[$][\w$]*")
# Of the categories and properties of Unicode, those that keys are likely to name.
_NAMES = re.compile(
    "C[cfnos]?|L[Clmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|Letter|(?:Lower|Upper)case_Letter|Mark|Number"
    "|Decimal_Number|Punctuation|Symbol|Separator|Other|ASCII|Alpha(?:betic)?|Any|Assigned|Dash|Diacritic|Emoji"
    "|Emoji_Presentation|Extended_Pictographic|Hex_Digit|Ideographic|Lower(?:case)?|Math|Quotation_Mark"
    "|(?:Sentence_Terminal|Terminal_Punctuation)|Upper(?:case)?|White_Space|X?ID_(?:Continue|Start)"
)


class NotJavaScript(ValueError):
    """The text is no regular expression of JavaScript, or one that would take too long to make ready."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A pattern for `regex`, and what is known of its matches."""

    source: str
    flags: int


@dataclass(slots=True)
class _Group:
    """A group that is being read, or the whole pattern."""

    head: str = ""
    number: int = 0  # of a group that captures
    cost: int = 0
    atoms: list[str] = field(default_factory=list)

    def add(self, source: str, cost: int = 1) -> None:
        self.atoms.append(source)
        self.cost += cost


def translate(pattern: str, flags: str) -> Translated:
    """Translate a pattern with its flags.

    Raises NotJavaScript.
    """
    if len(set(flags)) < len(flags) or set(flags) - set(FLAGS):
        raise NotJavaScript(f"no flags: {flags}")
    return _Translation(pattern, flags).result()


class _Translation:
    """One pattern on its way, read from left to right."""

    def __init__(self, pattern: str, flags: str) -> None:
        self.pattern, self.flags = pattern, flags
        self.strict = "u" in flags
        # There regex's own \b, \w and \d are those of JavaScript, and ready four times as fast.
        caseless = self.strict and "i" in flags  # then also the long s and the sign for kelvins are of a word
        self.ascii = pattern.isascii() and not _NAMED.search(pattern) and not caseless
        self.sets = {**SETS, "w": f"{WORD}\u017f\u212a"} if caseless else SETS
        self.at = 0
        self.stack = [_Group()]
        self.opened = 0  # groups that capture, so far
        self.closed: set[int] = set()
        self.names: dict[str, int] = {}
        opened = [found[1] for found in _OPENED.finditer(pattern) if found[1]] if "(" in pattern else []
        self.groups, self.named = len(opened), "(?<" in opened

    def result(self) -> Translated:
        pattern = self.pattern
        while self.at < len(pattern):
            found = _TOKEN.match(pattern, self.at)
            if not found:
                raise NotJavaScript("a class or an escape that does not end")
            self.at, token = found.end(), found[0]
            if found.lastgroup == "text":
                self.stack[-1].add(_literal(token), len(token))
            else:
                getattr(self, f"read_{found.lastgroup}")(token)
        if len(self.stack) > 1:
            raise NotJavaScript("a group that does not end")
        whole = self.stack[0]
        if whole.cost > MAX_COST:
            raise NotJavaScript("too large")
        source = "".join(whole.atoms)
        flags = regex.VERSION0 | (regex.IGNORECASE if "i" in self.flags else 0) | (regex.ASCII if self.ascii else 0)
        return Translated(rf"\A(?:{source})" if "y" in self.flags else source, flags)

    # --- what a pattern is made of

    def atom(self, source: str, cost: int = 1) -> None:
        """Add what may be repeated, with the repeat that follows it."""
        times = _TIMES.match(self.pattern, self.at)
        if times:
            self.at = times.end()
            least = {"*": 0, "+": 1, "?": 0}[times[1]] if times[2] is None else min(int(times[2]), MOST)
            most = min(int(times[4] or MOST), MOST) if times[3] else least
            if times[2] and most < least:
                raise NotJavaScript("a repeat from more to less")
            written = f"{{{least},{most if times[4] or not times[3] else ''}}}"
            source += times[0] if times[2] is None else f"{written}{times[5]}"
            cost *= max(least, 1)
        if cost > MAX_COST:
            raise NotJavaScript("too large")
        self.stack[-1].add(source, cost)

    def assertion(self, source: str) -> None:
        """Add what stands for no letter, and cannot be repeated."""
        if _TIMES.match(self.pattern, self.at):
            raise NotJavaScript("nothing to repeat")
        self.stack[-1].add(source)

    def read_other(self, token: str) -> None:
        if token == "|":
            self.stack[-1].add("|")
        elif token == ")":
            self.close()
        elif token == ".":
            self.atom(ANY if "s" in self.flags else f"[^{NEWLINES}]")
        elif token == "^":
            self.assertion(rf"(?:\A|(?<=[{NEWLINES}]))" if "m" in self.flags else r"\A")
        elif token == "$":
            self.assertion(rf"(?:\Z|(?=[{NEWLINES}]))" if "m" in self.flags else r"\Z")
        elif token in "*+?([\\" or (token in "{}]" and self.strict) or _TIMES.match(self.pattern, self.at - 1):
            raise NotJavaScript(f"{token} where it cannot stand")
        else:
            self.atom(_literal(token))

    def read_open(self, token: str) -> None:
        if len(self.stack) > MAX_DEPTH:
            raise NotJavaScript("too many groups in groups")
        number = 0
        if token == "(" or (token.startswith("(?<") and token[3] not in "=!"):
            self.opened = number = self.opened + 1
            if name := token[3:-1]:
                if not _GROUP_NAME.fullmatch(name) or name in self.names:
                    raise NotJavaScript(f"no name of a group: {name}")
                self.names[name] = number
            token = "("
        self.stack.append(_Group(token, number))

    def close(self) -> None:
        if len(self.stack) == 1:
            raise NotJavaScript("a group that does not begin")
        group = self.stack.pop()
        source = f"{group.head}{''.join(group.atoms)})"
        self.closed.add(group.number)
        if group.head.startswith("(?<") or (self.strict and group.head in ("(?=", "(?!")):
            self.assertion(source)
            self.stack[-1].cost += group.cost
        else:
            self.atom(source, group.cost + 1)

    def read_set(self, token: str) -> None:
        if token in ("[]", "[^]"):
            self.atom(NOTHING if token == "[]" else ANY)
        else:
            self.atom(token if _PLAIN_SET.fullmatch(token) else self.set(token))

    def set(self, token: str) -> str:
        """A class: its letters and ranges, and beside them what is all but a few letters (\\W)."""
        negated = token[1] == "^"
        items = [item for found in _SET_ITEM.finditer(token[1 + negated : -1]) for item in self.set_items(found[0])]
        made, others, at = "", list[str](), 0
        while at < len(items):
            low, high = items[at], items[at + 2] if at + 2 < len(items) and items[at + 1] == DASH else ""
            at += 1
            if high and _is_letter(low) and _is_letter(high):
                if low[-1] > high[-1]:
                    raise NotJavaScript("a range from more to less")
                made, at = f"{made}{_in_set(low[-1])}-{_in_set(high[-1])}", at + 2
            elif high and self.strict:
                raise NotJavaScript("a range of classes")
            elif low[0] == "^" and len(low) > 1:
                others.append(f"[{low}]")
            else:
                made += _in_set(low[-1]) if _is_letter(low) else low
        if not others:
            return f"[{'^' if negated else ''}{made}]"
        either = "|".join([*others, *([f"[{made}]"] if made else [])])
        return f"(?:(?!{either}){ANY})" if negated else f"(?:{either})"

    def set_items(self, token: str) -> list[str]:
        """What a piece of a class stands for: letters, or what belongs between brackets."""
        if len(token) == 1:
            return [DASH if token == "-" else token]
        kind = token[1]
        if kind in "dws":
            return [self.sets[kind]]
        if kind in "DWS":
            return [f"^{self.sets[kind.lower()]}"]
        if kind in "pP" and self.strict:
            return [_property(token)]
        if kind in "b-":
            return ["\b" if kind == "b" else "-"]
        letter, rest = self.octal(token[1:]) if kind.isdigit() else self.letter(token)
        return [letter, *(DASH if each == "-" else each for each in rest)]

    # --- escapes

    def read_escape(self, token: str) -> None:
        kind = token[1]
        if kind in "bB":
            self.assertion(token if self.ascii else BORDER if kind == "b" else INSIDE)
        elif kind in "dswDSW":
            outside = "^" if kind.isupper() else ""
            self.atom(token if self.ascii and kind not in "sS" else f"[{outside}{self.sets[kind.lower()]}]")
        elif kind == "k" and (self.named or self.strict):
            self.reference(token)
        elif kind in "pP" and self.strict:
            self.atom(f"[{_property(token)}]")
        elif kind.isdigit() and kind != "0" and (self.strict or int(token[1:]) <= self.groups):
            self.back(int(token[1:]))
        else:
            letter, rest = self.octal(token[1:]) if kind.isdigit() else self.letter(token)
            self.at -= len(rest)
            self.atom(_literal(letter))

    def reference(self, token: str) -> None:
        name = token[3:-1]
        if name in self.names:
            self.back(self.names[name])
        elif f"(?<{name}>" in self.pattern and token.endswith(">"):
            self.atom("(?:)")
        else:
            raise NotJavaScript("a reference to no group")

    def back(self, number: int) -> None:
        """What a group held; nothing while it has held nothing, where other languages would not match at all."""
        if number > self.groups:
            raise NotJavaScript("a reference to no group")
        self.atom(rf"(?({number})\{number}|)" if number in self.closed else "(?:)")

    def octal(self, digits: str) -> tuple[str, str]:
        """A letter by its number in the base of 8, or a digit that is escaped for nothing; and what is left."""
        if digits == "0":
            return "\0", ""
        if self.strict:
            raise NotJavaScript("an octal number")
        found = re.match(r"[0-3][0-7]{0,2}|[4-7][0-7]?", digits)
        return (chr(int(found[0], 8)), digits[found.end() :]) if found else (digits[0], digits[1:])

    def letter(self, token: str) -> tuple[str, str]:
        """The letter that an escape stands for, and what does not belong to it."""
        kind, rest = token[1], token[2:]
        if kind in CONTROLS:
            return CONTROLS[kind], ""
        if kind == "u" and r"\u" in rest:
            high, low = int(rest[:4], 16), int(rest[6:], 16)
            return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00), ""
        if kind == "u" and rest.startswith("{") and self.strict:
            number = int(rest[1:-1], 16)
            if number > 0x10FFFF:
                raise NotJavaScript("no character")
            return chr(number), ""
        if kind in "ux" and rest and not rest.startswith("{"):
            return chr(int(rest, 16)), ""
        if kind == "c" and rest:
            return chr(ord(rest) % 32), ""
        if self.strict and kind not in r"^$\.*+?()[]{}|/":
            raise NotJavaScript(f"\\{kind} where it cannot stand")
        return ("\\", "c") if kind == "c" else (kind, rest)


def _property(token: str) -> str:
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


def _literal(text: str) -> str:
    return text if text.isalnum() else _SPECIAL.sub(r"\\\g<0>", text)


def _is_letter(item: str) -> bool:
    return len(item) == 1 or item == DASH


def _in_set(letter: str) -> str:
    return letter if letter.isalnum() else f"\\{letter}" if letter.isascii() and letter.isprintable() else letter
