"""What somebody may have meant who wrote a name that there is not."""

import difflib
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence

from advrepl import AdvreplError

NEAR = 0.75  # of 1, by difflib: with less, another thing is meant more often than a slip of the fingers

MOST_MEANT = 12  # names in a question


def did_you_mean(word: str, names: Mapping[str, str]) -> str:
    """Return "did you mean X or Y?" for the names that begin with the word, else the nearest one; "" if none is near.

    `names` has every name and alias with what is said for it.
    """
    word = word.casefold()
    said = {name.casefold(): text for name, text in names.items()}
    begun = [name for name in said if word and name.startswith(word)]
    # The first letter is seldom the wrong one: /next is no /exit.
    alike = [name for name in said if word and name[:1] in word[:2]]
    near = begun or difflib.get_close_matches(word, alike, 1, NEAR)
    return _question(said[name] for name in near)


def understood(
    word: str,
    names: Sequence[Mapping[str, str]],
    unknown: str,
    otherwise: str,
    notice: Callable[[str], None] = lambda _: None,
) -> str:
    """Return what is meant by the only name that a word fits, which `notice` is told.

    `names` as for did_you_mean, those first that go before others. Raises AdvreplError where the word fits none or
    several: `unknown`, then the names that may be meant, else `otherwise`.
    """
    fits: list[str] = next(filter(None, (_fitting(word, each) for each in names)), [])
    if len(fits) == 1:
        notice(f"{word} is taken for {fits[0]}")
        return fits[0]
    hint = _question(fits) or did_you_mean(word, ChainMap(*map(dict, names)))
    raise AdvreplError(f"{unknown}: {hint or otherwise}")


def _fitting(word: str, names: Mapping[str, str]) -> list[str]:
    """What is said for the names that are the word but for case and punctuation, else begin with it, else hold it."""
    plain = _plain(word)
    said = [(_plain(name), text) for name, text in names.items()] if plain else []
    for fits in (plain.__eq__, lambda name: name.startswith(plain), lambda name: plain in name):
        if found := [text for name, text in said if fits(name)]:
            return list(dict.fromkeys(found))
    return []


def _plain(name: str) -> str:
    from advrepl.scripts import words  # whose patterns take longer to build than `advrepl --help` may

    return "".join(words(name.casefold()))


def _question(meant: Iterable[str]) -> str:
    names = list(dict.fromkeys(meant))
    more = len(names) - MOST_MEANT
    named = " or ".join(names[:MOST_MEANT]) + (f" or one of {more} more" if more > 0 else "")
    return f"did you mean {named}?" if names else ""
