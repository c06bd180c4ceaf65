"""Actions in an adventure, in English: verbs that options begin with, and the beginning of the reply to an action.

Pure functions on text. Small models lose the thread without them (docs/game.md); in another language than English
nothing of it applies. Does not decide for which models it is used (play/guidance.py).
"""

import re
from collections.abc import Iterable

from advrepl.prompt.languages import ENGLISH, SHARE

# What an option may begin with, by what comes to the same: two options that name the same things are one choice if
# their verbs are of one kind.
KINDS = (
    ("Look", "Examine", "Inspect", "Study", "Search", "Check", "Watch", "Explore", "Investigate", "Peek"),
    ("Go", "Walk", "Enter", "Approach", "Step", "Head", "Cross", "Climb", "Crawl", "Return", "Follow", "Leave"),
    ("Run", "Flee", "Hurry", "Escape"),
    ("Take", "Grab", "Pick", "Collect", "Carry"),
    ("Speak", "Talk", "Ask", "Tell", "Call", "Shout", "Whisper", "Greet", "Answer", "Warn"),
    ("Open", "Unlock", "Force"),
    ("Close", "Lock", "Block"),
    ("Push", "Pull", "Kick", "Break", "Knock", "Throw", "Strike"),
    ("Hide", "Sneak", "Crouch"),
    ("Wait", "Listen", "Rest", "Stay"),
    ("Touch", "Feel"),
    ("Read",),
    ("Light",),
    ("Use", "Turn", "Put"),
    ("Give", "Offer", "Show"),
    ("Attack", "Fight"),
    ("Help",),
)
KIND = {verb.casefold(): kind for kind, verbs in enumerate(KINDS) for verb in verbs}
VERBS = tuple(verb for verbs in KINDS for verb in verbs)

# Words about the game instead of what happens in it, or of somebody else than the player, who is told what to do.
OUTSIDE = (
    *("reader", "readers", "game", "games", "story", "stories", "item", "items", "player", "players", "user"),
    *("message", "messages", "text", "chapter", "scene", "action", "actions", "option", "options", "choice", "choices"),
    *("I", "my", "me", "we", "our", "us", "myself"),
)

_ENGLISH = ENGLISH.common
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

_WHERE = {"up", "in", "on"}
# What names nothing in an option. Not where it leads to: "Go up" and "Go down" are two.
_LITTLE = _ENGLISH | {
    *("his", "her", "him", "its", "their", "them", "this", "these", "those", "into", "onto", "over", "again", "more"),
    *("some", "any", "all", "one", "other", "another", "what", "where", "who", "how", "why", "through", "toward"),
    *("towards", "then", "can", "will", "has", "have", "had", "was", "were", "see", "find", "get", "there", "here"),
    *("already", "once", "each", "though", "without", "within", "still", "brought", "gone", "yours", "across"),
    *("around", "about", "above", "below", "beside"),
}

# What stands in the lines of players besides.
_IN_LINES = {
    *("i", "a", "an", "my", "in", "on", "up", "down", "what", "who", "where", "how", "why", "this", "them", "there"),
}

MOST_WORDS = 12  # of an action that is told again; a longer one is answered instead
# What follows "I" without being done.
_STATES = {
    *("am", "was", "have", "had", "will", "would", "can", "could", "should", "do", "did", "want", "need", "think"),
    *("know", "feel", "like", "love", "hate", "wish", "hope", "believe", "guess", "mean", "may", "might", "must"),
}
_SECOND_PERSON = {"i": "you", "my": "your", "mine": "yours", "myself": "yourself", "we": "you"}
# The verbs of what players type, besides those of options.
_TYPED = {
    *("jump", "sit", "stand", "eat", "drink", "drop", "move", "get", "make", "try", "cut", "dig", "swim", "sleep"),
    *("wake", "ring", "pray", "sing", "dance", "smell", "taste", "tie", "wear", "write", "drive", "ride", "keep"),
    *("bring", "lift", "press", "lean", "hold", "wave", "nod", "smile", "laugh", "cry", "scream", "yell", "burn"),
}
_KNOWN_IN_LINES = _ENGLISH | _IN_LINES | _TYPED | KIND.keys()
_NO_LANDMARKS = _LITTLE | _TYPED | KIND.keys()


def is_english(text: str) -> bool:
    """Tell whether a text is English, by the words that stand in any; an empty one is not."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return sum(word in _ENGLISH for word in words) > SHARE * len(words)


def is_foreign(action: str) -> bool:
    """Tell whether a line is in another language: it is long enough to tell, and no word of it is known."""
    words = [word.casefold() for word in _WORD.findall(action)]
    return len(words) > 2 and not any(word in _KNOWN_IN_LINES for word in words)


def beginning(action: str) -> str:
    """Return how a reply in the second person begins that tells what the player does: "You take the lantern".

    Just "You" where the action cannot be told this way: something said, asked or felt, or more than a line.
    """
    words = action.strip().rstrip(".!…").split()
    said_by_me = bool(words) and words[0].casefold() in ("i", "you")
    deed = words[1:] if said_by_me else words
    verb = deed[0].casefold() if deed else ""
    said_to_teller = any(word.casefold() in ("me", "us") for word in deed)  # "tell me more" is asked of the narrator
    known = verb in KIND or verb in _TYPED or (said_by_me and verb.isalpha() and verb not in _STATES)
    if not known or said_to_teller or len(deed) > MOST_WORDS or re.search(r"[?\"“”:;*!.\n]|\bI['’]", " ".join(deed)):
        return "You"
    return " ".join(["You", verb, *(_SECOND_PERSON.get(word.casefold(), word) for word in deed[1:])])


def kind(option: str) -> int | None:
    """Return which kind of action an option begins with; None: none that is known."""
    return KIND.get(next(iter(_WORD.findall(option)), "").casefold())


def things(option: str) -> set[object]:
    """Return what an option names: its words after the first, but those that stand in any sentence."""
    words = (word.casefold().removesuffix("'s") for word in _WORD.findall(option)[1:])
    return {word.removesuffix("s") for word in words if (len(word) > 2 or word in _WHERE) and word not in _LITTLE}


def landmarks(text: str) -> set[str]:
    """Return the words of a text that are likely to name what is there: no verbs, nor what stands in any text."""
    words = {word for word in _WORD.findall(text) if word.islower() and len(word) > 3}
    return {word for word in words if word not in _NO_LANDMARKS and not word.endswith(("ing", "ed", "ly", "'s", "n't"))}


def first_words(options: Iterable[str]) -> set[str]:
    """Return the words that options begin with, without case."""
    return {words[0].casefold() for option in options if (words := _WORD.findall(option))}
