"""What makes an adventure's turn a good one, as figures that need no reader. Pure functions on text.

Does not play (game.py). The lists of words here are the judge's own: none of them is advrepl's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Turn = tuple[str, str, tuple[str, ...]]  # what the player said, the prose of the reply, its options


def _words(name: str) -> frozenset[str]:
    return frozenset((Path(__file__).parent / f"{name}.txt").read_text("utf-8").split())


WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# What says nothing about what is told.
FUNCTION_WORDS = _words("function_words")
# What can be done, as an imperative begins with it.
VERBS = _words("verbs")
# Words about the game instead of what happens in it.
OUTSIDE = {
    *("reader", "readers", "game", "games", "story", "stories", "item", "items", "player", "players", "user"),
    *("option", "options"),
}
_FIRST_PERSON = re.compile(r"\b(?:I|I['’]\w+|me|my|mine|myself|we|our|us)\b")
_SECOND_PERSON = re.compile(r"\byou(?:r|rs|rself|['’]\w+)?\b", re.IGNORECASE)
_SPEECH = re.compile(r"[\"“][^\"”]*[\"”]?|(?<!\w)['‘][^'’\n]*['’](?!\w)")
_PLAYER = re.compile(r"[*\"]*You[*\"]*:|\**You (?:nod|smile|look|take|sit|walk|say|ask|reply|laugh|feel|open|turn)\b")
# Not the sign that a reply was broken off.
_ENDS = re.compile(r"[.!?][\"'”’)*]*$")
_SENTENCE = re.compile(r"[^.!?…]+[.!?…]?")


@dataclass(frozen=True)
class Judged:
    """What is true of one turn; None: not asked of it."""

    second_person: bool
    answers: bool | None  # names what the player did; None: he named nothing
    place: bool  # names something of the opening
    stays: bool  # names two things of the opening or the last two replies
    whole: bool
    fresh: bool  # says no sentence of the last replies again
    options: int
    doable: int  # of the options
    seen: int  # of the options, in the last six menus
    twins: int  # pairs in the menu that mean the same


def stem(word: str) -> str:
    """Return a word without its English ending, roughly: what remains is for comparing only."""
    word = word.casefold().replace("’", "'").removesuffix("'s")
    for ending in ("ing", "ed", "ies", "es", "s", "ly", "y", "e"):
        if len(word) - len(ending) >= 3 and word.endswith(ending):
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def content(text: str) -> set[str]:
    """Return the stems of the words that say something."""
    return {stem(word) for word in WORD.findall(text) if word.casefold() not in FUNCTION_WORDS and len(word) > 2}


def judge(turns: Sequence[Turn], number: int, opening: str) -> Judged:
    """Judge one turn of a story by those before it."""
    said, prose, options = turns[number]
    told, acted = content(prose), content(said)
    known = content(" ".join([opening, *(turn[1] for turn in turns[max(number - 2, 0) : number])])) - acted
    before = [turn[1] for turn in turns[max(number - 12, 0) : number]]
    menus = [option for turn in turns[max(number - 6, 0) : number] for option in turn[2]]
    pairs = [(a, b) for i, a in enumerate(options) for b in options[i + 1 :]]
    return Judged(
        in_second_person(prose),
        bool(acted & told) if acted else None,
        bool(told & (content(opening) - acted)),
        len(told & known) > 1,
        bool(_ENDS.search(prose)) and is_balanced(prose),
        not set(sentences(prose)) & {each for text in before for each in sentences(text)},
        len(options),
        sum(map(can_be_done, options)),
        sum(any(same(option, other) for other in menus) for option in options),
        sum(same(a, b) for a, b in pairs),
    )


def in_second_person(prose: str) -> bool:
    """Tell whether the narrator speaks to the player and not of himself, outside of what is spoken."""
    told = _SPEECH.sub(" ", prose)
    return bool(_SECOND_PERSON.search(told)) and not _FIRST_PERSON.search(told)


def speaks_for_player(prose: str) -> bool:
    """Tell whether a paragraph of a character's reply is the player's: his name before a colon, or what he does."""
    return any(_PLAYER.match(paragraph.strip()) for paragraph in prose.split("\n"))


def is_balanced(text: str) -> bool:
    """Tell whether each quotation mark and parenthesis has its partner."""
    pairs = (("“", "”"), ("(", ")"))
    return text.count('"') % 2 == 0 and all(text.count(a) == text.count(b) for a, b in pairs)


def sentences(text: str) -> list[str]:
    """Return the sentences of five words and more, without case and marks."""
    words = ([word.casefold() for word in WORD.findall(each)] for each in _SENTENCE.findall(text))
    return [" ".join(each) for each in words if len(each) >= 5]


def can_be_done(option: str) -> bool:
    """Tell whether an option is something to do: a verb first, nothing of the game itself, quotes closed."""
    words = [word.casefold() for word in WORD.findall(option)]
    return len(words) > 1 and words[0] in VERBS and not OUTSIDE & set(words) and is_balanced(option)


def same(one: str, other: str) -> bool:
    """Tell whether two options are one: their verbs and the words that say something are mostly shared."""
    a, b = (content(option) | set(map(stem, WORD.findall(option)[:1])) for option in (one, other))
    return len(a & b) > 0.6 * len(a | b)
