"""The /commands for what the model keeps in mind of turns that it no longer sees."""

from collections.abc import Iterator

import msgspec

from advrepl import AdvreplError
from advrepl.play import memory
from advrepl.play.events import Draft, Event, Note
from advrepl.play.game import Game
from advrepl.story import quotes, summaries
from advrepl.story.quotes import Quote
from advrepl.story.summaries import Summary
from advrepl.terminal.columns import Table
from advrepl.terminal.commands.table import command, whole_number
from advrepl.terminal.text import one_line


@command("recap", usage="[on | off | write | edit TEXT | drop]")
def recap(game: Game, argument: str) -> Iterator[Event]:
    """Show what is kept of turns out of sight: lines that the model may choose, or its own summary."""
    word, _, text = argument.partition(" ")
    if word in ("write", "edit", "drop"):
        yield from _summarized(game, word, text.strip())
        return
    if argument not in ("", "on", "off"):
        raise AdvreplError(f"/recap is on, off, write, edit or drop, not {argument[:20]!r}")
    if argument:
        with game.changing():
            game.state.replace(recap=argument == "on")
    lines, story = _lines(game), game.story
    rows = [
        (f"{number}{'*' if line.pinned else ' '} turn {line.turn + 1}", one_line(quotes.text(line, story)))
        for number, line in enumerate(lines, 1)
    ]
    if rows:
        yield Table.of(rows)
    if summary := summaries.newest(game.state.save.summaries, story):
        yield Note(_signed(summary))
    chosen = "a sentence of each turn that slides out is chosen while you read" if game.state.save.recap else "off"
    yield Note(f"recap: {chosen}; {len(lines)} lines of this branch, /pin TEXT keeps one, /forget N drops one")


def _summarized(game: Game, word: str, text: str) -> Iterator[Event]:
    """Write a summary, change its words, or drop it, from the last turn on: before that it stays as it was."""
    head, before = game.story.head, summaries.newest(game.state.save.summaries, game.story)
    if head is None:
        raise AdvreplError("nothing has been said yet")
    if word == "write":
        if game.prefetcher:
            game.prefetcher.drop()
        new = Summary(head, memory.summary(game))
    elif word == "edit" and not text:
        said = one_line(before.text) if before else ""
        yield Draft(f"{said or 'there is no summary yet'}\n/recap edit TEXT changes it", f"/recap edit {said}")
        return
    elif word == "drop" and not before:
        raise AdvreplError("there is no summary: /recap write lets the model write one")
    else:
        new = Summary(head, text if word == "edit" else "", edited=True)
    game.change(msgspec.structs.replace(game.state.save, summaries=summaries.added(game.state.save.summaries, new)))
    yield Note(_signed(new) if new.text else "the summary is dropped from here on")


def _signed(summary: Summary) -> str:
    whose = "as you changed it" if summary.edited else "in the model's own words, which may be wrong"
    return f"summary up to turn {summary.turn + 1}, {whose}; /recap edit and /recap drop change it:\n{summary.text}"


@command("pin", usage="TEXT")
def pin(game: Game, argument: str) -> Iterator[Event]:
    """Keep a sentence of the story in mind for good, in its own words."""
    if not argument:
        raise AdvreplError("/pin takes words of the story: the sentence around them is kept")
    quote = memory.pin(game.state, argument)
    game.save()
    yield Note(f"kept in mind: {one_line(quotes.text(quote, game.story))}")


@command("forget", usage="N")
def forget(game: Game, argument: str) -> Iterator[Event]:
    """Drop a line that is kept in mind, by its number in /recap."""
    lines, number = _lines(game), whole_number(argument)
    if not number or number > len(lines):
        raise AdvreplError(f"/forget takes the number of a line, 1 to {len(lines)}" if lines else "nothing is kept")
    line = lines[number - 1]
    said = one_line(quotes.text(line, game.story))
    memory.forget(game.state, line)
    game.save()
    yield Note(f"no longer kept in mind: {said}")


def _lines(game: Game) -> list[Quote]:
    return quotes.on_path(game.state.save.quotes, game.story)
