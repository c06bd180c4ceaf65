"""The /commands that change the scenario: who plays, and what the model is told besides the story."""

from collections.abc import Iterator
from pathlib import Path

from advrepl import AdvreplError
from advrepl.lore.books import load_book
from advrepl.play import moves
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.play.thoughts import read_thinking
from advrepl.prompt.formats import LENGTHS
from advrepl.prompt.window import blocks_from
from advrepl.story.injections import LORE, NOTE, NOTE_DEPTH
from advrepl.story.roleplay import DEEPEST, player
from advrepl.story.saves import with_scenario
from advrepl.terminal.commands.table import command, whole_number
from advrepl.terminal.text import one_line

OFF = ("off", "none", "clear")
SHOWN = 60  # characters of a greeting in the list


@command("length", usage="[short | medium | long]")
def length(game: Game, argument: str) -> Iterator[Event]:
    """Show or change how long the replies are."""
    if argument:
        wanted = [name for name in LENGTHS if name.startswith(argument.casefold())]
        if len(wanted) != 1:
            raise AdvreplError(f"/length is {', '.join(LENGTHS)}, not {argument[:20]!r}")
        game.change(with_scenario(game.state.save, length=wanted[0]))
    yield Note(f"replies are {game.scenario.length}")


@command("think", usage="[off | on | TOKENS]")
def think(game: Game, argument: str) -> Iterator[Event]:
    """Show what the model thought before its last reply, or how long it may think before one."""
    if argument:
        wanted = None if argument == "on" else read_thinking(argument)
        game.change(with_scenario(game.state.save, think=wanted))
        limit = game.scenario.think
        yield Note(
            "thinking is on" if limit is None else f"up to {limit} tokens of thinking" if limit else "no thinking"
        )
        return
    last = game.story.last
    yield Note(last.thoughts if last and last.thoughts else "there were no thoughts before the last reply")


@command("you", usage="[NAME[: WHO YOU ARE]]")
def you(game: Game, argument: str) -> Iterator[Event]:
    """Show or change your name and who you are in the story."""
    if argument:
        game.set_player(*player(argument))
    scenario = game.scenario
    yield Note(f"you are {scenario.you}: {scenario.persona}" if scenario.persona else f"you are {scenario.you}")


@command("greeting", usage="[N]")
def greeting(game: Game, argument: str) -> Iterator[Event]:
    """Show the character's greetings, or begin with the Nth."""
    greetings = game.scenario.greetings
    if argument:
        if (number := whole_number(argument)) is None:
            raise AdvreplError(f"/greeting takes the number of a greeting, not {argument[:20]!r}")
        yield from moves.greet(game, number)
        return
    if not greetings:
        raise AdvreplError("nobody greets in this story: greetings come with character cards")
    lines = [one_line(text) for text in greetings]
    yield Note("\n".join(f"{n}. {line[:SHOWN]}{'…' * (len(line) > SHOWN)}" for n, line in enumerate(lines, 1)))


@command("note", usage="[[DEPTH] TEXT | off]")
def note(game: Game, argument: str) -> Iterator[Event]:
    """Remind the model of TEXT again and again: always among the last DEPTH turns."""
    if argument:
        depth, text = _depth(argument)
        if not text:
            raise AdvreplError(f"/note {argument} has no text: write it behind the number, or /note off")
        game.change(game.context.with_note(game.state.save, "" if text in OFF else text, depth))
    injection = game.scenario.injections.get(NOTE)
    yield Note(f"the note, every {injection.depth} turns: {injection.text}" if injection else "there is no note")


@command("memory", usage="[TEXT | off]")
def memory(game: Game, argument: str) -> Iterator[Event]:
    """Show or change what the model must never forget; a change of it makes the model read everything again."""
    if argument:
        game.change(game.context.with_memory(game.state.save, "" if argument in OFF else argument))
    yield Note(f"never forgotten: {game.scenario.memory}" if game.scenario.memory else "there is no memory")


@command("lore", usage="[FILE]")
def lore(game: Game, argument: str) -> Iterator[Event]:
    """Show which lore the model was told of, or add a lorebook or world info file."""
    if argument:
        book, notes = load_book(Path(argument).expanduser())
        game.change(game.context.with_book(game.state.save, book))
        yield from map(Note, notes)
    yield Note("\n".join([f"entries of lore: {len(game.context.lore(game.state.save).entries)}", *_lore_seen(game)]))


def _lore_seen(game: Game) -> tuple[str, ...]:
    """What always applies, then what stands in the part of the story that the model sees, the newest last."""
    turns, _ = blocks_from(game.scenario, game.story, game.window().evicted)
    texts = [text for turn in turns for source, text in turn.injections.items() if source.startswith(LORE)]
    return (*filter(None, [game.scenario.lore]), *dict.fromkeys(texts))


def _depth(argument: str) -> tuple[int, str]:
    """An author's note may begin with its depth."""
    first, _, rest = argument.partition(" ")
    if (depth := whole_number(first)) is None:
        return NOTE_DEPTH, argument
    if not 0 < depth < DEEPEST:
        raise AdvreplError(f"the depth of a note is 1 to {DEEPEST - 1} turns, not {first}")
    return depth, rest.strip()
