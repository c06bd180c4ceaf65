"""A story as a page to read: Markdown, HTML with its branches folded away, plain text."""

import re
from collections.abc import Callable, Iterator
from html import escape

from advrepl.exchange import epub, kobold, sillytavern
from advrepl.story.outline import Stretch, stretches
from advrepl.story.saves import Save
from advrepl.story.tree import Story, Turn

FIRST_WORDS = 60  # characters of a branch that is folded
# What makes a page of Markdown run, fetch or lead away: tags, pictures, links and what they are defined by. Emphasis,
# which models mean when they write it, stays.
ACTIVE = re.compile(r"\\|<(?=[a-zA-Z/!?])|(?<=!)\[|(?<=\])[(:\[]")
STYLE = (
    "body{max-width:42em;margin:2em auto;padding:0 1em;font:1.1em/1.5 Georgia,serif;color:#222;background:#fdfcf8}"
    "p{white-space:pre-wrap}p.user{color:#246;font-style:italic;border-left:3px solid #9ab;padding-left:.7em}"
    "details{margin:.5em 0;padding-left:.8em;border-left:1px dotted #999}summary{color:#777;cursor:pointer}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}p.user{color:#9bd}}"
)


def text(save: Save) -> str:
    """Return the path that is read as lines that begin with a name."""
    return "\n\n".join(f"{_speaker(save, turn)}: {turn.text}" for turn in _path(save)) + "\n"


def markdown(save: Save) -> str:
    """Return the path that is read, the player's words as quotations; no turn is HTML or a link."""
    parts = [f"# {ACTIVE.sub(_inert, ' '.join(save.title.split()))}"]
    for turn in _path(save):
        told = ACTIVE.sub(_inert, turn.text)
        parts.append("\n".join(f"> {line}" for line in told.split("\n")) if turn.role == "user" else told)
    return "\n\n".join(parts) + "\n"


def _inert(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def html(save: Save) -> str:
    """Return all of a story as one page that needs nothing else; what is not read is folded away where it parts."""
    title = escape(save.title)
    head = f'<!doctype html>\n<html><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>'
    return f"{head}\n<body>\n<h1>{title}</h1>\n" + "\n".join(_folded(save)) + "\n</body></html>\n"


def _path(save: Save) -> list[Turn]:
    return Story(save.turns, save.head).path_turns()


def _speaker(save: Save, turn: Turn) -> str:
    return save.scenario.you if turn.role == "user" else save.scenario.narrator


def _folded(save: Save) -> Iterator[str]:
    story = Story(save.turns, save.head, save.futures)
    opened: list[Stretch] = []  # those that the next one may stand in, or go on from
    for each in stretches(story):
        parent = story.turns[each.first].parent
        while opened and (
            opened[-1].depth > each.depth or (opened[-1].depth == each.depth != 0 and opened[-1].last != parent)
        ):
            yield "</details>"
            opened.pop()
        if opened and opened[-1].depth == each.depth:
            opened[-1] = each  # it goes on
        else:
            if each.depth:
                yield f"<details><summary>another way: {escape(story.turns[each.first].text[:FIRST_WORDS])}…</summary>"
            if each.depth or not opened:
                opened.append(each)
        yield from _paragraphs(story, each)
    yield from ("</details>" for each in opened if each.depth)


def _paragraphs(story: Story, stretch: Stretch) -> Iterator[str]:
    index: int | None = stretch.first
    for _ in range(stretch.count):
        assert index is not None
        turn = story.turns[index]
        yield f'<p class="{turn.role}">{escape(turn.text)}</p>'
        index = next(iter(story.children(index)), None)


FORMS: dict[str, tuple[str, Callable[[Save], str | bytes]]] = {
    "sillytavern": (".jsonl", sillytavern.write),
    "kobold": (".json", kobold.write),
    "markdown": (".md", markdown),
    "html": (".html", html),
    "text": (".txt", text),
    "epub": (".epub", epub.write),
}
