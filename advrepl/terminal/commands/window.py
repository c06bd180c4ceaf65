"""The /commands that show what the model is given, and what that costs."""

from collections.abc import Iterator

from advrepl.engines.base import Caching, OnServer
from advrepl.play.events import Event, Verbatim
from advrepl.play.game import Game
from advrepl.prompt.segments import Segment
from advrepl.prompt.window import blocks_from
from advrepl.story.injections import shown
from advrepl.terminal.charts import Bar
from advrepl.terminal.columns import Table
from advrepl.terminal.commands.table import command


@command("context", "ctx")
def show_context(game: Game, argument: str) -> Iterator[Event]:
    """Show what the model sees of the story, and what the last reply cost."""
    yield _bar(game)
    rows = {**_seen(game), **_cache(game), **_last_reply(game)}
    yield Table.of(rows.items())


@command("raw")
def show_prompt(game: Game, argument: str) -> Iterator[Event]:
    """Show the exact text that the model is given."""
    yield Verbatim(str(game.window().prompt))


def speed(game: Game) -> float:
    """Return the last reply's tokens a second, from the player's line to its end.

    0 before there was one, or if it was begun before that line.
    """
    stats = game.last.stats if game.last else {"generated": 0, "seconds": 0, "ahead": False}
    return float(stats["generated"] / stats["seconds"]) if stats["seconds"] and not stats["ahead"] else 0.0


def _bar(game: Game) -> Bar:
    """The context as a bar: what is in it, and how much is kept free."""
    window, scenario = game.window(), game.scenario
    head = sum(map(game.engine.count, window.prompt.head))
    memory = game.engine.count(Segment("", scenario.memory)) if scenario.memory else 0
    turns, _ = blocks_from(scenario, game.story, window.evicted)
    told = [text for turn in turns for _, text in shown(scenario, turn)]
    lore = sum(game.engine.count(Segment("", text)) for text in told)
    parts = [
        ("head", head - memory),
        ("memory", memory),
        ("lore, notes", lore),
        ("turns", window.used - head - lore),
        ("room for the reply", game.engine.n_ctx - window.budget),
    ]
    return Bar.of(parts, game.engine.n_ctx)


def _seen(game: Game) -> dict[str, str]:
    """What the model sees of the story, and the tokens that it takes."""
    window = game.window()
    system = sum(game.engine.sizes(window.segments)[: len(window.prompt.head)])
    turns, dialogues = blocks_from(game.scenario, game.story, window.evicted)
    rows = {
        "system text": f"{system} tokens, always seen",
        "turns seen": f"{len(turns)}",
        "no longer seen": f"{len(game.story) - len(turns)}",
    }
    if game.scenario.dialogues:
        rows["examples seen"] = f"{len(dialogues)} of {len(game.scenario.dialogues)}"
    if injected := [len(texts) for turn in turns if (texts := shown(game.scenario, turn))]:
        rows["notes, lore"] = f"{sum(injected)}, before {len(injected)} of these turns"
    return rows | {
        "tokens used": f"{window.used} of {window.budget}",
        "context": f"{game.engine.n_ctx} tokens, {game.engine.n_ctx - window.budget} of them kept free for the reply",
    }


def _cache(game: Game) -> dict[str, str]:
    """What the engine has kept of the text that it has read."""
    times = "once" if game.read_in_full == 1 else f"{game.read_in_full} times"
    server = game.engine.described() if isinstance(game.engine, OnServer) else {}
    cache = "shifted: it has traces of turns that are gone" if game.engine.shifted else "fresh"
    if isinstance(game.engine, Caching) and not game.engine.can_shift:
        cache += "; what stays is read again when turns slide out"
    return server | {
        "cache": cache,
        "whole prompt": f"read {times} since the story was opened",
    }


def _last_reply(game: Game) -> dict[str, str]:
    """What the last reply cost; nothing if the model has written none yet."""
    if not game.last or not (stats := game.last.stats)["generated"]:
        return {}
    prompt = f"{stats['prompt']} tokens: {stats['reused']} reused, {stats['prompt'] - stats['reused']} read"
    if stats["shifted"]:
        prompt += f"; {stats['shifted']} of the reused ones were moved"
    # Each of the prompt and of the reply once, but the reply's last token; the list of options has marks of its own.
    again = stats["decoded"] - stats["aside"] - (stats["prompt"] - stats["reused"]) - stats["generated"]
    if again > stats["generated"] // 4:
        thought = bool(game.story.turns and game.story.turns[game.story.head or 0].thoughts)
        prompt += f"; {again} more for {'thoughts and ' if thought else 'the '}options"
    pace = "begun before you asked" if stats["ahead"] else f"{speed(game):.1f} a second"
    return {
        "last prompt": prompt,
        "last reply": f"{stats['generated']} tokens in {stats['seconds']:.1f} s, {pace}",
        "first words": f"after {stats['first_ms'] / 1000:.2f} s",
    } | ({"while you read": f"{stats['aside']} tokens read and written"} if stats["aside"] else {})
