"""Does a text fit a GBNF grammar? Servers that do not know the field ignore it without a word, so answers are checked.

For grammars whose rules do not call themselves, as all of ours (prompt/options.py): these are regular expressions.
"""

import re
from collections.abc import Iterator

import regex

_TOKEN = re.compile(
    r'\s+|(?P<text>"(?:\\.|[^"\\])*")|(?P<kind>\[(?:\\.|[^\]\\])*\])|(?P<name>[A-Za-z][\w-]*)|(?P<sign>[|()?*+]|\{[^}]*\})'
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}


def fits(text: str, grammar: str) -> bool:
    """Tell whether a text is what a grammar allows, or how that begins."""
    return regex.fullmatch(pattern(grammar), text, partial=True) is not None


def pattern(grammar: str) -> str:
    """Return the regular expression of a grammar's rule `root`."""
    rules: dict[str, str] = {}
    for line in grammar.split("\n"):
        name, _, body = line.partition("::=")
        rules[name.strip()] = body
    return _expression("root", rules, frozenset())


def _expression(name: str, rules: dict[str, str], above: frozenset[str]) -> str:
    if name in above or name not in rules:
        raise ValueError(f"the rule {name} is not there, or calls itself")
    return "(?:" + "".join(_parts(rules[name], rules, above | {name})) + ")"


def _parts(body: str, rules: dict[str, str], above: frozenset[str]) -> Iterator[str]:
    at = 0
    while at < len(body):
        found = _TOKEN.match(body, at)
        if not found:
            raise ValueError(f"not understood: {body[at : at + 20]!r}")
        at = found.end()
        if found["text"]:
            yield f"(?:{regex.escape(_plain(found['text'][1:-1]), literal_spaces=True)})"
        elif found["kind"]:
            yield _class(found["kind"][1:-1])
        elif found["name"]:
            yield _expression(found["name"], rules, above)
        elif found["sign"]:
            yield "(?:" if found["sign"] == "(" else found["sign"]


def _class(inside: str) -> str:
    negated = inside.startswith("^")
    characters = _ESCAPE.sub(lambda found: f"\\U{ord(_escaped(found)):08X}", inside[negated:])
    spelled = "".join(char if char in "-\\" or char.isalnum() else f"\\U{ord(char):08X}" for char in characters)
    return f"[{'^' if negated else ''}{spelled}]"


def _plain(text: str) -> str:
    return _ESCAPE.sub(_escaped, text)


def _escaped(found: "re.Match[str]") -> str:
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else _NAMED.get(found[4], found[4])
