"""What is kept of a story on a server beside its save: as which tokens its replies were sampled.

A text alone may be split into others, and from there on the server would read the story again, and could move nothing.
Keys and values are the server's own, so that the file (kv/file.py) has no cells.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from advrepl.engines.kv.computed import Run
from advrepl.engines.kv.file import KvKey, KvSnapshot, StoredPiece, WindowShape
from advrepl.engines.kv.tails import Tails
from advrepl.engines.kv.tokens import TokenCache
from advrepl.prompt.segments import Window

if TYPE_CHECKING:
    from advrepl.engines.remote.engine import Known

NO_CELLS = memoryview(b"")
NO_SHAPE = WindowShape(b"", (), 0)


class KeptTokens:
    """Be a base.KvPersistent whose cache is elsewhere."""

    fingerprint: str
    known: "Known"
    token_cache: TokenCache
    parts, window = False, 0

    def __init__(self) -> None:
        self.tails = Tails()  # of which there are none

    @property
    def key(self) -> KvKey:
        """Return what the tokens are good for: this model, as this kind of server calls it."""
        return KvKey(self.fingerprint, "tokens alone", "")

    def snapshot(self, window: Window) -> KvSnapshot | None:
        """Return the tokens of a window; None: the server was sent none."""
        if not (last := self.known.last) or not last.ids:
            return None
        return KvSnapshot(self.key, [*last.ids], self.token_cache.stores(window.segments), NO_SHAPE, None)

    def restore(self, snapshot: KvSnapshot, _: memoryview) -> bool:
        """Let texts be the tokens that they were."""
        self.token_cache.stored = snapshot.segments
        return True

    def state_size(self) -> int:
        """Return how many bytes of keys and values there are here."""
        return 0

    def copy_state(self, _: KvSnapshot, __: Callable[[int], memoryview]) -> memoryview:
        """Copy nothing."""
        return NO_CELLS

    def front(self, _: int) -> None:
        """Have nothing that another story could use."""

    def copy_front(self, _: KvSnapshot, __: Callable[[int], memoryview]) -> None:
        """Copy nothing."""

    def computed(self) -> tuple[Run, ...]:
        """Have no cells."""
        return ()

    def copy_part(self, *_: Any) -> None:
        """Copy nothing."""

    def restore_parts(self, *_: Any) -> Sequence[StoredPiece]:
        """Take nothing back."""
        return ()
