"""The /commands for what was written: how fast, and a copy of it."""

from collections.abc import Iterator, Sequence

from advrepl import AdvreplError
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.prompt import options as menu
from advrepl.terminal.aloud import last_reply
from advrepl.terminal.charts import spark
from advrepl.terminal.clipboard import Copied
from advrepl.terminal.columns import Table
from advrepl.terminal.commands.table import command
from advrepl.terminal.layout import ENDLESS, lay_out
from advrepl.terminal.past import costs


@command("stats")
def show_stats(game: Game, argument: str) -> Iterator[Event]:
    """Show how fast the replies of this session were, and how soon they began."""
    past = costs(game)
    if not past.replies:
        yield Note("no reply was written since the story was opened")
        return
    rows = [
        ("replies", "", f"{past.replies}, {past.ahead} of them begun before you asked"),
        ("tokens a second", spark(past.speeds), _range(past.speeds, "{:.0f}")),
        ("first word", spark(past.firsts), _range(past.firsts, "{:.2f} s")),
        ("tokens", "", f"{past.written:,} written, {past.read:,} read"),
    ]
    words = lay_out([(name, told) for name, _, told in rows], ENDLESS)
    yield Table(words, tuple((name, f"{bars}  {told}".strip()) for name, bars, told in rows))


def _range(values: Sequence[float], shape: str) -> str:
    if not values:
        return "not known: all were begun before you asked"
    if len(values) == 1:
        return shape.format(values[0])
    from statistics import median

    least, usual, most, last = map(shape.format, (min(values), median(values), max(values), values[-1]))
    return f"{least} to {most}, mostly {usual}, the last {last}"


@command("speak", "aloud")
def speak(game: Game, argument: str) -> Iterator[Event]:
    """Read the last reply aloud, as /say without a text does; any key silences it."""
    yield last_reply(game)


@command("copy", usage="[all]", arguments=lambda: {"all": "the whole story, as `advrepl saves show` has it"})
def copy(game: Game, argument: str) -> Iterator[Event]:
    """Copy the last reply to the clipboard; `all` copies the whole story."""
    if argument not in ("", "all"):
        raise AdvreplError(f"/copy takes nothing, or all, not {argument[:20]!r}")
    turns = game.story.path_turns()
    told = [menu.parted(turn.text, game.option_count)[0] for turn in turns if turn.role == "model"]
    if not told:
        raise AdvreplError("there is no reply to copy yet")
    if argument:
        lines = (
            f"> {turn.text}" if turn.role == "user" else menu.parted(turn.text, game.option_count)[0] for turn in turns
        )
        yield Copied.of("\n\n".join(lines), "the whole story")
    else:
        yield Copied.of(told[-1], "the last reply")
