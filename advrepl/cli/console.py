"""Rich's console, on which text from files, models and servers is shown and never obeyed.

What rich prints, tables, titles, bars and what it is doing, comes through here; plain lines go through flags.say.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from advrepl.terminal.text import one_line, visible

Report = Callable[[str, float, float], None]  # what is being done, how much of it is done, of how much
LABEL = 28  # characters of that beside its bar


class Shown(Console):
    """A console that makes all text visible, after rich has made lines and cells of it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments; only those by which rich itself moves the cursor stay as they are."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


@contextmanager
def bars() -> Iterator[Callable[[str], Report]]:
    """Open progress bars on stderr, one for each step; they stay silent where stderr is no terminal."""
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Shown(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(
        *columns,
        TimeRemainingColumn(),
        TextColumn("{task.fields[item]}"),
        console=console,
        disable=not console.is_terminal,
    ) as shown:

        def step(title: str) -> Report:
            task = shown.add_task(title, total=None, item="")

            def report(label: str, done: float, total: float) -> None:
                item = label if len(label) <= LABEL else "…" + label[-LABEL + 1 :]
                shown.update(task, completed=done, total=total, item=escape(one_line(item)))

            return report

        yield step
