"""What the Tab key offers, and what is offered while a command is typed."""

from collections.abc import Callable, Iterable, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from advrepl.terminal.commands import COMMANDS
from advrepl.terminal.text import one_line


class Completions(Completer):
    """Commands as they are typed; options where Tab asks for them and one of their words was begun."""

    def __init__(self, offered: Callable[[], Sequence[str]]) -> None:
        self._offered = offered

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Return what may stand at the cursor."""
        text = document.text_before_cursor
        command, blank, begun = text.partition(" ")
        if blank and (entry := COMMANDS.get(command.removeprefix("/"))):
            return _matching(entry.arguments(), begun.lstrip())
        if text.startswith("/"):
            return _matching({f"/{entry.name}": entry.help for entry in COMMANDS.values()}, text)
        if complete_event.completion_requested:
            return [Completion(option, -len(text)) for option in self._offered() if _begins(option, text)]
        return []


def _matching(known: dict[str, str], begun: str) -> list[Completion]:
    return [
        Completion(name, -len(begun), display=one_line(name), display_meta=one_line(meaning))
        for name, meaning in known.items()
        if name.startswith(begun) and name != begun
    ]


def _begins(option: str, text: str) -> bool:
    """Does the text begin the option, or one of its words?"""
    text = text.strip().casefold()
    return option.casefold().startswith(text) or any(word.startswith(text) for word in option.casefold().split())
