"""How a conversation is spelled for a model: metharme and pygmalion. The models' own chat templates: template.py.

Each format says itself which models were trained on it (`recognize`). Does not know about tokens or which turns fit
(window.py).
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.prompt.languages import Language, told_in
from advrepl.prompt.segments import Block, Prompt, Segment
from advrepl.prompt.template_runner import TemplateRefusal, shared
from advrepl.story.injections import shown
from advrepl.story.scenario import ORIGINAL, Scenario
from advrepl.story.tree import Turn

# How the family is put into roleplay (Pygmalion-2 7B model card).
RP_MODE = (
    "Enter RP mode. Pretend to be {char} whose persona follows:\n{persona}\n\n"
    "You shall reply to the user while staying in character, and generate {length} responses."
)
# The same where a card brings its own instruction and quotes the usual one.
RP_QUOTED = "Enter RP mode. You shall reply to the user while staying in character, and generate {length} responses."
NEW_LINE = r"[\n\r\v\f\x85\u2028\u2029]"  # whatever a model may take for one
MARKS = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|model|>"}  # metharme's, of what is put in
LENGTHS = {"short": "short", "medium": "medium-length", "long": "long"}


def instruction(scenario: Scenario) -> str:
    """The system text for models that take instructions: a persona is wrapped into one."""
    told, length = background(scenario), LENGTHS[scenario.length]
    if not scenario.roleplay:
        # The same wish to the narrator; for long replies, the usual ones, the model cards say nothing.
        return "\n".join(filter(None, (told, dict(_language(scenario).lengths).get(scenario.length))))
    if not scenario.instruction:
        return RP_MODE.format(char=scenario.narrator, persona=told, length=length)
    return scenario.instruction.replace(ORIGINAL, RP_QUOTED.format(length=length)) + "\n\n" + told


def background(scenario: Scenario) -> str:
    """Who and what the story is about, as far as it never changes: system text or persona, lore, player, memory."""
    named, language = scenario.you != "You", _language(scenario)
    # A character meets the name in the dialogue; the narrator of an adventure would never learn whose it is.
    name = language.name_is.format(you=scenario.you) if named and not scenario.roleplay else ""
    words = language.persona_of if named else language.persona
    player = words.format(you=scenario.you, persona=scenario.persona) if scenario.persona else ""
    return "\n".join(filter(None, (scenario.system, scenario.lore, name, player, scenario.memory)))


def example(scenario: Scenario, dialogue: str) -> str:
    """A block of example dialogue as it follows an instruction."""
    return f"\n\n{_language(scenario).example}\n{dialogue}"


def _language(scenario: Scenario) -> Language:
    """By what never changes, so that the head of the prompt stands still."""
    return told_in(scenario.language, scenario.opening, scenario.system)


def player_stops(scenario: Scenario) -> tuple[str, ...]:
    """Where a reply begins to speak for the player: by his name, or as chats that models learned from call him."""
    names = dict.fromkeys((scenario.you, "You", "{{user}}"))
    return tuple(f"\n{name}:" for name in names) if scenario.roleplay else ()


class Format(Protocol):
    """A way to spell a conversation, and the texts at which a reply ends."""

    @property
    def name(self) -> str:
        """The name of the format, as --format takes it."""

    @property
    def writes_opening(self) -> bool:
        """Does the model write the opening itself, where the story has first words of the player that ask for it?"""

    @property
    def thinks(self) -> bool:
        """Are its models known to think before they reply, so that room is kept for it?"""

    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        """The prompt for the turns, after those example dialogues that there is room for."""

    def spelled(self, scenario: Scenario, text: str) -> str:
        """The text of one turn, without its mark: what spells roles in this format is made harmless."""

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the texts at which a reply ends; `\\nNAME:` does in any spelling (speakers.py)."""


class Metharme(Struct, frozen=True):
    """Role markers in a row, without newlines and without end tokens between turns (Metharme 7B model card).

    For the LLaMA-based models the markers are ordinary text, so they are made harmless wherever others wrote them.
    """

    name: str = "metharme"
    # Pygmalion-2 and its merges were trained on it (Pygmalion-2 7B model card), but 2.7B is a size of the first one.
    models: re.Pattern[str] = re.compile(r"metharme|mythalion|pygmalion[-_ ]?2(?!\.?\d|b)", re.IGNORECASE)
    markers: tuple[str, ...] = ("<|user|>", "<|model|>")
    writes_opening: bool = True
    thinks: bool = False

    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        """Spell the conversation, as Format says."""
        examples = [(Segment("", self.spelled(scenario, example(scenario, dialogue))),) for dialogue in dialogues]
        told = [self._turn(scenario, turn) for turn in turns]
        cue = () if turns and turns[-1].role == "model" else (Segment("<|model|>", ""),)
        head = Segment("<|system|>", self.spelled(scenario, instruction(scenario)))
        return Prompt((head,), (*examples, *told), cue)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the texts at which a reply ends."""
        return ("<|user|>", "<|model|>", "<|system|>", *player_stops(scenario))

    def spelled(self, scenario: Scenario, text: str) -> str:
        """Return the text of a turn with the marks of this format made harmless."""
        return re.sub(r"<\|(?=(?:system|user|model)\|>)", "< |", text)

    def _turn(self, scenario: Scenario, turn: Turn) -> Block:
        before = [Segment(MARKS[role], self.spelled(scenario, text)) for role, text in shown(scenario, turn)]
        return (*before, Segment(f"<|{turn.role}|>", self.spelled(scenario, turn.text)))


class Pygmalion(Struct, frozen=True):
    """A persona, `<START>`, then lines that begin with a name; the player is always "You" (Pygmalion 7B model card).

    It takes no instructions: a card's own and the length of the replies are left out.
    """

    name: str = "pygmalion"
    # Not what the makers only gave their name to: Pygmalion-3 and Eleusis take ChatML (their model cards).
    models: re.Pattern[str] = re.compile(r"pygmalion(?!ai[-_ /]|[-_ ]?3(?!\.?\d|b))", re.IGNORECASE)
    markers: tuple[str, ...] = ("<START>", "Persona:")
    writes_opening: bool = False
    thinks: bool = False

    def spell(self, scenario: Scenario, turns: Sequence[Turn], dialogues: Sequence[str] = ()) -> Prompt:
        """Spell the conversation, as Format says."""
        char = self._label(scenario.narrator)
        persona = self.spelled(scenario, background(scenario)).lstrip()
        head = (Segment(f"{char}'s Persona: ", persona, plain=True), Segment("\n<START>", ""))
        # The player is "You" here whatever he is called, so the examples are ours to open lines with.
        player = re.compile(rf"^{re.escape(scenario.you)}:", flags=re.M)
        examples = [(Segment("\n", self._unmarked(player.sub("You:", dialogue))),) for dialogue in dialogues]
        told = [self._turn(scenario, turn) for turn in turns]
        cue = () if turns and turns[-1].role == "model" else (Segment(f"\n{char}:", "", plain=True),)
        return Prompt(head, (*examples, *told), cue)

    def stops(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the texts at which a reply ends."""
        names = "You", scenario.narrator, self._label(scenario.narrator)
        return tuple(dict.fromkeys((*(f"\n{name}:" for name in names), "<START>", *player_stops(scenario))))

    def spelled(self, scenario: Scenario, text: str) -> str:
        """Foreign text cannot open a line in somebody's name, nor a new dialogue, nor tell who anybody is."""
        names = "|".join(map(re.escape, ("You", scenario.narrator, self._label(scenario.narrator))))
        return " " + re.sub(rf"{NEW_LINE}(?=\s*(?:{names})\s*:)", " ", self._unmarked(text))

    def _unmarked(self, text: str) -> str:
        text = re.sub(rf"{NEW_LINE}(?=[^\n]*Persona\s*:)", " ", text)
        return text.replace("<START>", "< START>").replace("'s Persona", "' s Persona")

    def _label(self, name: str) -> str:
        """A card's name as it stands in a mark: in one line, and none of the marks, of which "You" is the player's."""
        return re.sub(r"^You(?=\s*(?::|$))", "you", self._unmarked(" ".join(name.split())))

    def _turn(self, scenario: Scenario, turn: Turn) -> Block:
        said = [*shown(scenario, turn), (turn.role, turn.text)]
        return tuple(self._said(scenario, role, text) for role, text in said)

    def _said(self, scenario: Scenario, role: str, text: str) -> Segment:
        if role == "system":
            return Segment("\n[", self.spelled(scenario, text).strip() + "]")
        name = "You" if role == "user" else self._label(scenario.narrator)
        return Segment(f"\n{name}:", self.spelled(scenario, text), plain=True)


_BUILT_IN = (Metharme(), Pygmalion())  # in the order in which they are looked for: most names hold "pygmalion"

FORMATS: dict[str, Format] = {format.name: format for format in _BUILT_IN}
# For files that other programs read, in jinja. Pygmalion's has none: who speaks is not in what a template is given.
TEMPLATES = {
    "metharme": "{% for message in messages %}{% if message['role'] == 'assistant' %}<|model|>"
    "{% else %}<|{{ message['role'] }}|>{% endif %}{{ message['content'] or '' }}{% endfor %}"
    "{% if add_generation_prompt %}<|model|>{% endif %}"
}
CHAT = "chat"  # the name of the format that a model brings itself (template.py)


def recognize(names: Iterable[str], texts: Iterable[str] = ()) -> str | None:
    """Name the format that a model was trained on; None if nothing tells.

    `names`: what the model is called, the surest first; each goes before all texts. `texts`: what is written about it
    (its README, its chat template), where all markers of a format tell it.
    """
    by_name = (format.name for name in names for format in _BUILT_IN if format.models.search(name))
    by_text = (format.name for text in texts for format in _BUILT_IN if all(map(text.__contains__, format.markers)))
    return next(by_name, None) or next(by_text, None)


def _speaks_metharme(template: str) -> bool:
    """Tell whether a template writes metharme's marks without having them in one piece, as where a role is put in."""
    if not ("<|" in template and "|>" in template and "model" in template) or (
        {*re.findall(r"<\|\w+\|>", template)} - {*MARKS.values()}  # rendering it would keep the player waiting
    ):
        return False
    said = [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "v")]
    messages = [{"role": role, "content": text} for role, text in said]
    with suppress(AdvreplError, TemplateRefusal):
        spelled = shared().render(template, messages, {"add_generation_prompt": True, "bos_token": "", "eos_token": ""})
        return spelled.strip() == "".join(MARKS[role] + text for role, text in said) + MARKS["assistant"]
    return False


def of_file(key: str | None, template: str | None, names: Iterable[str]) -> str | None:
    """Name the format that a model's file tells: our own key, else the template inside, else what it is called.

    A template is the format by itself unless it is one of those above: a name says less, even the publisher's.
    """
    if key or not template:
        return key or recognize(names)
    return recognize([], [template]) or (Metharme().name if _speaks_metharme(template) else CHAT)


def check_name(name: str) -> str:
    """Refuse a name that no format has."""
    if name not in (*FORMATS, CHAT):
        raise AdvreplError(f"there is no prompt format {name!r}: use {', '.join(FORMATS)} or {CHAT}")
    return name
