"""Macros in cards, notes and lore: {{char}}, {{random::a::b}}, {{getvar::x}}, <USER> and the like become text.

What would differ from one prompt to the next (dice, the clock, the last message) is rolled once and remembered in
`bound`, so that the head of a prompt stays the same to the byte. Unknown macros stay as they are.
Does not know what a card is, nor where a text ends up in the prompt.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from advrepl import AdvreplError
from advrepl.macros import dates
from advrepl.macros.parser import NAME, Macro, Node, Nodes, blocks, call, name_of, parse, split

MAX_NESTING = 60  # texts inside texts: arguments, fields that name fields, blocks inside blocks
MAX_MACROS = 5_000  # in one text, those of the fields it names included
MAX_OUTPUT = 1_000_000  # characters, the results of inner macros included
MAX_VALUE = 10_000  # characters of a variable, as it goes into the save
MAX_DICE, MAX_SIDES = 1_000, 1_000_000

LEGACY = re.compile(r"<(user|bot|char|group|charifnotgroup)>", re.IGNORECASE)
DICE = re.compile(r"\s*(\d{0,4})(d?)(\d{0,7})\s*([+-]\s*\d{1,6})?\s*", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")
UTC_OFFSET = re.compile(r"time_?utc([+-]\d{1,2})")
HIDDEN = re.compile(r"\{\{\s*hidden_key\s*:([^{}]*)\}\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Context:
    """What the macros stand for. Fields of the card may hold macros themselves; names and messages are inert."""

    user: str = "You"
    char: str = "Narrator"
    description: str = ""
    personality: str = ""
    scenario: str = ""
    persona: str = ""
    mes_examples: str = ""
    system: str = ""
    post_history: str = ""
    creator_notes: str = ""
    depth_prompt: str = ""
    original: str = ""  # the text that the one being expanded replaces
    greetings: tuple[str, ...] = ()
    version: str = ""
    model: str = ""
    input: str = ""
    last_message: str = ""
    last_user_message: str = ""
    last_char_message: str = ""
    last_message_id: str = ""
    max_prompt: str = ""  # tokens
    now: datetime = field(default_factory=lambda: datetime.now().astimezone())
    idle: timedelta | None = None  # since the player's last turn


# What a name stands for, in three kinds: inert text, fields with macros of their own, and what changes with the story.
PLAIN = {
    "user": "user", "char": "char", "notchar": "user", "group": "char", "groupnotmuted": "char",
    "charifnotgroup": "char", "model": "model", "input": "input", "charversion": "version", "char_version": "version",
    "maxprompt": "max_prompt", "maxprompttokens": "max_prompt",
}  # fmt: skip
FIELDS = {
    "description": "description", "chardescription": "description", "personality": "personality",
    "charpersonality": "personality", "scenario": "scenario", "charscenario": "scenario", "persona": "persona",
    "mesexamples": "mes_examples", "mesexamplesraw": "mes_examples", "charprompt": "system",
    "charjailbreak": "post_history", "charinstruction": "post_history", "charcreatornotes": "creator_notes",
    "chardepthprompt": "depth_prompt",
}  # fmt: skip
MOVING = {
    "lastmessage": "last_message", "lastusermessage": "last_user_message", "lastcharmessage": "last_char_message",
    "lastmessageid": "last_message_id",
}  # fmt: skip
SILENT = {"//", "comment", "hidden_key", "banned", "noop"}
CLOCK = {
    "time": "LT", "date": "LL", "weekday": "dddd", "isotime": "HH:mm", "isodate": "YYYY-MM-DD",
}  # fmt: skip


def expand(
    text: str, context: Context, bound: dict[str, str], where: str = "", *, seed: str = "", live: bool = False
) -> str:
    """Replace the macros of a text that stands at `where` ("card.description", "note", …).

    Whatever is rolled is seeded by `seed` (the story's), place and macro, and kept in `bound` with the variables.
    `live` is for text near the end of a prompt: there {{lastMessage}} follows the story.
    """
    if "{{" not in text and "<" not in text:
        return text
    return _Expansion(context, bound, where, seed, live).text(text)


def hidden_keys(text: str) -> str:
    """What {{hidden_key:…}} macros hold: never shown, but lore is matched against it."""
    return " ".join(HIDDEN.findall(text))


class _Expansion:
    """One call of `expand`: the counters that bound it, and the fields that were expanded on the way."""

    def __init__(self, context: Context, bound: dict[str, str], where: str, seed: str, live: bool) -> None:
        self.context, self.bound, self.where, self.seed, self.live = context, bound, where, seed, live
        self.made = self.macros = self.nesting = 0
        self.original_used = False
        # A field that names itself, also through others, is empty there.
        self.fields: dict[str, str] = {where.removeprefix("card."): ""} if where.startswith("card.") else {}

    def text(self, text: str) -> str:
        return self.run(parse(text))

    def run(self, nodes: Nodes) -> str:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise AdvreplError(f"{self.where or 'the text'} nests its macros more than {MAX_NESTING} deep: simplify it")
        result = self.join(nodes)
        self.nesting -= 1
        return result

    def join(self, nodes: Nodes) -> str:
        pieces: list[str] = []
        trimming, index, found = False, 0, blocks(nodes)
        while index < len(nodes):
            node = nodes[index]
            if index in found:
                middle, end = found[index]
                piece, index = self.choose(node, nodes[index + 1 : middle], nodes[middle + 1 : end]), end
            elif name_of(node) == "trim":
                _strip_newlines(pieces)
                trimming, index = True, index + 1
                continue
            else:
                piece = self.one(node)
            piece = piece.lstrip("\r\n") if trimming else piece
            trimming = trimming and not piece
            self.charge(piece)
            pieces.append(piece)
            index += 1
        return "".join(pieces)

    def one(self, node: Node) -> str:
        if isinstance(node, str):
            return LEGACY.sub(
                lambda found: self.context.user if found[1].lower() == "user" else self.context.char, node
            )
        self.macros += 1
        if self.macros > MAX_MACROS:
            raise AdvreplError(f"{self.where or 'the text'} has more than {MAX_MACROS:,} macros: take some out")
        named = call(node)
        result = self.named(node, *named) if named else None
        return "{{" + self.run(list(node.body)) + "}}" if result is None else result

    def named(self, macro: Macro, name: str, rest: Nodes) -> str | None:
        """What a macro becomes, or None for one to be left as it is."""
        if name in SILENT:
            return ""
        if name in TAKES:
            return TAKES[name](self, macro, rest)
        if any(isinstance(node, Macro) or node.strip() for node in rest):
            return None
        return self.bare(macro, name)

    def bare(self, macro: Macro, name: str) -> str | None:
        """A macro that is a name and nothing more."""
        if name in PLAIN:
            return str(getattr(self.context, PLAIN[name]))
        if name in FIELDS:
            return self.field(FIELDS[name], str(getattr(self.context, FIELDS[name])))
        if name in MOVING:
            value = str(getattr(self.context, MOVING[name]))
            return value if self.live else self.remember(macro, lambda _: value[:MAX_VALUE])
        if name in CLOCK:
            return self.remember(macro, lambda _: dates.spell(self.context.now, CLOCK[name]))
        if name == "idle_duration":
            idle = self.context.idle
            return self.remember(macro, lambda _: dates.humanize(idle) if idle else "just now")
        if offset := UTC_OFFSET.fullmatch(name):
            local = dates.at_offset(self.context.now, float(offset[1]))
            return self.remember(macro, lambda _: dates.spell(local, "LT"))
        return self.original() if name == "original" else None

    def field(self, name: str, text: str) -> str:
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
        return self.field("original", self.context.original)

    def remember(self, macro: Macro, make: Callable[[random.Random], str]) -> str:
        key = f"{self.where}|{macro.label}"
        if key not in self.bound:
            self.keep(key, make(random.Random(f"{self.seed}|{key}")))
        return self.bound[key]

    def keep(self, key: str, value: str) -> str:
        if len(value) > MAX_VALUE or len(key) > MAX_VALUE:
            raise AdvreplError(f"{self.where or 'the text'}: a variable holds more than {MAX_VALUE:,} characters")
        self.bound[key] = value
        return value

    def charge(self, piece: str) -> None:
        self.made += len(piece)
        if self.made > MAX_OUTPUT:
            raise AdvreplError(
                f"{self.where or 'the text'}: its macros make more than {MAX_OUTPUT:,} characters: shorten it"
            )

    def choose(self, condition: Node, yes: Nodes, no: Nodes) -> str:
        """{{if x}}yes{{else}}no{{/if}}; x may also be the bare name of a macro, and ! turns it round."""
        named = call(condition) if isinstance(condition, Macro) else None
        value = self.run(named[1]).strip() if named else ""
        turned, value = value.startswith("!"), value.removeprefix("!").strip()
        if NAME.fullmatch(value):
            value = self.bare(Macro(f"{{{{{value}}}}}", (value,), 0), value.lower()) or value
        return self.run(no if (value.lower() in ("", "false", "off", "no", "0")) != turned else yes)


Take = Callable[[_Expansion, Macro, Nodes], str | None]


def _random(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    parts = split(rest, "::")
    if len(parts) == 1:
        parts = split(rest, r"(?<!\\),")
        choices = [run.run(part).strip().replace("\\,", ",") for part in parts]
    else:
        choices = [run.run(part) for part in parts]
    return run.remember(macro, lambda rng: rng.choice(choices))


def _roll(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    found = DICE.fullmatch(run.run(rest).lstrip(":"))
    if not found or not (found[1] or found[3]) or (found[2] and not found[3]):
        return None
    dice, sides = (int(found[1] or 1), int(found[3])) if found[2] else (1, int(found[1] + found[3]))
    plus = int((found[4] or "0").replace(" ", ""))
    if not (1 <= dice <= MAX_DICE and 1 <= sides <= MAX_SIDES):
        return None
    return run.remember(macro, lambda rng: str(sum(rng.randint(1, sides) for _ in range(dice)) + plus))


def _set(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    key, value = _variable(run, macro, rest)
    run.keep(key, value)
    return ""


def _get(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    return run.bound.get(_variable(run, macro, rest)[0], "")


def _add(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    key, value = _variable(run, macro, rest)
    # The sum is bound, not the step: a prompt that is built again must not count on.
    run.keep(key, run.remember(macro, lambda _: _sum(run.bound.get(key, ""), value)))
    return ""


def _step(by: str) -> Take:
    def take(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
        key, _ = _variable(run, macro, rest)
        return run.keep(key, run.remember(macro, lambda _: _sum(run.bound.get(key, ""), by)))

    return take


def _format(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    pattern = run.run(rest)
    return run.remember(macro, lambda _: dates.spell(run.context.now, pattern))


def _difference(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    parts = [run.run(part) for part in split(rest, "::")]
    return dates.between(*parts) if len(parts) == 2 else None


def _greeting(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    number = run.run(rest).strip() or "0"
    if not re.fullmatch(r"[0-9]{1,4}", number):
        return None
    index = int(number)
    return run.field(f"greetings.{index}", run.context.greetings[index]) if index < len(run.context.greetings) else ""


def _repeat(character: str) -> Take:
    def take(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
        number = run.run(rest).strip() or "1"
        return character * min(int(number), 100) if re.fullmatch(r"[0-9]{1,4}", number) else None

    return take


def _time(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    zone = run.run(rest).strip().lower()
    return run.bare(macro, f"time_{zone}" if zone else "time")


def _reverse(run: _Expansion, macro: Macro, rest: Nodes) -> str | None:
    return run.run(rest)[::-1]


TAKES: dict[str, Take] = {
    "random": _random, "pick": _random, "roll": _roll, "reverse": _reverse, "time": _time,
    "newline": _repeat("\n"), "space": _repeat(" "), "datetimeformat": _format, "timediff": _difference,
    "greeting": _greeting, "charfirstmessage": _greeting,
    "setvar": _set, "getvar": _get, "addvar": _add, "incvar": _step("1"), "decvar": _step("-1"),
    "setglobalvar": _set, "getglobalvar": _get, "addglobalvar": _add,
    "incglobalvar": _step("1"), "decglobalvar": _step("-1"),
}  # fmt: skip


def _variable(run: _Expansion, macro: Macro, rest: Nodes) -> tuple[str, str]:
    """Where in `bound` a variable lives, and the value that follows its name. "Global" ones live in the story too."""
    name, *value = split(rest, "::")
    scope = "global" if "globalvar" in macro.source[:40].lower() else "var"
    joined = [node for index, part in enumerate(value) for node in (*(["::"] if index else []), *part)]
    return f"{scope}:{run.run(name).strip()}", run.run(joined)


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
