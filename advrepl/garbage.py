"""When Python looks for rings of garbage: not while the program starts, and often, among what is new, in play.

At a terminal each key leaves 200 objects of them. To look through all that the start has made, too, stops the keys for
longer than a player should notice.
"""

import gc
import sys
from itertools import count

AT_START = 200_000  # new objects until they are looked for; a story that is at its first line has made 140,000
IN_PLAY = 2_000  # about ten keys' rings, a millisecond's work
LINES = 10  # of the player, until Python and the GNU C library are asked for what they keep and do not need
_lines = count(1)


def at_start() -> None:
    """Let the program start; commands that compute leave few rings."""
    gc.set_threshold(AT_START)


def in_play() -> None:
    """Keep what is there at the player's first line out of it, and memory small; to be called for each line."""
    if gc.get_threshold()[0] == AT_START:
        gc.freeze()
        gc.set_threshold(IN_PLAY)
    if next(_lines) % LINES == 0:
        gc.collect()  # under a millisecond; it gives back the tuples that Python keeps for later, too
        if sys.platform == "linux":
            import ctypes

            getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
