"""Bring saves of older schemas to the present one, as plain dicts and lists, before anything of them is checked.

What does not look as expected is left as it is: that a save is damaged is said by whoever reads it (saves.py).
"""

from collections.abc import Callable, Mapping
from typing import Any

SAVE = {
    "first": "window_start",
    "lore": "lore_state",
    "bound": "macro_values",
    "luck": "rng_seed",
    "card": "card_path",
}
SOURCES = {"last words": "post_history", "character note": "depth_prompt"}  # of injections
LORE_ENTRY = {
    "secondary": "secondary_keys",
    "logic": "selective_logic",
    "also": "additional_keys",
    "exclude": "exclude_keys",
    "forced": "activate",
    "regex": "use_regex",
    "case": "case_sensitive",
    "whole": "match_whole_words",
    "dropped_first": "ignore_on_max_context",
    "weight": "group_weight",
    "leads": "group_override",
    "after": "activate_only_after",
    "every": "activate_only_every",
    "unread": "exclude_recursion",
    "silent": "prevent_recursion",
    "level": "delay_until_recursion",
}


def to_2(save: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of schema 1 the names that the field uses: llama.cpp, SillyTavern, the card specifications."""
    new = _renamed(save, SAVE)
    _change(new, "scenario", lambda scenario: _with_injections(scenario, "reminders"))
    _change_all(new, "turns", lambda turn: _with_injections(turn, "before"))
    _change_all(new, "books", _renamed_book)
    return {**new, "schema": 2}


# The function that brings schema 1, 2, … to the next one, in order.
MIGRATIONS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (to_2,)


def _with_injections(holder: Any, old: str) -> Any:
    new = _renamed(holder, {old: "injections"})
    _change(new, "injections", lambda injections: _renamed(injections, SOURCES))
    return new


def _renamed_book(book: Any) -> Any:
    new = _renamed(book, {})
    _change_all(new, "entries", lambda entry: _renamed(entry, LORE_ENTRY))
    return new


def _renamed(fields: Any, names: Mapping[str, str]) -> Any:
    """A copy in the same order, under the new names; anything but an object as it is."""
    return {names.get(name, name): value for name, value in fields.items()} if isinstance(fields, dict) else fields


def _change(holder: Any, name: str, change: Callable[[Any], Any]) -> None:
    if isinstance(holder, dict) and name in holder:
        holder[name] = change(holder[name])


def _change_all(holder: Any, name: str, change: Callable[[Any], Any]) -> None:
    _change(holder, name, lambda values: list(map(change, values)) if isinstance(values, list) else values)
