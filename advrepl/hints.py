"""What somebody may have meant who wrote a name that there is not."""

import difflib
from collections.abc import Mapping

NEAR = 0.75  # of 1, by difflib: with less, another thing is meant more often than a slip of the fingers


def did_you_mean(word: str, names: Mapping[str, str]) -> str:
    """Return "did you mean X or Y?" for the names that begin with the word, else the nearest one; "" if none is near.

    `names` has every name and alias with what is said for it.
    """
    word = word.casefold()
    said = {name.casefold(): text for name, text in names.items()}
    begun = [name for name in said if word and name.startswith(word)]
    near = begun or difflib.get_close_matches(word, said, 1, NEAR)
    return f"did you mean {' or '.join(dict.fromkeys(said[name] for name in near))}?" if near else ""
