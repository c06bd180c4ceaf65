"""What may have come into the player's hands in an exchange, or left them, and where he may have gone, in English.

Small models say yes to all that they are offered, so no more is offered than how it is told allows. Pure functions on
text; which things there are is in things.py, and what is made of it in play/inventory.py.
"""

import re
from collections.abc import Iterable, Iterator

from advrepl.prompt.things import CARRIED, KINDS, PRONOUNS, WORD

_SENTENCE = re.compile(r"[^.!?;\n]+")
_TAKE = {
    *("take", "took", "grab", "grabbed", "pick", "picked", "get", "got", "collect", "collected", "carry", "pocket"),
    *("hold", "keep", "steal", "stole", "wear", "lift", "buy", "bought", "snatch", "seize", "accept", "receive"),
    *("draw", "have", "bring", "borrow", "unhook", "gather"),
}
_GIVE = {"give", "gives", "gave", "hand", "hands", "handed", "pass", "passes", "offers", "throws", "tosses", "lends"}
_LOSE = {
    *("drop", "dropped", "give", "gave", "hand", "handed", "throw", "threw", "toss", "put", "lay", "leave", "left"),
    *("lose", "lost", "sell", "sold", "offer", "eat", "drink", "burn", "break", "broke", "return", "lend", "place"),
    *("takes", "steals", "snatches", "grabs", "seizes", "set", "fling", "cast"),
}
_GONE = {"gone", "lost", "stolen", "missing", "breaks", "falls", "slips", "shatters", "vanishes", "vanished"}
_TO = {"in", "into", "inside", "to", "onto", "on", "enter", "reach", "entering", "reaching"}
_LEADS = {"from", "of", "past", "out", "at", "with", "for", "behind", "under", "by", "around", "through", "over", *_TO}
_OWN = {"your", "my", "his", "her", "their", "its"}
_REACH = 6  # words between who does something and what he does
# What a player says he takes, of whatever name: three words of it at most.
_SAID = re.compile(
    r"\W*(?:i\s+)?(?:take|grab|get|collect|carry|steal|buy|pocket|pick up)\s+(?:(?:the|a|an|my|his|her|its)\s+)?"
    r"((?:[^\W\d_]+ ){0,2}?[^\W\d_]+)(?=[.!,;]|$|\s+(?:and|from|with|off|out|in|on|to|that|before)\b)",
    re.IGNORECASE,
)
_NO_THING = {*PRONOUNS, "it", "that", "this", "all", "everything", "one", "up", "off", "out", "away", "cover", "care"}


def taken(line: str, reply: str) -> list[str]:
    """Return what may have come into the player's hands, in the order of the text."""
    found = dict.fromkeys(thing for words in _sentences(line, reply) for thing in _taken(words))
    said = _SAID.match(line)
    if said and said[1].casefold() not in _NO_THING and not found.keys() & {*said[1].casefold().split()}:
        found = {said[1].casefold(): None, **found}
    return list(found)


def lost(held: Iterable[str], line: str, reply: str) -> list[str]:
    """Return what of the things that are held may have left the player's hands."""
    sentences = list(_sentences(line, reply))
    return [thing for thing in held if any(_is_lost(thing.casefold().split()[-1], words) for words in sentences)]


def places(line: str, reply: str) -> list[str]:
    """Return where the player may be now, the place that was named last first."""
    found = [place for words in _sentences(line, reply) for place in _reached(words)]
    return list(dict.fromkeys(reversed(found)))


def _sentences(line: str, reply: str) -> Iterator[list[str]]:
    """The words of each sentence; the player does what his line says."""
    for number, text in enumerate((line, reply)):
        for sentence in _SENTENCE.findall(text.casefold()):
            words = ["you" if word == "i" and not number else word for word in WORD.findall(sentence)]
            yield words if number or words[:1] == ["you"] else ["you", *words]


def _taken(words: list[str]) -> Iterator[str]:
    for at, word in enumerate(words):
        rest = words[at + 1 :]
        if not ("you" in words[max(at - _REACH, 0) : at] and (word in _TAKE or words[at : at + 2] == ["put", "on"])):
            given = next((to for to, other in enumerate(rest[:3]) if other == "you"), None) if word in _GIVE else None
            if given is None:
                continue
            rest = rest[given + 1 :]
        elif word == "put":
            rest = rest[1:]
        for place, thing in enumerate(rest):
            near = rest[max(place - 3, 0) : place]
            if thing in CARRIED and not _LEADS & {*near} and not _OWN & {*near[-1:]}:
                yield thing


def _is_lost(thing: str, words: list[str]) -> bool:
    return any(
        word == thing
        and (_LOSE & {*words[max(at - 5, 0) : at]} or _GONE & {*words[at + 1 : at + 5]})
        and words[max(at - 3, 0) : at - 1] != ["put", "on"]
        for at, word in enumerate(words)
    )


def _reached(words: list[str]) -> Iterator[str]:
    you = words.index("you") if "you" in words else len(words)
    if words[max(you - 1, 0) : you] and words[you - 1] in {*_LEADS, "after", "before", "above", "below"}:
        return
    for at, word in enumerate(words[you:], you):
        leads = [near for near in words[max(at - 3, 0) : at] if near in _LEADS]
        if word in KINDS["place"] and leads and leads[-1] in _TO:
            yield word
