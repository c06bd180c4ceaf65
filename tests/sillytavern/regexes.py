"""Regular expressions as people write them, as they must not be written, and out of a grammar: for test_regexes.py."""

import random
import re
from collections.abc import Iterator

FLAGS = ("", "", "i", "u", "s", "m", "iu", "y", "g", "gi", "im", "su", "isu", "yi")
PIECES = (
    *("a", "b", "ab", "owl", "é", "猫", "к", ".", r"\d", r"\w", r"\s", r"\b", r"\B", r"\W", r"\D", r"\S", "[a-c]"),
    *("[^a]", r"[\w-]", r"[^\x01]", r"[\D]", r"\x41", r"\u0061", r"\u{61}", r"\1", r"\2", r"\k<n>", "(?<n>a)", "(a)"),
    *("(?:b|c)", "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", "^", "$", "|", "(", ")", "[", "]", "{", "}", "{2}", "{1,}"),
    *("{,2}", "*", "+", "?", "*?", "??", r"\p{L}", r"\P{Nd}", r"\cA", r"\0", r"\-", r"\/", r"\.", r"\n", r"\t", " "),
    *("-", ",", ":", "_", r"\_", r"\e", "(?i)", "[]", "[^]", "[b-a]", r"[\b]", "(?:", "(?=", "(?!", "(?<=", "(?<!"),
    *("(?<m>", "(", ")", ")", ")*", ")+", "){2}", "){0}", ")?", "{1,2}?", "{0}", "{2,1}", "{,}", "{a}", "{1", "{1,2"),
    *(r"\u{1F600}", r"\uD83D\uDE00", r"\uD83D", "😀", "[😀]", r"\p{Script=Cyrillic}", r"\p{Lu}", r"\P{Ll}"),
    *(r"\p{sc=Han}", r"\p{Foo}", r"\pL", r"\p{L", r"\p", r"[\s\S]", r"[^\W_]", r"[a-\d]", r"[\d-z]", r"[\w-a]"),
    *("[--a]", "[a-]", "[-a]", "[]a]", "[^]a]", "[[a]]", "[a&&b]", "[a--b]", r"[\]a]", r"[\^a]", "[^^]", "[.]"),
    *(r"[\B]", r"[\c]", r"[\ca]", r"[\c0]", r"[\1]", r"[\12]", r"[\0]", r"[\x4]", r"[\u12]", r"[\k]", r"[\p{L}]"),
    *(r"[^\p{L}\d]", r"[\P{L}]", r"\1{2}", r"\3", r"\10", r"\01", r"\00", r"\08", r"\8", r"\18", r"\377", r"\400"),
    *(r"\k", r"\k<", r"\k<m>", r"\k<zz>", "(?<n>b)", "(?<$x>b)", r"\k<$x>", "(?<é>a)", "(?<1>a)", "(?<>a)"),
    *(r"(?<\u0061>b)", r"\k<a>", "(?i:a)", "(?i:", "(?-i:a)", "(?i-s:B)", "(?-:a)", "(?ii:a)", "(?m)", "(?#x)"),
    *("(?P<n>a)", "(?>a)", "(?|a)", "a++", r"\A", r"\Z", r"\Q", r"\E", r"\h", r"\K", r"\X", r"\c", r"\c1", r"\cé"),
    *(r"\x", r"\x4", r"\x4g", r"\u", r"\u00", r"\u{", r"\u{61", r"\u{110000}", r"\u{000061}", r"\\", "\\'", r"\@"),
    *(r"\~", r"\#", r"\<", r"\é", r"\猫", "ſ", "\u212a", "ß", "ẞ", "ς", "Σ", "İ", "ı", "ǅ", "µ", "Μ", "\u2126", "ﬀ"),
    *("SS", "s", "k", "S", "É", "e\u0301", "Ж", "ж", "[à-ý]", "[А-Я]", "[^а-я]", r"[\u0400-\u04ff]", "\xa0", "\u2028"),
    *(r"\u2028", "\x01", r"\x01", r"\x01Mo:", "\n", r"\v", r"\f", r"\r"),
)
TEXTS = (
    "Ann: aab abc owl-2 É\nb: 猫 A_ ка", "ab", "Mo: (a|b) {2} 1,a-", "s é ésab\nA",
    "Mo: ſ \u212a ß ẞ ς Σ σ İ ı i I ǅ ǆ µ μ Μ \u2126 ω Ω å Å ﬀ ff ss SS sK",
    "😀 a b \xa0\u2028e\u0301 é Ж ж аб", "\\d {a} {1,2 [] a&&b a--b ]a ^ @~#<> ' z E x4g u00 u{61 c1 pL 8 \0 \x10 aaaa",
    " \n\n a\n", "Mo: AbC cab aaaa ba",
)  # fmt: skip
SHORT_TEXTS = ("ab", "aab\nbc a", "AbC ba", "s é\nA")  # JavaScript has no limit of time
ATOMS = (
    *("a", "b", "c", "A", "ab", ".", r"\w", r"\W", r"\d", "[ab]", "[^a]", r"\1", r"\2", r"\3", r"\k<n>", r"\b", r"\B"),
    *("^", "$", " ", "\n", "é", "s", "[A-C]"),
)
HEADS = ("(", "(", "(?:", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?<n>", "(?i:", "(?-i:", "(?s:", "(?m:")
TIMES = ("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}?", "{0}")


def pieces(count: int, seed: int) -> list[str]:
    """Write patterns of which many are none, always the same ones."""
    rng = random.Random(seed)
    return [_key("".join(rng.choices(PIECES, k=rng.randint(1, rng.choice((3, 6, 8))))), rng) for _ in range(count)]


def nested(count: int, seed: int) -> list[str]:
    """Write patterns of groups in groups, most of them valid, always the same ones."""
    rng = random.Random(seed)
    return [_key(_names_once(_either(rng, rng.randint(1, 2))), rng) for _ in range(count)]


def _key(pattern: str, rng: random.Random) -> str:
    return f"/{pattern[:300]}/{rng.choice(FLAGS)}"


def _names_once(pattern: str) -> str:
    numbers: Iterator[int] = iter(range(1_000))
    return re.sub(r"\?<n>", lambda _: f"?<n{next(numbers) or ''}>", pattern)


def _either(rng: random.Random, depth: int) -> str:
    every = range(rng.choice((1, 1, 1, 2, 2, 3)))
    return "|".join("".join(_term(rng, depth) for _ in range(rng.randint(1, 3))) for _ in every)


def _term(rng: random.Random, depth: int) -> str:
    times = rng.choice(TIMES)
    if not depth or rng.random() > 0.45:
        return rng.choice(ATOMS) + (times if rng.random() < 0.5 else "")
    head = rng.choice(HEADS)
    times = "" if head in ("(?<=", "(?<!") else rng.choice(("", "", "?", "*")) if head in ("(?=", "(?!") else times
    return f"{head}{_either(rng, depth - 1)}){times}"
