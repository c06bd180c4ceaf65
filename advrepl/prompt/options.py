"""The list of choices at the end of a reply: part it off, constrain it, tidy it. Pure functions on text.

Does not write anything (writer.py does) and does not know how the menu is shown. What a line of a list looks like is in
lists.py.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, pairwise

import regex

from advrepl.prompt import actions, lists
from advrepl.prompt.languages import ENGLISH, YOU, Language
from advrepl.scripts import ends_sentence, full_stop, is_unspaced, script_names, script_ranges, words

LEAST_OPTIONS = 2  # one line with a dash is speech, not a choice, where more than one option is asked for
MAX_WORDS = 14
MAX_CHARACTERS = 40  # of an option in a script without spaces
LINE_TOKENS = 32  # the most tokens one option may take; MAX_WORDS usually ends it before

# Characters of words in any script, as ranges; each may hold unassigned characters and marks of its scripts, as finer
# ones would be hundreds, which llama.cpp tries one by one for each character of each token.
LETTERS = (
    *((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xB5, 0xB5), (0xBA, 0xBA), (0xC0, 0xD6), (0xD8, 0xF6)),
    *((0xF8, 0x1FFF), (0x200C, 0x200D), (0x2C00, 0x2DFF), (0x3005, 0x3007), (0x3031, 0x3035), (0x3040, 0x31FF)),
    *((0x3400, 0xD7FF), (0xF900, 0xFDFF), (0xFE20, 0xFE2F), (0xFE70, 0xFEFC), (0xFF10, 0xFF19), (0xFF21, 0xFF3A)),
    *((0xFF41, 0xFF5A), (0xFF66, 0xFFDC), (0x10000, 0x1CBFF), (0x1E000, 0x1EFFF), (0x20000, 0x3FFFF)),
)
# Of these, what is written without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Chinese and Japanese.
UNSPACED = (
    *((0xE00, 0xFFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3031, 0x3035), (0x3040, 0x312F)),
    *((0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF)),
    *((0x1950, 0x19DF), (0x1A20, 0x1AAF), (0xAA80, 0xAADF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF)),
)
# Small letters that stand in a row; where they alternate with capitals, an option may begin with one.
SMALL = ((0x61, 0x7A), (0xDF, 0xF6), (0xF8, 0xFF), (0x24F, 0x2AF), (0x3AC, 0x3CE), (0x430, 0x45F), (0x560, 0x588))

Ranges = Sequence[tuple[int, int]]

_LOOSE = " ,;:-–—"


def split(text: str, least: int = LEAST_OPTIONS) -> tuple[str, tuple[str, ...]]:
    """Part a reply into its prose and the options of its closing list; all is prose if it has less than `least`."""
    lines = text.rstrip().split("\n")
    options: list[lists.Item] = []
    while lines:
        found = lists.item(lines[-1])
        if found and lists.may_follow(found, (options or [found])[-1]):
            options.append(found)
        elif lines[-1].strip() or not options:
            break
        lines.pop()
    if len(options) < least:
        return text.strip(), ()
    return "\n".join(lines).rstrip(), tuple(option.text for option in reversed(options))


def join(prose: str, options: Iterable[str], marker: str = "-") -> str:
    """The inverse of `split`: the reply as it goes into the story."""
    lines = [f"{mark} {option}" for mark, option in zip(_markers(marker), options, strict=False)]
    return "\n".join([prose, *lines]) if prose else "\n".join(lines)


def parted(text: str, option_count: int) -> tuple[str, tuple[str, ...]]:
    """Part a reply as it is shown: where no options are asked for, a list in it is prose."""
    return split(text, min(option_count, LEAST_OPTIONS)) if option_count else (text.strip(), ())


def line_start(marker: str, position: int) -> str:
    """What stands before option number `position` (from 0), with its newline: "\\n-" or "\\n2.".

    The space after it is left to the grammar: tokenizers keep it with the word that follows.
    """
    for index, mark in enumerate(_markers(marker)):
        if index == position:
            return f"\n{mark}"
    raise AssertionError("unreachable: markers never end")


def letters(story: str) -> list[tuple[int, int]]:
    """Return the characters that words may hold in this story: its scripts, Latin and digits; all if it has no letters.

    A model that was kept from its first choice would else take the next one from anywhere.
    """
    return _letters(script_names(story))


@lru_cache(maxsize=64)
def _letters(names: frozenset[str]) -> list[tuple[int, int]]:
    found = [script_ranges(name) for name in names]
    if not found or not all(found):
        return list(LETTERS)
    scripts = chain.from_iterable((*found, script_ranges("LATIN")))
    return _both(LETTERS, [(0x30, 0x39), (0x300, 0x36F), (0x200C, 0x200D), *scripts])


def grammar(
    avoid: Sequence[str] = (),
    verbs: Sequence[str] = (),
    story: str = "",
    held: Sequence[str] | None = None,
    seen: Sequence[str] = (),
) -> str:
    """A GBNF grammar for the words of one option, up to its newline, in the scripts of the story.

    It is one of these verbs with things that the story names, if there are any verbs; and unlike those to avoid:
    with another verb than theirs, or without verbs with another letter. `story`: what was told last; `held`: what the
    player has, if that is known; `seen`: what is not to be done again with another verb either.
    """
    if verbs:
        spoken = actions.first_words(avoid)
        rules = actions.grammar((verb for verb in verbs if verb.casefold() not in spoken), story, held, seen)
        return "\n".join((r'root ::= " " action [.!?]? "\n"', rules))
    taken = {said[0][0] for option in avoid if (said := words(option))}
    counted = not taken.isdisjoint("0123456789")  # does one begin with a number?
    inside = letters(story)
    ranges = without(inside, [(0x30, 0x39), *SMALL, *((ord(c), ord(c)) for one in taken for c in {one, one.lower()})])
    unspaced, begun = _both(inside, UNSPACED), _both(ranges, UNSPACED)
    without_spaces = (
        *((f"first tail{{0,12}} [{gbnf(unspaced)}]",) if unspaced else ()),
        *((f"[{gbnf(begun)}]",) if begun else ()),
        *((f"[0-9]{{1,4}} [{gbnf(without(unspaced, [(0x30, 0x39)]))}]",) if unspaced and not counted else ()),
    )
    unspaced_line = rf"unspaced ::= [“‘«「『《（]? ({' | '.join(without_spaces)}) any{{1,{MAX_CHARACTERS}}}"
    return "\n".join(
        (
            rf'root ::= " " (spaced{" | unspaced" * bool(unspaced)}) "\n"',
            rf'spaced ::= open? (first tail{{0,24}}{" | amount" * (not counted)}) close (" " word){{1,{MAX_WORDS - 1}}}'
            " | first tail{2,24} end",
            # Not what may be the number of a line, a digit before a sentence.
            'amount ::= ([0-9]{1,4} ("-"? lettered | " " small) | [0-9]{2,4} " " lettered) tail{0,24}',
            rf"small ::= [{gbnf(_both(inside, SMALL))}]",
            rf"lettered ::= [{gbnf(without(inside, [(0x30, 0x39), *UNSPACED]))}]",
            rf"first ::= [{gbnf(without(ranges, UNSPACED))}]",
            r"word ::= ([-–—] | open? letter tail{0,24} close)",
            rf"letter ::= [{gbnf(without(inside, UNSPACED))}]",
            "tail ::= letter | ['’-]",
            # French has a blank within its quotes and before signs of two parts; Korean goes on behind a quote.
            r"""open ::= ["'“‘„«»(¿¡] | "«" blank""",
            r"""close ::= (sign | blank [;:!?])? (["'”’“»«)] tail{0,8} | blank "»")? sign?""",
            r"blank ::= [ \u00A0\u202F]",
            r"sign ::= [,;:،؛] | end",
            r"end ::= [.!?…।॥؟۔։።]",
            *((unspaced_line,) if unspaced else ()),
            r"any ::= [^\x00-\x1F<>|{}\x5B\x5C\x5D*_#~`@\x7F]",
        )
    )


def prose_grammar(begun: bool) -> str:
    """A GBNF grammar for a sentence or two of prose in any script, where a model has nothing to say by itself.

    `begun`: it goes on from words that are there.
    """
    first = '" "' if begun else f"[{gbnf(without(LETTERS, [(0x30, 0x39), *SMALL]))}]"
    return rf"root ::= {first} [^\x00-\x1F\x7F<>|]{{30,300}} [.!?…。！？।؟۔։።]"


def gbnf(ranges: Ranges) -> str:
    """Spell ranges of characters as in a class of a grammar."""
    return "".join(f"\\U{low:08X}-\\U{high:08X}" for low, high in ranges)


def without(ranges: Ranges, holes: Ranges) -> list[tuple[int, int]]:
    """Return the ranges without the characters of others."""
    left = list(ranges)
    for low, high in holes:
        parts = [(a, min(b, low - 1)) for a, b in left] + [(max(a, high + 1), b) for a, b in left]
        left = sorted({(a, b) for a, b in parts if a <= b})
    return left


def _both(ranges: Ranges, others: Ranges) -> list[tuple[int, int]]:
    return without(ranges, without([(0, 0x10FFFF)], others))


def tidy(line: str, language: Language = ENGLISH, cut: bool = False, most: int = MAX_WORDS) -> str:
    """One whole sentence out of what was written for an option, with a full stop; of `most` words: cut at a joint.

    `cut`: it was broken off, so that its last word may be half a word.
    """
    text = " ".join(line.split())
    found = lists.item(text)
    text = found.text if found else text
    while (found := lists.item(f"- {text}")) and found.text != text:  # a line may have two marks
        text = found.text
    text = text if ends_sentence(text) else text.rstrip(_LOOSE)
    if cut and " " in text and not is_unspaced(text[-1:]):
        text = text.rpartition(" ")[0]
    too_long = cut or len(text.split()) >= most
    if ends_sentence(text) and not too_long:
        return text
    if too_long and (joint := _last_joint(text, language)):
        text = text[:joint]
    while too_long and language.dangling and (dangling := _dangling(text, language)):
        text = text[: dangling.start()]
    text = text.rstrip(_LOOSE + ".!?…。！？।")
    return text + full_stop(text) if text else ""


def _last_joint(text: str, language: Language) -> int | None:
    """Where the last part of a sentence begins that can be left off."""
    joining = rf"(?:,| -|;| –| —)? (?:{language.joints}) |" if language.joints else ""
    joints = list(regex.finditer(rf"{joining}[,;:] | [-–—] |[、。；：]", text))
    return joints[-1].start() if joints and joints[-1].start() else None


def _dangling(text: str, language: Language) -> "regex.Match[str] | None":
    return regex.search(rf"(?:^|\s)(?:{language.dangling})[.!?…]*$", text, regex.IGNORECASE)


def key(option: str) -> tuple[str, ...]:
    """What makes two options the same choice: their words, without case, punctuation and an opening "You"."""
    said = words(option.casefold())
    return tuple(said[1:] if len(said) > 1 and said[0] in YOU else said)


def alike(one: str, other: str) -> bool:
    """Do two options mean the same choice: nearly the same words, or one kind of action with the same things?

    Characters of a script without spaces are no words: there the same two in a row are compared.
    """
    a, b = _said(one), _said(other)
    return not a or not b or len(a & b) >= 0.8 * len(a | b) or actions.same(one, other)


def _said(option: str) -> set[str]:
    said = key(option)
    return {a + b for a, b in pairwise(said)} if is_unspaced(option) and len(said) > 1 else set(said)


def among(option: str, others: Iterable[str]) -> bool:
    """Is an option alike one of these?"""
    return any(alike(option, other) for other in others)


def parse(text: str, count: int, language: Language = ENGLISH) -> tuple[str, ...]:
    """Options out of what a model wrote without a grammar: the first `count` different list lines, or none."""
    found: list[str] = []
    for line in text.split("\n"):
        item = lists.item(line)
        option = tidy(item.text, language) if item else ""
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
