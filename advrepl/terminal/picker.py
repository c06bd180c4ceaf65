"""Choose one of a list: arrow keys, filter as you type; a numbered list where the cursor cannot be moved.

Inline and gone when the choice is made. Knows nothing of what is chosen.
"""

import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.terminal import lent
from advrepl.terminal.interrupts import ask_line
from advrepl.terminal.text import clip, max_cells, one_line, wrap
from advrepl.terminal.theme import Capabilities, Theme

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

MOST_ROWS = 10  # of the list that are shown at a time
GAP = 2  # blanks before what is said of a choice
# The first that there is room for.
KEYS = ("arrows choose, letters filter, Enter takes it, Esc leaves", "arrows, letters, Enter; Esc leaves")


class Choice(Struct, frozen=True):
    """One line of the list."""

    name: str  # unique in the list
    about: str = ""


def matching(choices: Sequence[Choice], typed: str) -> list[Choice]:
    """Return the choices in which each word that was typed stands, those whose names begin with it first."""
    words = typed.casefold().split()
    found = [each for each in choices if all(word in f"{each.name} {each.about}".casefold() for word in words)]
    return sorted(found, key=lambda each: not each.name.casefold().startswith(typed.strip().casefold()))


class Picker:
    """What the player sees of the list, and where he stands in it. Pure; `pick` gives it keys and a screen."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self._choices = choices
        self.typed = ""
        self.place = 0

    @property
    def shown(self) -> list[Choice]:
        """Return the choices that fit what was typed."""
        return matching(self._choices, self.typed)

    @property
    def chosen(self) -> Choice | None:
        """Return the choice that Enter takes; None: nothing fits."""
        return self.shown[self.place] if self.shown else None

    def move(self, step: int) -> None:
        """Go up or down, round at the ends."""
        self.place = (self.place + step) % max(len(self.shown), 1)

    def filter(self, typed: str) -> None:
        """Take what has been typed so far."""
        self.typed, self.place = typed, 0

    def rows(self, width: int, height: int) -> "StyleAndTextTuples":
        """Return the list as styled lines, so many of it as fit around the chosen one."""
        shown, room = self.shown, max(min(MOST_ROWS, height), 1)
        first = min(max(self.place - room // 2, 0), max(len(shown) - room, 0))
        names = max((max_cells(one_line(each.name)) for each in self._choices), default=0)
        out: StyleAndTextTuples = []
        for at, each in enumerate(shown[first : first + room], first):
            mark = "❯ " if at == self.place else "  "
            name = one_line(each.name)
            name += " " * (names - max_cells(name) + GAP)
            line = clip(mark + name + one_line(each.about), width - 1)
            out.append(("class:chosen" if at == self.place else "", line + "\n"))
        if not shown:
            out.append(("class:hint", "  nothing fits: take back a letter\n"))
        more = f" · {len(shown) - room} more" if len(shown) > room else ""
        told = [f"  {keys}{more}" for keys in KEYS]
        out.append(("class:hint", next((each for each in told if max_cells(each) < width), clip(told[-1], width - 1))))
        return out


def pick(title: str, choices: Sequence[Choice], can: Capabilities, theme: Theme) -> Choice | None:
    """Let the player choose; None: he gave it up."""
    if not can.cursor:
        return _picked_by_number(title, choices, ask_line)
    return _picked_with_keys(title, choices, theme.prompts if can.style else {})


def _picked_by_number(title: str, choices: Sequence[Choice], ask: Callable[[str], str]) -> Choice | None:
    width = shutil.get_terminal_size().columns
    print(wrap(one_line(title), width))
    for number, each in enumerate(choices, 1):
        print(wrap(one_line(f"{number}. {each.name}: {each.about}" if each.about else f"{number}. {each.name}"), width))
    question = f"1 to {len(choices)}, or a part of a name; Enter leaves: "
    while True:
        try:
            answer = ask(question).strip()
        except EOFError:
            return None
        if not answer:
            return None
        try:
            return by_answer(answer, choices)
        except AdvreplError as error:
            print(one_line(str(error)))


def by_answer(answer: str, choices: Sequence[Choice]) -> Choice:
    """Return the choice of a number or of a part of its name; raises AdvreplError that says what there is."""
    if answer.isdecimal() and len(answer) < 4 and 0 < int(answer) <= len(choices):
        return choices[int(answer) - 1]
    found = matching(choices, answer)
    if len(found) == 1 or (found and found[0].name.casefold() == answer.casefold()):
        return found[0]
    meant = f"{len(found)} of them fit" if found else f"there are 1 to {len(choices)}"
    raise AdvreplError(f"{one_line(answer)[:40]}: {meant}")


def _picked_with_keys(title: str, choices: Sequence[Choice], looks: dict[str, str]) -> Choice | None:
    app = _application(title, Picker(choices), looks)
    try:
        return app.run(handle_sigint=False)
    except (EOFError, KeyboardInterrupt):
        return None


def _application(title: str, picker: Picker, looks: dict[str, str]) -> "Application[Choice | None]":
    from prompt_toolkit.application import Application, get_app
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, VSplit, Window
    from prompt_toolkit.styles import Style

    from advrepl.terminal import reports

    reports.understand()
    buffer = Buffer(multiline=False, on_text_changed=lambda typed: picker.filter(typed.text))

    def rows() -> "StyleAndTextTuples":
        size = get_app().output.get_size()
        return picker.rows(size.columns, size.rows - 3)

    heading = f"{title} "
    line = VSplit(
        [
            Window(FormattedTextControl([("class:title", heading)]), width=max_cells(heading), height=1),
            Window(BufferControl(buffer), height=1),
        ]
    )
    body = Window(FormattedTextControl(rows), dont_extend_height=True)
    return Application(
        Layout(HSplit([line, body])),
        key_bindings=_keys(picker),
        style=Style.from_dict(looks),
        erase_when_done=True,
    )


def _keys(picker: Picker) -> "KeyBindings":
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    for names, step in ((("up", "c-p"), -1), (("down", "c-n", "tab"), 1), (("pageup",), -5), (("pagedown",), 5)):
        for name in names:
            keys.add(name)(lambda _, step=step: picker.move(step))

    @keys.add("enter")
    def _take(event: "KeyPressEvent") -> None:
        if picker.chosen:
            event.app.exit(result=picker.chosen)

    keys.add("c-z")(lent.suspend)
    for name in ("escape", "c-c", "c-d"):
        keys.add(name, eager=True)(lambda event: event.app.exit(result=None))
    return keys
