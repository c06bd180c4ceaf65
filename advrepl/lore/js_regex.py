"""Regular expressions of JavaScript, in which the keys of lore are written, as patterns of the library `regex`.

What JavaScript refuses is refused, with and without its flag u, and what it takes means the same; but for letters
beyond U+FFFF, which are whole here also without u, and for what docs/characters.md lists.
Reference: ECMA-262, 2025, 22.2 and Annex B.1.2. Does not search (key_match.py).
"""

import re
from collections.abc import Iterator

import regex
from msgspec import Struct, field

from advrepl.lore.js_letters import ANY, BORDER, INSIDE, NEWLINES, SETS, WORD, NotJavaScript, property_class

FLAGS = "gimsuy"
MAX_COST = 10_000  # characters and classes of a pattern with its counted repeats written out, as `regex` does
MAX_DEPTH = 100  # of groups in groups
MOST = 1_000_000  # repeats beyond which there might as well be no limit

CONTROLS = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
NOTHING = "(?!)"
DASH = r"\-"  # between the ends of a range, where it can be

_PAIR = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = rf"\\(?:{_PAIR}|u[0-9a-fA-F]{{4}}|u\{{[0-9a-fA-F]+\}}|x[0-9a-fA-F]{{2}}|c[A-Za-z]|[pP]\{{[\w=]+\}}|[0-9]+|.)"
_TOKEN = re.compile(
    r"(?P<text>[^\\^$.*+?()\[\]{}|]+(?![*+?{]))"
    r"|(?P<set>\[(?:[^\]\\]|\\.)*\])"
    rf"|(?P<escape>\\k<[^>]*>|{_ESCAPE})"
    r"|(?P<open>\((?:\?(?:[ims]*(?:-[ims]*)?:|[=!]|<[=!]|<[^>]*>)|(?!\?)))"
    r"|(?P<other>.)",
    re.DOTALL,
)
_TIMES = re.compile(r"([*+?]|\{([0-9]+)(,?)([0-9]*)\})(\??)")
_OPENED = re.compile(r"\\.|\[(?:[^\]\\]|\\.)*\]|(\((?!\?)|\(\?<(?![=!])[^>]*>?)", re.DOTALL)
_SET_ITEM = re.compile(rf"\\c[0-9_]|{_ESCAPE}|.", re.DOTALL)
_PLAIN_SET = re.compile(r"\[\^?[\w ]+\]")
_CASELESS = re.compile(r"\(\?[ms]*i")
_NAMED = re.compile(r"\\[uxpP]")
_SPECIAL = re.compile(r"[^\w\s\0-\x1f]")
_NAME_ESCAPE = re.compile(r"\\u(?:([0-9a-fA-F]{4})|\{([0-9a-fA-F]{1,6})\})")
_GROUP_NAME = re.compile(r"[^\W\d$][\w$]*|[$][\w$]*")


class Translated(Struct, frozen=True):
    """A pattern for `regex`, and what is known of its matches."""

    source: str
    flags: int


class _Group(Struct):
    """A group that is being read, or the whole pattern."""

    head: str = ""
    number: int = 0  # of a group that captures
    flags: str = ""  # that hold behind it
    begins: int = 0
    alternative: int = 0  # that is being read
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
        caseless = self.strict and ("i" in flags or _CASELESS.search(pattern))
        self.ascii = pattern.isascii() and not _NAMED.search(pattern) and not caseless
        self.at = 0
        self.stack = [_Group()]
        self.opened = 0  # groups that capture, so far
        self.closed: set[int] = set()
        self.names: dict[str, list[int]] = {}
        self.places: dict[int, list[tuple[int, int]]] = {}  # of groups with names: the alternatives that they are in
        opened = [found[1] for found in _OPENED.finditer(pattern) if found[1]] if "(" in pattern else []
        self.groups, self.named = len(opened), any(len(each) > 1 for each in opened)

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
            self.stack[-1].alternative += 1
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
        number, flags = 0, self.flags
        if token == "(" or (token.startswith("(?<") and token[3] not in "=!"):
            self.opened = number = self.opened + 1
            if token != "(":
                self.name(token[3:-1], number)
            token = "("
        elif token.endswith(":") and token != "(?:":
            token = self.modify(token[2:-1])
        self.stack.append(_Group(token, number, flags, self.at))

    def name(self, written: str, number: int) -> None:
        """Note the name of a group; two may have the same one where only one of them can be in a match."""
        name = _group_name(written)
        place = [(group.begins, group.alternative) for group in self.stack]
        for other in self.names.setdefault(name, []):
            apart = [pair for pair in zip(place, self.places[other], strict=False) if pair[0] != pair[1]]
            if not apart or apart[0][0][0] != apart[0][1][0]:
                raise NotJavaScript(f"two groups of one name: {name}")
        self.names[name].append(number)
        self.places[number] = place

    def modify(self, modifiers: str) -> str:
        """Change the flags for a group, and return how that group begins."""
        on, _, off = modifiers.partition("-")
        if len({*on, *off}) < len(on + off) or not on + off:
            raise NotJavaScript(f"no flags: {modifiers}")
        self.flags = "".join({*self.flags, *on} - {*off})
        return "(?i:" if "i" in on else "(?-i:" if "i" in off else "(?:"

    def close(self) -> None:
        if len(self.stack) == 1:
            raise NotJavaScript("a group that does not begin")
        group = self.stack.pop()
        self.flags = group.flags
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
            return [self.members(kind)]
        if kind in "DWS":
            return [f"^{self.members(kind.lower())}"]
        if kind in "pP" and self.strict:
            return [property_class(token)]
        if kind in "b-":
            return ["\b" if kind == "b" else "-"]
        letter, rest = self.octal(token[1:]) if kind.isdigit() else self.letter(token)
        return [letter, *(DASH if each == "-" else each for each in rest)]

    def members(self, kind: str) -> str:
        """The letters of \\d, \\w and \\s; with the flags i and u the long s and the sign for kelvins are of a word."""
        return f"{WORD}\u017f\u212a" if kind == "w" and self.strict and "i" in self.flags else SETS[kind]

    # --- escapes

    def read_escape(self, token: str) -> None:
        kind = token[1]
        if kind in "bB":
            self.assertion(token if self.ascii else BORDER if kind == "b" else INSIDE)
        elif kind in "dswDSW":
            outside = "^" if kind.isupper() else ""
            self.atom(token if self.ascii and kind not in "sS" else f"[{outside}{self.members(kind.lower())}]")
        elif kind == "k" and (self.named or self.strict):
            self.reference(token)
        elif kind in "pP" and self.strict:
            self.atom(f"[{property_class(token)}]")
        elif kind.isdigit() and kind != "0" and (self.strict or int(token[1:]) <= self.groups):
            self.back(int(token[1:]))
        else:
            letter, rest = self.octal(token[1:]) if kind.isdigit() else self.letter(token)
            self.at -= len(rest)
            self.atom(_literal(letter))

    def reference(self, token: str) -> None:
        numbers = [
            number for number, name in self.named_groups() if token.endswith(">") and name == _group_name(token[3:-1])
        ]
        if not numbers:
            raise NotJavaScript("a reference to no group")
        self.back(*numbers)

    def named_groups(self) -> Iterator[tuple[int, str]]:
        """The names of groups by their numbers, also of those that are still to come."""
        opened = filter(None, (found[1] for found in _OPENED.finditer(self.pattern)))
        return ((number, _group_name(each[3:-1])) for number, each in enumerate(opened, 1) if len(each) > 1)

    def back(self, *numbers: int) -> None:
        """What one of the groups held; nothing while they have held nothing: elsewhere that would match nowhere."""
        if max(numbers) > self.groups:
            raise NotJavaScript("a reference to no group")
        backwards = any(group.head.startswith("(?<") for group in self.stack)
        source = ""
        for number in numbers:
            if number in self.closed or (backwards and number > self.opened):
                source = rf"(?({number})\{number}|{source})"
        self.atom(source or "(?:)")

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
        if kind == "c" and rest and not (self.strict and not rest.isalpha()):
            return chr(ord(rest) % 32), ""
        if (self.strict and kind not in r"^$\.*+?()[]{}|/") or (kind == "k" and self.named):
            raise NotJavaScript(f"\\{kind} where it cannot stand")
        return ("\\", "c") if kind == "c" else (kind, rest)


def _group_name(written: str) -> str:
    """The name that is written between < and >, where letters may be escaped."""
    name = _NAME_ESCAPE.sub(lambda found: chr(min(int(found[1] or found[2], 16), 0x10FFFF)), written)
    if not _GROUP_NAME.fullmatch(name):
        raise NotJavaScript(f"no name of a group: {name}")
    return name


def _literal(text: str) -> str:
    return text if text.isalnum() else _SPECIAL.sub(r"\\\g<0>", text)


def _is_letter(item: str) -> bool:
    return len(item) == 1 or item == DASH


def _in_set(letter: str) -> str:
    return letter if letter.isalnum() else f"\\{letter}" if letter.isascii() and letter.isprintable() else letter
