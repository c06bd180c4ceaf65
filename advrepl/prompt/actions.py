"""Actions in an adventure, in English: verbs that options begin with, and the beginning of the reply to an action.

Pure functions on text. Small models lose the thread without them (docs/game.md); in another language than English
nothing of it applies. Does not decide for which models it is used (play/guidance.py).
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from advrepl.prompt import things
from advrepl.prompt.languages import ENGLISH, SHARE

# What an option may be, by what comes to the same: two options that name the same things are one choice if their verbs
# are of one kind. In braces what was told of, and of which kind that is (things.py). Whole sentences, as a small model
# that goes on by itself writes "Pull the door to your right will yourself", and that again in every menu.
_KINDS = (
    (
        *("Look around", "Look at {any}", "Look behind {cover}", "Look under {cover}", "Look through {opening}"),
        *("Look into {opening}", "Peek into {place}", "Examine {thing}", "Inspect {thing}", "Study {thing}"),
        *("Search {place}", "Search {place} for {portable}", "Check {thing}", "Watch {person}", "Explore {place}"),
        "Investigate {any}",
    ),
    (
        *("Go back", "Go to {place}", "Go into {place}", "Go through {opening}", "Walk on", "Walk to {place}"),
        *("Walk into {place}", "Walk past {place}", "Step into {place}", "Step back from {place}", "Head for {place}"),
        *("Head back to {place}", "Climb {height}", "Crawl under {cover}", "Crawl behind {cover}", "Return to {place}"),
        *("Enter {place}", "Approach {any}", "Cross {place}", "Follow {speaker}", "Leave {place}"),
        *("Follow {speaker} to {place}", "Leave {place} with {person}"),
    ),
    (
        *("Run away", "Run to {place}", "Run past {place}", "Flee from {any}", "Hurry to {any}", "Hurry past {any}"),
        *("Hurry after {person}", "Escape from {any}"),
    ),
    (
        *("Take {portable}", "Grab {portable}", "Pick up {portable}", "Collect {portable}", "Carry {portable}"),
        *("Carry {portable} to {place}", "Take {portable} from {person}", "Take {portable} to {place}"),
    ),
    (
        *("Speak to {speaker}", "Speak to {speaker} about {any}", "Talk to {speaker}", "Talk to {speaker} about {any}"),
        *("Call out", "Call {speaker}", "Shout at {speaker}", "Whisper to {speaker}", "Greet {person}"),
        *("Ask {speaker} about {any}", "Ask {speaker} for help", "Ask {speaker} what happened", "Answer {speaker}"),
        *("Tell {speaker} about {any}", "Tell {speaker} the truth", "Tell {speaker} to wait", "Warn {person}"),
        "Warn {person} about {any}",
    ),
    ("Open {opening}", "Unlock {opening}", "Force open {opening}"),
    ("Close {opening}", "Lock {opening}", "Block {opening}"),
    (
        *("Push {cover}", "Pull {cover}", "Kick {cover}", "Break {opening}", "Knock on {opening}", "Throw {portable}"),
        *("Throw {portable} at {any}", "Strike {thing}"),
    ),
    (
        *("Hide behind {cover}", "Hide under {cover}", "Hide from {speaker}", "Sneak into {place}"),
        *("Sneak past {any}", "Crouch behind {cover}", "Crouch under {cover}"),
    ),
    (
        *("Wait for {person}", "Wait in {place}", "Wait here", "Listen to {speaker}", "Listen for {speaker}"),
        *("Listen closely", "Stay with {person}"),
    ),
    ("Touch {any}", "Feel {thing}"),
    ("Read {text}", "Read {text} to {person}"),
    ("Light {light}",),
    ("Use {portable}", "Turn back", "Put on {garment}", "Put down {held}"),
    ("Give {held} to {person}", "Offer {held} to {person}", "Show {held} to {person}"),
    ("Attack {person}", "Attack {person} with {portable}", "Fight {person}"),
    ("Help {person}",),
)
PHRASES = tuple(chain.from_iterable(_KINDS))
KIND = {each.split()[0].casefold(): number for number, kind in enumerate(_KINDS) for each in kind}
VERBS = tuple(dict.fromkeys(each.split()[0] for each in PHRASES))

_SLOT = re.compile(r"\{(\w+)\}")
_ECHO = re.compile(r"^(\w+ (?:\w+ )?(the \w+|(?!the\b)\w+)) \w+ \2\b.*?(?=[.!?]*$)")

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

NEAR = 0.6  # what two options share, of all that they are about: the kind of action and what they name
MOST_WORDS = 12  # of an action that is told again; a longer one is answered instead
# What follows "I" without being done.
_STATES = {
    *("am", "was", "have", "had", "will", "would", "can", "could", "should", "do", "did", "want", "need", "think"),
    *("know", "feel", "like", "love", "hate", "wish", "hope", "believe", "guess", "mean", "may", "might", "must"),
}
_QUOTED = re.compile(r"[\"“]([^\"“”]+)[\"”]")
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

    Just "You" where the action cannot be told this way: something felt, or more than a line.
    """
    if spoken := _spoken(action.strip()):
        return spoken
    words = action.strip().rstrip(".!…").split()
    said_by_me = bool(words) and words[0].casefold() in ("i", "you")
    deed = words[1:] if said_by_me else words
    verb = deed[0].casefold() if deed else ""
    said_to_teller = any(word.casefold() in ("me", "us") for word in deed)  # "tell me more" is asked of the narrator
    known = verb in KIND or verb in _TYPED or (said_by_me and verb.isalpha() and verb not in _STATES)
    if not known or said_to_teller or len(deed) > MOST_WORDS or re.search(r"[?\"“”:;*!.\n]|\bI['’]", " ".join(deed)):
        return "You"
    return " ".join(["You", verb, *(_SECOND_PERSON.get(word.casefold(), word) for word in deed[1:])])


def _spoken(action: str) -> str:
    """Tell a question, or a line in quotes, as said by the player; empty: it is neither."""
    said = _QUOTED.fullmatch(action)
    words = said[1] if said else action
    fits = 0 < len(words.split()) <= MOST_WORDS and not re.search(r"[\"“”*\n]", words)
    if not fits or not (said or words.endswith("?")):
        return ""
    return f'You {"ask" if words.endswith("?") else "say"}, "{words}"'


def grammar(verbs: Iterable[str], told: str, held: Sequence[str] | None = None, seen: Iterable[str] = ()) -> str:
    """Return the GBNF rule `action`, and those that it needs: one of these verbs with a thing that the text has named.

    What is put down or offered is what is held, if that is known. What comes to the same as an option that was `seen`
    is left out, since it would be written for nothing.

    There is always one verb that needs none.
    """
    wanted, about, done = {*verbs}, things.told_of(told, held), _done(seen)
    fitting = [phrase for phrase in PHRASES if {*_SLOT.findall(phrase)} <= about.keys()]
    chosen = [phrase for phrase in fitting if phrase.split()[0] in wanted]
    new = list(filter(None, (_spelled(phrase, about, done) for phrase in chosen)))
    action = " | ".join(new or [_spelled(phrase, about, {}) for phrase in fitting])
    return "\n".join((f"action ::= {action}", *(f"{kind} ::= {_one_of(named)}" for kind, named in about.items())))


def _done(options: Iterable[str]) -> dict[int, list[set[str]]]:
    """Return what options of each kind of action name."""
    done = dict[int, list[set[str]]]()
    for option in options:
        if (number := kind(option)) is not None:
            done.setdefault(number, []).append(named(option))
    return done


def _spelled(phrase: str, about: dict[str, list[str]], done: dict[int, list[set[str]]]) -> str:
    """Spell a phrase as a part of a rule; empty where nothing is left that would be new."""
    parts = _SLOT.split(phrase)  # words and kinds in turn
    spelled = [part if number % 2 else f'"{part}"' for number, part in enumerate(parts) if part]
    before = done.get(KIND[parts[0].split()[0].casefold()], ())
    if not before:
        return " ".join(spelled)
    said, others = named("".join(parts[::2])), max(len(parts) // 2 - 1, 0)

    def is_new(thing: str) -> bool:
        names = said | _names(thing.split())
        return not any(_is_near(names, seen, others) for seen in before)

    if len(parts) == 1:
        return spelled[0] if is_new("") else ""
    whole = about[parts[1]]
    left = list(filter(is_new, whole))
    if left and len(left) < len(whole):
        spelled[1] = f"({_one_of(left)})"
    return " ".join(spelled) if left else ""


def _one_of(named: Iterable[str]) -> str:
    return " | ".join(map('"{}"'.format, named))


def without_echo(option: str) -> str:
    """Return an option without a last part that names its first thing again: "Ask the man about the man.".

    Empty where it says nothing without: "Tell the man about the man.".
    """
    return "" if _ECHO.match(option) and option.startswith("Tell ") else _ECHO.sub(r"\1", option)


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
    return _names(things.WORD.findall(option)[1:])


def _names(words: Iterable[str]) -> set[str]:
    return set().union(*map(_name, words))


@lru_cache(maxsize=4096)
def _name(word: str) -> frozenset[str]:
    bare = word.casefold().removesuffix("'s")
    return frozenset({bare.removesuffix("s")} if (len(bare) > 2 or bare in _WHERE) and bare not in _LITTLE else ())


def same(one: str, other: str) -> bool:
    """Tell whether two options are one kind of action with nearly the same things."""
    return kind(one) is not None and kind(one) == kind(other) and _is_near(named(one), named(other))


def _is_near(names: set[str], others: set[str], unknown: int = 0) -> bool:
    """Tell whether what two options of one kind name is nearly the same, whatever else one names that is `unknown`."""
    return len(names & others) + 1 >= NEAR * (len(names | others) + 1 + unknown)


def first_words(options: Iterable[str]) -> set[str]:
    """Return the words that options begin with, without case."""
    return {words[0].casefold() for option in options if (words := things.WORD.findall(option))}
