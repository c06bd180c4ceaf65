"""The /commands for what was written: how fast, and a copy of it."""

from collections.abc import Iterator
from statistics import median

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
    if not past:
        yield Note("no reply was written since the story was opened")
        return
    speeds = [each["generated"] / each["seconds"] for each in past if each["seconds"] and not each["ahead"]]
    firsts = [each["first_ms"] / 1000 for each in past]
    read = sum(each["prompt"] - each["reused"] for each in past)
    rows = [
        ("replies", "", f"{len(past)}, {sum(each['ahead'] for each in past)} of them begun before you asked"),
        ("tokens a second", spark(speeds), _range(speeds, "{:.0f}")),
        ("first word", spark(firsts), _range(firsts, "{:.2f} s")),
        ("tokens", "", f"{sum(each['generated'] for each in past):,} written, {read:,} read"),
    ]
    words = lay_out([(name, told) for name, _, told in rows], ENDLESS)
    yield Table(words, tuple((name, f"{bars}  {told}".strip()) for name, bars, told in rows))


def _range(values: list[float], shape: str) -> str:
    if not values:
        return "not known: all were begun before you asked"
    if len(values) == 1:
        return shape.format(values[0])
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
