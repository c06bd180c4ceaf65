"""A chat of another program as it was read, and the story that it becomes.

Does not know any file form; the other modules of this folder each know some.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from advrepl import AdvreplError
from advrepl.lore.books import parse_book
from advrepl.lore.entries import Book
from advrepl.story.injections import NOTE, NOTE_DEPTH
from advrepl.story.roleplay import DEEPEST, slug
from advrepl.story.saves import SCHEMA, ModelRef, Save, now
from advrepl.story.scenario import ADVENTURE, Injection, Scenario
from advrepl.story.tree import Role, Story, Turn

MOST_TURNS = 200_000
LONGEST_NAME = 60  # characters
UNNAMED = ("", "unused")  # what SillyTavern writes for a name that it does not keep there
# What must never stand in a save: half characters, which no UTF-8 has.
_HALVES = re.compile("[\ud800-\udfff]")


@dataclass
class Chat:
    """What is known of one chat. Filled turn by turn; the takes that are not read lead nowhere."""

    source: str  # the file, and what of it, for whoever reads of it
    title: str = ""
    you: str = ""
    narrator: str = ""
    roleplay: bool = True  # else an adventure
    memory: str = ""
    note: str = ""
    note_depth: int = NOTE_DEPTH
    system: str = ""  # what the model is told it is to do, for an adventure
    scenario: Scenario | None = None  # our own, where we have written the file
    books: list[Book] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what was left out, for the player
    story: Story = field(default_factory=Story)

    def say(self, role: Role, text: str, thoughts: str = "") -> None:
        """Add a turn that has one take."""
        self.say_one_of(role, [text], 0, [thoughts])

    def say_one_of(self, role: Role, takes: Sequence[str], chosen: int, thoughts: Sequence[str] = ()) -> None:
        """Add a turn with its takes; empty ones are left out, and the turn with them if it has no other."""
        parent, head = self.story.head, None
        if len(self.story.turns) + len(takes) > MOST_TURNS:
            raise AdvreplError(f"{self.source} has more than {MOST_TURNS:,} messages")
        for number, take in enumerate(takes):
            text = _HALVES.sub("\N{REPLACEMENT CHARACTER}", take.replace("\r\n", "\n")).strip()
            if not text:
                continue
            thought = _HALVES.sub("", thoughts[number]) if number < len(thoughts) else ""
            index = self.story.add(Turn(parent, role, text, thoughts=thought))
            head = index if number == chosen or head is None else head
        if head is not None:
            self.story.goto(head)

    def add_book(self, data: object, name: str) -> None:
        """Add lore, if there is any in it that can be read."""
        try:
            book, notes = parse_book(data, name)
        except AdvreplError as error:
            self.remarks.append(str(error))
            return
        if book.entries:
            self.books.append(book)
            self.remarks += notes

    def save(self, name: str) -> Save:
        """Return the story; `name`: what it is called where the chat has no title. Raises AdvreplError for none."""
        if not self.story.path:
            raise AdvreplError(f"{self.source} has no message with words in it")
        scenario = self.scenario or self._new_scenario(name)
        return Save(
            schema=SCHEMA,
            title=scenario.title,
            created=now(),
            updated="",
            model=ModelRef(),
            format="",
            sampling={},
            scenario=scenario,
            turns=self.story.turns,
            head=self.story.head,
            futures=dict(self.story.futures),
            books=tuple(self.books),
            rng_seed=name,
        )

    def _new_scenario(self, name: str) -> Scenario:
        you, narrator = (_name(each) for each in (self.you, self.narrator))
        title = self.title.strip()[:LONGEST_NAME] or (narrator if self.roleplay else "") or name
        first = self.story.turns[self.story.path[0]]
        greetings = [self.story.turns[take].text for take in self.story.siblings(self.story.path[0])]
        depth = min(max(self.note_depth, 1), DEEPEST - 1)
        default = Scenario(name="", title="", system="")
        scenario = Scenario(
            name=slug(narrator if self.roleplay and narrator else title),
            title=title,
            system=self.system if self.roleplay else self.system or ADVENTURE,
            start="",
            opening=first.text if first.role == "model" else "",
            options=0 if self.roleplay else default.options,
            narrator=narrator or default.narrator,
            roleplay=self.roleplay,
            greetings=tuple(greetings) if self.roleplay and first.role == "model" else (),
            you=you or default.you,
            memory=self.memory.strip(),
            injections={NOTE: Injection(self.note.strip(), depth)} if self.note.strip() else {},
        )
        return msgspec.structs.replace(scenario, you=default.you) if scenario.you == scenario.narrator else scenario


def _name(text: str) -> str:
    shown = " ".join("".join(char for char in text if char.isprintable()).split())
    return "" if shown in UNNAMED else shown[:LONGEST_NAME]


def speakers(lines: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Count how often each name speaks."""
    counts: dict[str, int] = {}
    for name, _ in lines:
        counts[name] = counts.get(name, 0) + 1
    return counts
