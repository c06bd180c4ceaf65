"""A chat of another program as it was read, and the story that it becomes.

Does not know any file form; the other modules of this folder each know some.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct, field

from advrepl import AdvreplError, thinking
from advrepl.exchange.values import fields
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


class Chat(Struct):
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
    fault: str = ""  # why it cannot be taken, where a file holds others besides it

    def say(self, role: Role, text: str, thoughts: str = "") -> None:
        """Add a turn that has one take."""
        self.say_one_of(role, [text], 0, [thoughts])

    def say_one_of(self, role: Role, takes: Sequence[str], chosen: int, thoughts: Sequence[str] = ()) -> None:
        """Add a turn with its takes; empty ones are left out, and the turn with them if it has no other."""
        parent, head = self.story.head, None
        for number, take in enumerate(takes):
            index = self.add(parent, role, take, thoughts[number] if number < len(thoughts) else "")
            if index is not None and (number == chosen or head is None):
                head = index
        if head is not None:
            self.story.goto(head)

    def add(self, parent: int | None, role: Role, text: str, thoughts: str = "") -> int | None:
        """Add a turn behind another one and return its index; None, and nothing, if it has no words.

        Other programs keep the thoughts of a model with its reply, if they are not told its marks.
        """
        if len(self.story.turns) >= MOST_TURNS:
            raise AdvreplError(f"{self.source} has more than {MOST_TURNS:,} messages")
        if role == "model":
            own, text = thinking.parted(text)
            thoughts = thoughts or own
        said = _HALVES.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n")).strip()
        return self.story.add(Turn(parent, role, said, thoughts=_HALVES.sub("", thoughts))) if said else None

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
        """Return the story of a chat that has words; `name`: what it is called where the chat has no title."""
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


def several(items: Sequence[object], where: str, read: Callable[[Chat, dict[str, object]], None]) -> Iterator[Chat]:
    """Read each of the stories in one file; one that cannot be read says so, and the others go on."""
    for number, each in enumerate(items):
        chat = Chat(f"{where}[{number}]")
        try:
            read(chat, fields(each, chat.source))
        except AdvreplError as error:
            chat.fault = str(error)
        yield chat


def whole_ones(chats: Iterable[Chat]) -> list[Chat]:
    """Return those that have words, the first with a remark on each of the others; AdvreplError if none has."""
    found = list(chats)
    for chat in found:
        chat.fault = chat.fault or ("" if chat.story.path else f"{chat.source} has no message with words in it")
    whole, faults = [chat for chat in found if not chat.fault], [chat.fault for chat in found if chat.fault]
    if found and not whole:
        raise AdvreplError(faults[0])
    if whole:
        whole[0].remarks += [f"not taken: {fault}" for fault in faults]
    return whole


def speakers(lines: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Count how often each name speaks."""
    counts: dict[str, int] = {}
    for name, _ in lines:
        counts[name] = counts.get(name, 0) + 1
    return counts
