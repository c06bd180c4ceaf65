"""How a character begins the answer to a question, in English: as the question says it, told by the one who answers.

A small model greets whoever asks, and thanks him for coming; one that has begun with "I have been here" goes on with
that. Pure functions on text; for which models it is used is in play/guidance.py.
"""

import re

MOST_WORDS = 12  # of a question whose words are used

_ASKING = {"what", "where", "when", "why", "how", "who", "which"}
_BE = {"is", "are", "am", "was", "were"}
_DO = {"do", "does", "did"}
_AUXILIARY = {
    *("have", "has", "had", "can", "could", "will", "would", "should", "shall", "may", "might", "must"),
    *(_BE | _DO),
}
_NOUN_FOLLOWS = {"this", "that", "these", "those", "the", "a", "an", "my", "your", "his", "her", "its", "our", "their"}
_SUBJECTS = {"you", "i", "he", "she", "it", "we", "they", "there"}
_AS_SUBJECT = {"you": "I", "i": "you"}
_FIRST = {"are": "am", "were": "was"}  # the verb behind "you", behind "I"
_SECOND = {"am": "are", "was": "were"}
_SWAPPED = {
    "i": "you",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "myself": "yourself",
    "you": "me",
    "your": "my",
    "yours": "mine",
    "yourself": "myself",
    "we": "we",
    "us": "us",
}
_LEADING = {"in", "at", "on", "of", "to", "from", "with", "about", "for", "by", "under", "behind", "all"}
_QUESTION = re.compile(r"[^.!?\n\"“”*]+(?=\?)")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_SHORT = re.compile(r"\b(what|where|who|how|when|why)['’](s|re)\b", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?:please )?(?:tell|speak|talk)(?: to)? (?:me|us)?(?: more)? ?(?:about|of) ([^.!?\n]+)", re.IGNORECASE
)


def beginning(line: str, speaker: str) -> str:
    """Return the first words of the answer to a line, by this speaker; empty: it asks nothing, or nothing simple."""
    if about := _ABOUT.search(line):
        return _about(about[1], speaker)
    asked = _QUESTION.findall(line)
    said = [*_WORD.findall(_SHORT.sub(_in_full, asked[-1]))] if asked else []
    while said and said[0].casefold() in ("and", "but", "so", "then", "well", "oh"):
        said = said[1:]
    words = [word if word[0].isupper() and at and word != "I" else word.casefold() for at, word in enumerate(said)]
    return _told(words, speaker) if 1 < len(words) <= MOST_WORDS else ""


def _in_full(found: re.Match[str]) -> str:
    return f"{found[1]} {'are' if found[2] == 're' else 'is'}"


def _about(thing: str, speaker: str) -> str:
    words = [word.casefold() if word == "I" else word for word in _WORD.findall(thing)]
    if not words or len(words) > MOST_WORDS:
        return ""
    if words == ["yourself"]:
        return f"I am {speaker},"
    return _sentence([_AS_SUBJECT.get(word, _SWAPPED.get(word, word)) for word in words])


def _told(words: list[str], speaker: str) -> str:
    """The statement that a question asks for: its subject first, then the verb, up to what is to be filled in."""
    wh = words[0] if words[0] in _ASKING else ""
    at = next((at for at, word in enumerate(words[:4]) if word in _AUXILIARY), None)
    if at is None or at + 1 >= len(words) or (at and not wh):
        return ""
    verb, (subject, rest) = words[at], _parted(words[at + 1 :], is_all=words[at] in _BE and bool(wh))
    if not subject:
        return ""
    if (wh, subject, rest) == ("who", ["you"], []) or words[at + 1 :] == ["your", "name"]:
        return _sentence([*(["I"] if wh == "who" else ["my", "name"]), "am" if wh == "who" else "is", f"{speaker},"])
    told = [_AS_SUBJECT.get(subject[0], subject[0])] if len(subject) == 1 else [_SWAPPED.get(w, w) for w in subject]
    if verb not in _DO:
        told.append({"I": _FIRST, "you": _SECOND}.get(told[0], {}).get(verb, verb))
    if not wh or (verb in _DO and (verb != "do" or told[0] not in ("I", "you", "they", "we"))):
        return _sentence(told) if verb not in _DO or told[0] in ("I", "you") else ""
    before, behind = _gap(rest, wh)
    return _sentence([*before, *told, *behind])


def _parted(words: list[str], *, is_all: bool) -> tuple[list[str], list[str]]:
    """The subject, and what follows it; where a thing is asked for (`is_all`), all that follows is the subject."""
    if words[0] in _SUBJECTS:
        return words[:1], words[1:]
    if words[0] in ("this", "that") and len(words) == 1:
        return words, []
    if words[0] in _NOUN_FOLLOWS and len(words) > 1:
        return (words, []) if is_all else (words[:2], words[2:])
    return ([], words) if not words[0][0].isupper() else (words[:1], words[1:])


def _gap(rest: list[str], wh: str) -> tuple[list[str], list[str]]:
    """What of a question's end stands before the statement, and what behind its verb."""
    told = [_SWAPPED.get(word, word) for word in rest]
    if wh == "why":
        return [], [*told, "because"]
    if rest[:1] in (["do"], ["doing"]):  # what it is is asked
        return [*told[1:-1], f"{told[-1]},"] if rest[1:] else [], []
    end = next((at for at, word in enumerate(rest) if at and word in _LEADING), len(rest))
    if rest[end:] and (len(rest) == end + 1 or rest[end + 1] in ("here", "now", "there")):
        end += 1  # "afraid of": what follows is asked
    return [], told[:end]


def _sentence(words: list[str]) -> str:
    text = " ".join(words)
    return text[:1].upper() + text[1:]
