"""What there is to show of a story where it stands: its opening, or the last reply and how to go on behind it.

Shows nothing itself (repl.py).
"""

from collections.abc import Iterator, Sequence

from advrepl import scripts
from advrepl.play.events import Event, Reply
from advrepl.play.loading import Loading
from advrepl.play.reply import Piece
from advrepl.play.state import Told
from advrepl.play.writer import without_sign
from advrepl.prompt import options as menu
from advrepl.story.tree import Turn
from advrepl.terminal.words import CUT, STOPPED, words


def written_opening(loading: Loading) -> Iterator[Event]:
    """Return the events of a new story's opening, as its game will tell it."""
    last = loading.story.last
    told = menu.parted(last.text if last else "", loading.option_count)[0]
    yield Piece(told)
    yield Reply(told, loading.options(), {})


def how_to_read_on(told: Told) -> str:
    """Return what to do about a last reply that was broken off; empty: it is whole."""
    last = told.story.last
    if not last or last.role != "model" or last.stop not in ("length", "interrupted"):
        return ""
    prose = menu.parted(last.text, told.option_count)[0]
    if last.stop == "interrupted":
        return words(STOPPED)
    return "" if scripts.ends_sentence(without_sign(prose)) else words(CUT)


def last_exchange(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Return the last reply with the line that it answers, or with the lines behind it that have no reply."""
    last = max((place for place, turn in enumerate(turns) if turn.role == "model"), default=0)
    is_answer = last == len(turns) - 1
    return turns[max(last - is_answer, 0) :]
