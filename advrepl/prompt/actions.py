"""Actions in an adventure, in English: verbs that options begin with, and the beginning of the reply to an action.

Pure functions on text. Small models lose the thread without them (docs/game.md); in another language than English
nothing of it applies. Does not decide for which models it is used (play/guidance.py).
"""

import re
from collections.abc import Iterable, Sequence
from itertools import starmap

from advrepl.prompt import things
from advrepl.prompt.languages import ENGLISH, SHARE

# What an option may begin with, by what comes to the same: two options that name the same things are one choice if
# their verbs are of one kind. Behind a verb what leads to a thing, if anything does, and of which kind that is
# (things.py); nothing: no thing need follow.
_KINDS = (
    (
        *("Look around", "Look at:any", "Look behind|under:cover", "Look through|into:opening", "Peek into:place"),
        *("Examine:thing", "Inspect:thing", "Study:thing", "Search:place", "Check:thing", "Watch:person"),
        *("Explore:place", "Investigate:any"),
    ),
    (
        *("Go back", "Go to|into|through:place", "Walk on", "Walk to|into|past:place", "Step into|back from:place"),
        *("Head for|back to:place", "Climb:height", "Crawl under|behind:cover", "Return to:place", "Enter:place"),
        *("Approach:any", "Cross:place", "Follow:person", "Leave:place"),
    ),
    ("Run away", "Run to|past:place", "Flee from:any", "Hurry to|past|after:any", "Escape from:any"),
    ("Take:portable", "Grab:portable", "Pick up:portable", "Collect:portable", "Carry:portable"),
    (
        *("Speak to:person", "Talk to:person", "Call out", "Call:person", "Shout at:person", "Whisper to:person"),
        *("Ask:person", "Tell:person", "Greet:person", "Answer:person", "Warn:person"),
    ),
    ("Open:opening", "Unlock:opening", "Force open:opening"),
    ("Close:opening", "Lock:opening", "Block:opening"),
    ("Push:cover", "Pull:cover", "Kick:cover", "Break:opening", "Knock on:opening", "Throw:portable", "Strike:thing"),
    ("Hide behind|under:cover", "Hide from:person", "Sneak into|past:place", "Crouch behind|under:cover"),
    ("Wait for:person", "Wait in:place", "Wait here", "Listen to|for:person", "Listen closely", "Stay with:person"),
    ("Touch:any", "Feel:thing"),
    ("Read:text",),
    ("Light:light",),
    ("Use:portable", "Turn back", "Put on:garment", "Put down:held"),
    ("Give:person", "Offer:held", "Show:person"),
    ("Attack:person", "Fight:person"),
    ("Help:person",),
)
PHRASES = tuple((*each.partition(":")[::2], number) for number, kind in enumerate(_KINDS) for each in kind)
KIND = {words.split()[0].casefold(): number for words, _, number in PHRASES}
VERBS = tuple(dict.fromkeys(words.split()[0] for words, _, _ in PHRASES))

# Words about the game instead of what happens in it, or of somebody else than the player, who is told what to do.
OUTSIDE = (
    *("reader", "readers", "game", "games", "story", "stories", "item", "items", "player", "players", "user"),
    *("message", "messages", "text", "chapter", "scene", "action", "actions", "option", "options", "choice", "choices"),
    *("I", "my", "me", "we", "our", "us", "myself"),
)

_ENGLISH = ENGLISH.common

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

# What is done with what is in the hand, and what is done with what is there at least.
_FROM_HAND = {"drop", "give", "offer", "hand", "show"}
_USING, _WITH = {"use", "light", "read", "throw", "put", "wear", "wave", "raise"}, {"with", "using"}

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


def is_english(text: str) -> bool:
    """Tell whether a text is English, by the words that stand in any; an empty one is not."""
    words = [word.casefold() for word in things.WORD.findall(text)]
    return sum(word in _ENGLISH for word in words) > SHARE * len(words)


def is_foreign(action: str) -> bool:
    """Tell whether a line is in another language: it is long enough to tell, and no word of it is known."""
    words = [word.casefold() for word in things.WORD.findall(action)]
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


def grammar(verbs: Iterable[str], told: str, held: Sequence[str] | None = None) -> str:
    """Return the GBNF rule `action`, and those that it needs: one of these verbs with a thing that the text has named.

    What is put down or offered is what is held, if that is known.

    There is always one verb that needs none.
    """
    wanted, rules = {*verbs}, things.rules(told, held)
    fitting = [(words, thing) for words, thing, _ in PHRASES if not thing or thing in rules]
    chosen = [each for each in fitting if each[0].split()[0] in wanted] or fitting
    return "\n".join((f"action ::= {' | '.join(starmap(_spelled, chosen))}", *rules.values()))


def _spelled(words: str, thing: str) -> str:
    verb, _, leads = words.partition(" ")
    if not thing:
        return f'"{words}"'
    led = " | ".join(f'"{lead} "' for lead in leads.split("|"))
    return f'"{verb} " ({led}) {thing}' if leads else f'"{verb} " {thing}'


def lacks(option: str, held: Iterable[str], told: str) -> bool:
    """Tell whether an option needs a thing that is not there: neither held nor, where that will do, told of."""
    said = [word.casefold() for word in things.WORD.findall(option)]
    said = said[1:] if said[:1] == ["you"] else said
    have = things.words(" ".join(held))
    if said[:1] and (said[0] in _FROM_HAND or said[:2] == ["put", "down"]):
        return not things.CARRIED & {*said} <= have
    start = next((at for at, word in enumerate(said) if word in _WITH or (not at and word in _USING)), len(said))
    return not things.CARRIED & {*said[start:]} <= have | things.words(told)


def kind(option: str) -> int | None:
    """Return which kind of action an option begins with; None: none that is known."""
    return KIND.get(next(iter(things.WORD.findall(option)), "").casefold())


def named(option: str) -> set[str]:
    """Return what an option names: its words after the first, but those that stand in any sentence."""
    words = (word.casefold().removesuffix("'s") for word in things.WORD.findall(option)[1:])
    return {word.removesuffix("s") for word in words if (len(word) > 2 or word in _WHERE) and word not in _LITTLE}


def first_words(options: Iterable[str]) -> set[str]:
    """Return the words that options begin with, without case."""
    return {words[0].casefold() for option in options if (words := things.WORD.findall(option))}
