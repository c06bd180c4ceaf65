"""Macros in cards, notes and lore: {{char}}, {{random::a::b}}, {{getvar::x}}, <USER> and the like become text.

What would differ from one prompt to the next (dice, the clock, the last message) is found once and remembered in
`macro_values`, so that the head of a prompt stays the same to the byte. Unknown macros stay as they are.
Does not know what a card is, nor where a text ends up in the prompt.
"""

import random
import re
from collections.abc import Callable

from advrepl import AdvreplError
from advrepl.macros import dates
from advrepl.macros.context import CARD_FIELDS, EMPTY_MACROS, INERT_FIELDS, MESSAGE_FIELDS, TIME_FORMATS, MacroContext
from advrepl.macros.parser import NAME, Macro, Node, Nodes, if_blocks, name_and_arguments, name_of, parse, split

MAX_NESTING = 60  # texts inside texts: arguments, fields that name fields, blocks inside blocks
MAX_MACROS = 5_000  # in one text, those of the fields it names included
MAX_OUTPUT = 1_000_000  # characters, the results of inner macros included
MAX_VALUE = 10_000  # characters of a variable, as it goes into the save
MAX_DICE, MAX_SIDES = 1_000, 1_000_000

ANGLED = re.compile(r"<(user|bot|char|group|charifnotgroup)>", re.IGNORECASE)
DICE = re.compile(r"\s*(\d{0,4})(d?)(\d{0,7})\s*([+-]\s*\d{1,6})?\s*", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")
UTC_OFFSET = re.compile(r"time_?utc([+-]\d{1,2})")
HIDDEN = re.compile(r"\{\{\s*hidden_key\s*:([^{}]*)\}\}", re.IGNORECASE)


def expand(
    text: str,
    context: MacroContext,
    macro_values: dict[str, str],
    where: str = "",
    *,
    seed: str = "",
    current_messages: bool = False,
) -> str:
    """Replace the macros of a text that stands at `where` ("card.description", "note", …).

    What is rolled is seeded by `seed` (the story's), place and macro, and put into `macro_values` with the variables.
    With `current_messages`, for text near the end of a prompt, {{lastMessage}} follows the story.
    Raises AdvreplError where the text asks for too much.
    """
    if "{{" not in text and "<" not in text:
        return text
    return _Expansion(context, macro_values, where, seed, current_messages).text(text)


def hidden_keys(text: str) -> str:
    """Find what {{hidden_key:…}} macros hold: never shown, but keys of lore are looked for in it."""
    return " ".join(HIDDEN.findall(text))


class _Expansion:
    """One call of `expand`: the counters that limit it, and the fields that were expanded on the way."""

    def __init__(
        self, context: MacroContext, macro_values: dict[str, str], where: str, seed: str, current_messages: bool
    ) -> None:
        self.context, self.macro_values, self.where, self.seed = context, macro_values, where, seed
        self.current_messages = current_messages
        self.length = self.macros = self.nesting = 0
        self.original_used = False
        # A field that names itself, also through others, is empty there.
        self.fields: dict[str, str] = {where.removeprefix("card."): ""} if where.startswith("card.") else {}

    def text(self, text: str) -> str:
        return self.expand(parse(text))

    def expand(self, nodes: Nodes) -> str:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise AdvreplError(f"{self.where or 'the text'} nests its macros more than {MAX_NESTING} deep: simplify it")
        result = self.expand_each(nodes)
        self.nesting -= 1
        return result

    def expand_each(self, nodes: Nodes) -> str:
        pieces: list[str] = []
        trimming, index, found = False, 0, if_blocks(nodes)
        while index < len(nodes):
            node = nodes[index]
            if index in found:
                middle, end = found[index]
                piece, index = self.expand_if(node, nodes[index + 1 : middle], nodes[middle + 1 : end]), end
            elif name_of(node) == "trim":
                _strip_newlines(pieces)
                trimming, index = True, index + 1
                continue
            else:
                piece = self.expand_node(node)
            piece = piece.lstrip("\r\n") if trimming else piece
            trimming = trimming and not piece
            self.check_length(piece)
            pieces.append(piece)
            index += 1
        return "".join(pieces)

    def expand_node(self, node: Node) -> str:
        if isinstance(node, str):
            return ANGLED.sub(
                lambda found: self.context.user if found[1].lower() == "user" else self.context.char, node
            )
        self.macros += 1
        if self.macros > MAX_MACROS:
            raise AdvreplError(f"{self.where or 'the text'} has more than {MAX_MACROS:,} macros: take some out")
        named = name_and_arguments(node)
        result = self.expand_macro(node, *named) if named else None
        return "{{" + self.expand(list(node.body)) + "}}" if result is None else result

    def expand_macro(self, macro: Macro, name: str, arguments: Nodes) -> str | None:
        """What a macro becomes, or None for one to be left as it is."""
        if name in EMPTY_MACROS:
            return ""
        if name in MACRO_FUNCTIONS:
            return MACRO_FUNCTIONS[name](self, macro, arguments)
        if any(isinstance(node, Macro) or node.strip() for node in arguments):
            return None
        return self.expand_name(macro, name)

    def expand_name(self, macro: Macro, name: str) -> str | None:
        """A macro that is a name and nothing more."""
        if name in INERT_FIELDS:
            return str(getattr(self.context, INERT_FIELDS[name]))
        if name in CARD_FIELDS:
            return self.card_field(CARD_FIELDS[name], str(getattr(self.context, CARD_FIELDS[name])))
        if name in MESSAGE_FIELDS:
            value = str(getattr(self.context, MESSAGE_FIELDS[name]))
            return value if self.current_messages else self.found_once(macro, lambda _: value[:MAX_VALUE])
        if name in TIME_FORMATS:
            return self.found_once(macro, lambda _: dates.format_date(self.context.now, TIME_FORMATS[name]))
        if name == "idle_duration":
            idle = self.context.idle
            return self.found_once(macro, lambda _: dates.humanize(idle) if idle else "just now")
        if offset := UTC_OFFSET.fullmatch(name):
            local = dates.at_offset(self.context.now, float(offset[1]))
            return self.found_once(macro, lambda _: dates.format_date(local, "LT"))
        return self.original() if name == "original" else None

    def card_field(self, name: str, text: str) -> str:
        """A field of the card, expanded as if at its own place, so that it reads the same wherever it is named."""
        if name not in self.fields:
            self.fields[name] = ""
            outer, self.where = self.where, f"card.{name}"
            self.fields[name] = self.text(text)
            self.where = outer
        return self.fields[name]

    def original(self) -> str:
        if self.original_used:
            return ""
        self.original_used = True
        return self.card_field("original", self.context.original)

    def found_once(self, macro: Macro, make: Callable[[random.Random], str]) -> str:
        key = f"{self.where}|{macro.label}"
        if key not in self.macro_values:
            self.set_value(key, make(random.Random(f"{self.seed}|{key}")))
        return self.macro_values[key]

    def set_value(self, key: str, value: str) -> str:
        if len(value) > MAX_VALUE or len(key) > MAX_VALUE:
            raise AdvreplError(f"{self.where or 'the text'}: a variable holds more than {MAX_VALUE:,} characters")
        self.macro_values[key] = value
        return value

    def check_length(self, piece: str) -> None:
        self.length += len(piece)
        if self.length > MAX_OUTPUT:
            raise AdvreplError(
                f"{self.where or 'the text'}: its macros make more than {MAX_OUTPUT:,} characters: shorten it"
            )

    def expand_if(self, condition: Node, yes: Nodes, no: Nodes) -> str:
        """{{if x}}yes{{else}}no{{/if}}; x may also be the bare name of a macro, and ! turns it round."""
        named = name_and_arguments(condition) if isinstance(condition, Macro) else None
        value = self.expand(named[1]).strip() if named else ""
        turned, value = value.startswith("!"), value.removeprefix("!").strip()
        if NAME.fullmatch(value):
            value = self.expand_name(Macro(f"{{{{{value}}}}}", (value,), 0), value.lower()) or value
        return self.expand(no if (value.lower() in ("", "false", "off", "no", "0")) != turned else yes)


# Takes the arguments, and returns what the macro becomes, or None for one to be left as it is.
MacroFunction = Callable[[_Expansion, Macro, Nodes], str | None]


def _random(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    parts = split(arguments, "::")
    if len(parts) == 1:
        parts = split(arguments, r"(?<!\\),")
        choices = [expansion.expand(part).strip().replace("\\,", ",") for part in parts]
    else:
        choices = [expansion.expand(part) for part in parts]
    return expansion.found_once(macro, lambda rng: rng.choice(choices))


def _roll(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    found = DICE.fullmatch(expansion.expand(arguments).lstrip(":"))
    if not found or not (found[1] or found[3]) or (found[2] and not found[3]):
        return None
    dice, sides = (int(found[1] or 1), int(found[3])) if found[2] else (1, int(found[1] + found[3]))
    plus = int((found[4] or "0").replace(" ", ""))
    if not (1 <= dice <= MAX_DICE and 1 <= sides <= MAX_SIDES):
        return None
    return expansion.found_once(macro, lambda rng: str(sum(rng.randint(1, sides) for _ in range(dice)) + plus))


def _set(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    key, value = _variable(expansion, macro, arguments)
    expansion.set_value(key, value)
    return ""


def _get(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    return expansion.macro_values.get(_variable(expansion, macro, arguments)[0], "")


def _add(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    key, value = _variable(expansion, macro, arguments)
    # The sum is remembered, not the step: a prompt that is built again must not count on.
    expansion.set_value(key, expansion.found_once(macro, lambda _: _sum(expansion.macro_values.get(key, ""), value)))
    return ""


def _step(by: str) -> MacroFunction:
    def function(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
        key, _ = _variable(expansion, macro, arguments)
        return expansion.set_value(
            key, expansion.found_once(macro, lambda _: _sum(expansion.macro_values.get(key, ""), by))
        )

    return function


def _format(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    pattern = expansion.expand(arguments)
    return expansion.found_once(macro, lambda _: dates.format_date(expansion.context.now, pattern))


def _difference(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    parts = [expansion.expand(part) for part in split(arguments, "::")]
    return dates.from_now(*parts) if len(parts) == 2 else None


def _greeting(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    number = expansion.expand(arguments).strip() or "0"
    if not re.fullmatch(r"[0-9]{1,4}", number):
        return None
    index = int(number)
    return (
        expansion.card_field(f"greetings.{index}", expansion.context.greetings[index])
        if index < len(expansion.context.greetings)
        else ""
    )


def _repeat(character: str) -> MacroFunction:
    def function(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
        number = expansion.expand(arguments).strip() or "1"
        return character * min(int(number), 100) if re.fullmatch(r"[0-9]{1,4}", number) else None

    return function


def _time(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    zone = expansion.expand(arguments).strip().lower()
    return expansion.expand_name(macro, f"time_{zone}" if zone else "time")


def _reverse(expansion: _Expansion, macro: Macro, arguments: Nodes) -> str | None:
    return expansion.expand(arguments)[::-1]


MACRO_FUNCTIONS: dict[str, MacroFunction] = {
    "random": _random, "pick": _random, "roll": _roll, "reverse": _reverse, "time": _time,
    "newline": _repeat("\n"), "space": _repeat(" "), "datetimeformat": _format, "timediff": _difference,
    "greeting": _greeting, "charfirstmessage": _greeting,
    "setvar": _set, "getvar": _get, "addvar": _add, "incvar": _step("1"), "decvar": _step("-1"),
    "setglobalvar": _set, "getglobalvar": _get, "addglobalvar": _add,
    "incglobalvar": _step("1"), "decglobalvar": _step("-1"),
}  # fmt: skip


def _variable(expansion: _Expansion, macro: Macro, arguments: Nodes) -> tuple[str, str]:
    """The key of a variable, and the value that follows its name. "Global" ones belong to the story too."""
    name, *value = split(arguments, "::")
    scope = "global" if "globalvar" in macro.source[:40].lower() else "var"
    joined = [node for index, part in enumerate(value) for node in (*(["::"] if index else []), *part)]
    return f"{scope}:{expansion.expand(name).strip()}", expansion.expand(joined)


def _sum(old: str, by: str) -> str:
    old = old or "0" if NUMBER.fullmatch(by.strip()) else old
    if not (NUMBER.fullmatch(old.strip()) and NUMBER.fullmatch(by.strip())):
        return old + by
    return f"{float(old) + float(by):.10g}" if "." in old + by else str(int(old) + int(by))


def _strip_newlines(pieces: list[str]) -> None:
    while pieces:
        pieces[-1] = pieces[-1].rstrip("\r\n")
        if pieces[-1]:
            return
        pieces.pop()
