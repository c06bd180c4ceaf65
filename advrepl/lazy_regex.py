"""Patterns that are compiled when they are first used: all of them together would be a tenth of the program's start."""

from typing import cast

import regex


class _Lazy:
    """Stands for a compiled pattern; what is asked of it is that one's from the first time on."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> object:
        compiled = regex.compile(self._text, self._flags)
        for each in ("search", "match", "fullmatch", "finditer", "findall", "split", "sub", "subn", "pattern"):
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)


def lazy(text: str, flags: int = 0) -> "regex.Pattern[str]":
    """Return a pattern of the `regex` package; one that is wrong raises regex.error where it is first used."""
    return cast("regex.Pattern[str]", _Lazy(text, flags))
