"""Rich's console, on which text from files, models and servers is shown and never obeyed.

What rich prints, tables, titles, bars and what it is doing, comes through here; plain lines go through flags.say.
"""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from advrepl.terminal.text import visible


class Shown(Console):
    """A console that makes all text visible, after rich has made lines and cells of it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments; only those by which rich itself moves the cursor stay as they are."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)
