"""The list of choices at the end of a reply: find it, constrain it, tidy it. Pure functions on text.

Does not write anything (writer.py does) and does not know how the menu is shown.
"""

import re
from collections.abc import Iterable, Sequence

from advrepl.prompt import actions

# A list line: "- Go in", "* Go in", "• Go in", "1. Go in", "2) Go in", "a) Go in".
_MARKER = r"(?:[-*•–]|\d{1,2}[.)]|[A-Ea-e][.)])"
_LINE = re.compile(rf"^[ \t]*({_MARKER})[ \t]+(\S.*?)\s*$")
_LIST_START = re.compile(rf"(?:^|\n)[ \t]*({_MARKER})[ \t]+(?=\S)")
# What could still become the beginning of a list, at the end of the text written so far.
_PERHAPS = re.compile(rf"(?:^|\n)[ \t]*(?:{_MARKER}|\d{{1,2}}|[A-Ea-e])?[ \t]*$")

MAX_OPTIONS = 8
LEAST_OPTIONS = 2  # one line with a dash is speech, not a choice
MAX_WORDS = 14
MAX_WORDS_WITH_VERB = 9  # a small model has no more to say of it
LINE_TOKENS = 32  # the most tokens one option may take; MAX_WORDS usually ends it before
# Words that make a statement or a question rather than something to do; options begin with them less often.
STATEMENTS = (
    *("You", "Your", "I", "My", "It", "He", "She", "They", "We", "His", "Her", "There", "This", "That", "These"),
    *("The", "A", "An", "In", "As", "If", "What", "How", "Why", "Is", "Are", "Do", "Can"),
)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*$")
# Where a line that ran too long may be cut so that a whole sentence is left.
_DANGLING = re.compile(
    r"(?:^|\s)(?:a|an|the|of|to|in|on|at|with|and|or|for|from|by|that|your|its|some|very)[.!?…]*$", re.I
)
_JOINT = re.compile(
    r"(?:,| -|;| –| —)? (?:and|but|or|then|so|while|before|because|as|who|which|where|until) |[,;:] | [-–—] "
)


_LOOSE = " ,;:-–—"
_TWICE = re.compile(r"\b(?=(\w+) \1\b)")


def split(text: str) -> tuple[str, tuple[str, ...]]:
    """Part a reply into its prose and the options of its closing list (none: the whole is prose)."""
    lines = text.rstrip().split("\n")
    options: list[str] = []
    while lines:
        found = _LINE.match(lines[-1])
        if found:
            options.append(found[2])
        elif lines[-1].strip() or not options:
            break
        lines.pop()
    if len(options) < LEAST_OPTIONS:
        return text.strip(), ()
    return "\n".join(lines).rstrip(), tuple(reversed(options))


def join(prose: str, options: Iterable[str], marker: str = "-") -> str:
    """The inverse of `split`: the reply as it goes into the story."""
    lines = [f"{mark} {option}" for mark, option in zip(_markers(marker), options, strict=False)]
    return "\n".join([prose, *lines]) if prose else "\n".join(lines)


def list_start(text: str, start: int = 0) -> re.Match[str] | None:
    """Where a list begins in the text, at `start` or later, with the marker of its first line as group 1."""
    return _LIST_START.search(text, start)


def may_be_list(text: str, start: int = 0) -> int:
    """From where on, at `start` or later, the end of the text could still turn into a list; its length if it cannot."""
    found = _PERHAPS.search(text, start)
    return found.start() if found else len(text)


def line_start(marker: str, position: int) -> str:
    """What stands before option number `position` (from 0), with its newline: "\\n-" or "\\n2.".

    The space after it is left to the grammar: tokenizers keep it with the word that follows.
    """
    for index, mark in enumerate(_markers(marker)):
        if index == position:
            return f"\n{mark}"
    raise AssertionError("unreachable: markers never end")


def grammar(avoid: Sequence[str] = (), verbs: Sequence[str] = (), told: str = "") -> str:
    """A GBNF grammar for the words of one option, up to its newline.

    It begins with one of these verbs, if there are any, and a thing that was told of; and unlike those to avoid: with
    another verb than theirs, or without verbs with another letter.
    """
    if verbs:
        taken = actions.first_words(avoid)
        rules = actions.grammar((verb for verb in verbs if verb.casefold() not in taken), told)
        word = r"word ::= [A-Za-zÀ-ÿ] [A-Za-zÀ-ÿ'’-]{0,17}"
        return "\n".join((rf'root ::= " " action (" " word){{0,{MAX_WORDS_WITH_VERB - 4}}} [.!?]? "\n"', rules, word))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    left = "".join(letter for letter in letters if all(letter != option[:1].upper() for option in avoid))
    word = r"""word ::= ["'“‘(]? [A-Za-zÀ-ÿ0-9] [A-Za-zÀ-ÿ0-9'’-]{0,17} [,;:.!?…]? ["'”’)]?"""
    return "\n".join(
        (rf'root ::= " " first (" " word){{1,{MAX_WORDS - 1}}} "\n"', rf"first ::= [{left}] [a-zà-ÿ'’-]{{0,14}}", word)
    )


def ends_sentence(text: str) -> bool:
    """Tell whether the text ends with a whole sentence, quotes behind it included."""
    return bool(_SENTENCE_END.search(text.rstrip()))


def open_quote(text: str) -> str:
    """Return the quotation mark that the last paragraph lacks; empty: none."""
    last = text.rsplit("\n", 1)[-1]
    if last.count('"') % 2:
        return '"'
    return "”" if last.count("“") > last.count("”") else ""


def tidy(line: str, most: int = MAX_WORDS) -> str:
    """One whole sentence out of what was written for an option, with a full stop; of `most` words: cut at a joint."""
    text = " ".join(line.split())
    found = _LINE.match(text)
    text = (found[2] if found else text).rstrip(_LOOSE)
    too_long = len(text.split()) >= most
    if _SENTENCE_END.search(text) and not too_long:
        return text
    if too_long and (joints := list(_JOINT.finditer(text))):
        text = text[: joints[-1].start()]
    while too_long and _DANGLING.search(text):
        text = _DANGLING.sub("", text)
    text = text.rstrip(_LOOSE + ".!?…")
    return text + "." if text else ""


def before_repeat(line: str) -> str:
    """Return the line up to the word that comes twice in a row: from there on a small model only repeats itself."""
    return _TWICE.split(line, maxsplit=1)[0]


def key(option: str) -> tuple[str, ...]:
    """What makes two options the same choice: their words, without case, punctuation and an opening "You"."""
    words = re.findall(r"[^\W_]+", option.casefold())
    return tuple(words[1:] if words[:1] == ["you"] and len(words) > 1 else words)


def alike(one: str, other: str) -> bool:
    """Do two options mean the same choice: nearly the same words, or one kind of action with the same things?"""
    a, b = set(key(one)), set(key(other))
    if not a or not b or len(a & b) >= 0.8 * len(a | b):
        return True
    kind = actions.kind(one)
    done, other_done = actions.named(one) | {kind}, actions.named(other) | {kind}
    return kind is not None and kind == actions.kind(other) and len(done & other_done) >= 0.6 * len(done | other_done)


def among(option: str, others: Iterable[str]) -> bool:
    """Is an option alike one of these?"""
    return any(alike(option, other) for other in others)


def parse(text: str, count: int) -> tuple[str, ...]:
    """Options out of what a model wrote without a grammar: the first `count` different list lines, or none."""
    found: list[str] = []
    for line in text.split("\n"):
        match = _LINE.match(line)
        option = tidy(match[2]) if match else ""
        if option and not among(option, found):
            found.append(option)
    return tuple(found[:count]) if len(found) >= count else ()


def _markers(marker: str) -> Iterable[str]:
    """The markers of a list's lines, as its first marker begins it: "-", "-", … or "1.", "2.", … or "a)", "b)", …"""
    head, tail = marker[:-1], marker[-1:]
    index = 0
    while True:
        if head.isdigit():
            yield f"{index + 1}{tail}"
        elif head.isalpha():
            yield chr(ord("A" if head.isupper() else "a") + index) + tail
        else:
            yield marker
        index += 1
