"""Macros in cards, notes and lore: {{char}}, {{random::a::b}}, {{if .x}}…{{/if}}, <USER> and the like become text.

What would differ from one prompt to the next (dice, the clock, the last message) is found once for a place and
remembered in `macro_values`, so that the head of a prompt stays the same to the byte; in lore, which is told anew, it
is new in each turn. Unknown macros stay as they are.
Does not know what a macro becomes (table.py), what a card is, nor where a text ends up in the prompt.
"""

import random
import re
from collections.abc import Callable

from advrepl import AdvreplError
from advrepl.macros.context import CARD_FIELDS, FIXED, INERT_FIELDS, MESSAGE_FIELDS, TIME_FORMATS, MacroContext
from advrepl.macros.parser import Macro, Nodes, macros_of, parse
from advrepl.macros.scopes import around_else, dedented, pairs
from advrepl.macros.table import MACROS
from advrepl.macros.variables import Variables, is_false, operate

MAX_NESTING = 60  # texts inside texts: arguments, fields that name fields, blocks inside blocks
MAX_MACROS = 5_000  # in one text, those of the fields it names included
MAX_OUTPUT = 1_000_000  # characters, the results of inner macros included
MAX_NAMED = 5  # unknown macros
MAX_VALUE = 10_000  # characters of a variable, as it goes into the save

OLD_TIME = re.compile(r"\{\{time_(UTC[+-]\d+)\}\}", re.IGNORECASE)
# A mark of older programs, unless it is markup around a section: <char>…</char>.
ANGLED = re.compile(r"<(user|bot|char|group|charifnotgroup)>(?!(?:(?!<\1>).)*</\1>)", re.IGNORECASE | re.DOTALL)
ESCAPED = re.compile(r"\\([{}])")
TRIM = "{{trim}}"
TRIMMED = re.compile(r"(?:\r?\n)*\{\{trim\}\}(?:\r?\n)*", re.IGNORECASE)
SHORTHAND = re.compile(r"([.$])([a-zA-Z](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?)")
HIDDEN = re.compile(r"\{\{\s*hidden_key\s*:([^{}]*)\}\}", re.IGNORECASE)
NEW_EACH_TURN = {
    *("random", "roll", "setvar", "addvar", "incvar", "decvar", "getvar", "hasvar", "varexists", "getvarkey", "."),
    *("getvarindex", "setvarkey", "setvarindex", "deletevar", "flushvar", "datetimeformat", "idleduration", "$"),
    *("setglobalvar", "addglobalvar", "incglobalvar", "decglobalvar", "getglobalvar", "hasglobalvar", "timediff"),
    *("globalvarexists", "getglobalvarkey", "getglobalvarindex", "setglobalvarkey", "setglobalvarindex"),
    *("deleteglobalvar", "flushglobalvar", "idle_duration", "allchatrange", *MESSAGE_FIELDS, *TIME_FORMATS),
}


def expand(
    text: str, context: MacroContext, macro_values: dict[str, str], where: str = "", *, seed: str = "", turn: str = ""
) -> str:
    """Replace the macros of a text that stands at `where` ("card.description", "lore.7", …).

    What is rolled is seeded by `seed` (the story's), place and macro, and put into `macro_values` with the variables.
    With `turn` (its number), for text that is told in that turn, only variables are kept, and the turn is part of the
    seed, but for {{pick}}. Raises AdvreplError where the text asks for too much.
    """
    if "{{" not in text and "<" not in text and "\\" not in text:
        return text
    return Expansion(context, macro_values, where, seed, turn).text(text)


def hidden_keys(text: str) -> str:
    """Find what {{hidden_key:…}} macros hold: never shown, but keys of lore are looked for in it."""
    return " ".join(HIDDEN.findall(text))


def unknown_note(*texts: str) -> list[str]:
    """Name the macros of these texts that nobody knows, as they are written, each once; none: no note."""
    found = (macro for text in texts if "{{" in text for macro in macros_of(parse(text)))
    named = {macro.name: macro.source for macro in found if not (_is_known(macro.name) or macro.closing)}
    shown = [source if len(source) <= 40 else f"{source[:39]}…" for source in named.values()]
    more = f" and {len(shown) - MAX_NAMED} more" if len(shown) > MAX_NAMED else ""
    return [f"macros that nobody knows stay as they are: {', '.join(shown[:MAX_NAMED])}{more}"] if shown else []


def is_new_each_turn(text: str) -> bool:
    """Say whether a text may read otherwise in each turn: it rolls dice, counts, or asks for the time."""
    return "{{" in text and any(macro.name in NEW_EACH_TURN for macro in macros_of(parse(_modern(text))))


def _is_known(name: str) -> bool:
    return name in MACROS or name in (".", "$", "if", "original", *FIXED, *INERT_FIELDS, *CARD_FIELDS, *MESSAGE_FIELDS)


def _modern(text: str) -> str:
    """The text with the marks of older programs as macros."""
    if "<" in text:
        text = ANGLED.sub(lambda mark: "{{user}}" if mark[1].lower() == "user" else "{{char}}", text)
    return OLD_TIME.sub(lambda found: f"{{{{time::{found[1].upper()}}}}}", text)


class Expansion:
    """One call of `expand`: the counters that limit it, and the fields that were expanded on the way."""

    def __init__(self, context: MacroContext, macro_values: dict[str, str], where: str, seed: str, turn: str) -> None:
        self.context, self.macro_values, self.where, self.seed, self.turn = context, macro_values, where, seed, turn
        self.length = self.macros = self.nesting = 0
        self.original_used = False
        self.variables = {".": Variables(macro_values, "var:", self.keep)}
        self.variables["$"] = Variables(macro_values, "global:", self.keep)
        # A field that names itself, also through others, is empty there.
        self.fields: dict[str, str] = {where.removeprefix("card."): ""} if where.startswith("card.") else {}

    def text(self, text: str) -> str:
        """Expand a text by itself."""
        return _finished(self.nodes(parse(_modern(text))))

    def nodes(self, nodes: Nodes) -> str:
        """Expand a part of a text, with the blocks that begin and end in it."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise AdvreplError(f"{self.where or 'the text'} nests its macros more than {MAX_NESTING} deep: simplify it")
        pieces: list[str] = []
        ends = pairs(nodes, _takes_block)
        index = 0
        while index < len(nodes):
            node, end = nodes[index], ends.get(index)
            if isinstance(node, str):
                piece = node
            elif end is not None:
                piece, index = self.macro(node, nodes[index + 1 : end], nodes[end]), end
            else:
                piece = self.macro(node)
            self.check_length(piece)
            pieces.append(piece)
            index += 1
        self.nesting -= 1
        return "".join(pieces)

    def macro(self, macro: Macro, block: Nodes | None = None, closing: object = None) -> str:
        """What a macro becomes; one that cannot be read stays, with its inner macros expanded."""
        self.macros += 1
        if self.macros > MAX_MACROS:
            raise AdvreplError(f"{self.where or 'the text'} has more than {MAX_MACROS:,} macros: take some out")
        if macro.closing and block is None and macro.name != "//":
            return macro.source
        if macro.name == "if":
            return self.expand_if(macro, block)
        if macro.name in self.variables:
            return self.expand_variable(macro)
        arguments = [self.nodes(argument.nodes) for argument in macro.arguments]
        inside = None
        if block is not None:
            inside = self.nodes(block)
            inside = inside if "#" in macro.flags else dedented(inside)
        found = self.call(macro, arguments, inside)
        if found is not None:
            return found
        end = closing.source if isinstance(closing, Macro) else ""
        return _with_arguments(macro, arguments) + (inside or "") + end

    def call(self, macro: Macro, arguments: list[str], inside: str | None) -> str | None:
        """What a macro with these arguments becomes, or None for one to be left as it is."""
        if macro.name in ("//", "comment"):
            return ""  # a note of the author is hidden however it is written
        if macro.name == "trim" and inside is None and len(arguments) <= 1:
            return TRIM
        if known := MACROS.get(macro.name):
            every = arguments if inside is None else [*arguments, inside]
            return known.function(self, macro, every) if known.takes(every) else None
        return self.name(macro.name, macro) if not arguments and inside is None else None

    def name(self, name: str, macro: Macro) -> str | None:
        """A macro that is a name and nothing more."""
        if name in INERT_FIELDS:
            return str(getattr(self.context, INERT_FIELDS[name]))
        if name in CARD_FIELDS:
            return self.card_field(CARD_FIELDS[name], str(getattr(self.context, CARD_FIELDS[name])))
        if name in MESSAGE_FIELDS:
            value = str(getattr(self.context, MESSAGE_FIELDS[name]))
            return value if self.turn else self.found_once(macro, lambda _: value[:MAX_VALUE])
        return self.original() if name == "original" else FIXED.get(name)

    def card_field(self, name: str, text: str) -> str:
        """A field of the card, expanded as if at its own place, so that it reads the same wherever it is named."""
        if name not in self.fields:
            self.fields[name] = ""
            (outer, self.where), (turn, self.turn) = (self.where, f"card.{name}"), (self.turn, "")
            self.fields[name] = self.text(text)
            self.where, self.turn = outer, turn
        return self.fields[name]

    def original(self) -> str:
        if self.original_used:
            return ""
        self.original_used = True
        return self.card_field("original", self.context.original)

    def found_once(self, macro: Macro, make: Callable[[random.Random], str], *, fixed: bool = False) -> str:
        """What is rolled for a macro: once for its place, or in each turn that tells it, unless it is `fixed`."""
        key = f"{self.where}|{macro.label}"
        if key in self.macro_values:
            return self.macro_values[key]
        of_all = f"lore|{macro.label}"  # in stories of older builds, where all entries shared what was picked
        if fixed and self.where.startswith("lore.") and of_all in self.macro_values:
            return self.macro_values[of_all]
        if self.turn:
            return make(random.Random(f"{self.seed}|{key}" if fixed else f"{self.seed}|{self.turn}|{key}"))
        return self.keep(key, make(random.Random(f"{self.seed}|{key}")))

    def keep(self, key: str, value: str) -> str:
        """Remember a value in the save."""
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

    def expand_if(self, macro: Macro, block: Nodes | None) -> str:
        """{{if x}}yes{{else}}no{{/if}} or {{if::x::yes}}: only what is chosen is expanded, and so rolled or counted.

        x may also be the bare name of a macro or a variable, and ! turns it round.
        """
        parts = [argument.nodes for argument in macro.arguments] + ([] if block is None else [block])
        if len(parts) != 2:
            return macro.source
        condition, content = parts
        first = condition[0] if condition else ""
        turned = isinstance(first, str) and first.startswith("!")
        if turned and isinstance(first, str):
            condition = (first[1:].lstrip(), *condition[1:])
        value = self.condition(_finished(self.nodes(condition)))
        chosen = around_else(content)[is_false(value) != turned]
        text = _finished(self.nodes(chosen))
        return text if "#" in macro.flags else dedented(text)

    def condition(self, text: str) -> str:
        """The value of a condition that is the bare name of a variable or a macro; else the condition itself."""
        if bare := SHORTHAND.fullmatch(text):
            return self.variables[bare[1]].get(bare[2])
        name = text.strip().lower()
        if name == "trim":
            return ""
        named = Macro(f"{{{{{name}}}}}", name, "", (), 0)
        if not _is_known(name) or (name in MACROS and not MACROS[name].takes([])):
            return text
        found = self.call(named, [], None)
        return text if found is None else found

    def expand_variable(self, macro: Macro) -> str:
        """{{.x}}, {{$x += 1}} and the like."""

        def value() -> str:
            return self.nodes(macro.arguments[0].nodes).strip()

        def once(make: Callable[[], str]) -> str:
            return self.found_once(macro, lambda _: make())

        return operate(self.variables[macro.name], macro.variable, macro.operator, value, once)


def _finished(text: str) -> str:
    """Take away what only guarded braces, and the line breaks around {{trim}}."""
    if "\\" in text:
        text = ESCAPED.sub(r"\1", text)
    return TRIMMED.sub("", text) if TRIM in text.lower() else text


def _takes_block(macro: Macro) -> bool:
    """Say whether what follows a macro up to its end can be its last argument."""
    if macro.name == "if":
        return len(macro.arguments) == 1
    if macro.name == "trim":
        return not macro.arguments
    known = MACROS.get(macro.name)
    return known is not None and known.takes_block(len(macro.arguments))


def _with_arguments(macro: Macro, arguments: list[str]) -> str:
    """A macro as it is written, with what its arguments became."""
    pieces, at = [], 0
    for argument, text in zip(macro.arguments, arguments, strict=True):
        pieces += [macro.source[at : argument.start], text]
        at = argument.end
    return "".join([*pieces, macro.source[at:]])
