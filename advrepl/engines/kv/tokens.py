"""The tokens of segments, remembered; and a reply keeps the tokens that it was sampled as.

Does not tokenise (a vocabulary does) and does not know a cache.
"""

from collections.abc import Callable

from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.reuse import match_sampled
from advrepl.prompt.segments import Segment

REMEMBERED = 4096  # segments

Encode = Callable[[Segment, bool], tuple[int, ...]]  # a segment, and whether it is the first of a prompt


class Memo:
    """Segments to tokens, for one line of windows."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._tokens: dict[tuple[Segment, bool], tuple[int, ...]] = {}
        self._cue = Segment("", "")  # what the last reply followed, and the pieces it was sampled as
        self.sampled: list[tuple[int, bytes]] = []
        self.spelled: dict[bytes, tuple[int, ...]] = {}  # as a cache file has the tokens of segments, by name

    def copy(self) -> "Memo":
        other = Memo(self._encode)
        other._tokens, other.spelled = dict(self._tokens), self.spelled
        other._cue, other.sampled = self._cue, list(self.sampled)
        return other

    def begin(self, cue: Segment) -> None:
        """A reply begins, behind this segment."""
        self._cue, self.sampled = cue, []

    def tokens(self, segment: Segment, first: bool = False) -> tuple[int, ...]:
        tokens = self._tokens.pop((segment, first), None)
        if tokens is None:
            tokens = self._as_sampled(segment) or self._as_kept(segment, first) or self._encode(segment, first)
            if len(self._tokens) >= REMEMBERED:
                del self._tokens[next(iter(self._tokens))]
        self._tokens[segment, first] = tokens  # now the youngest
        return tokens

    def _as_kept(self, segment: Segment, first: bool) -> tuple[int, ...] | None:
        return self.spelled.get(kv_file.name((segment,), first)) if self.spelled else None

    def _as_sampled(self, segment: Segment) -> tuple[int, ...] | None:
        """The tokens that the model chose, if this segment is what it just wrote: they are in the cache already."""
        cue, sampled = self._cue, self.sampled
        if not sampled or segment.mark != cue.mark or not segment.text.startswith(cue.text):
            return None
        text = segment.text[len(cue.text) :].encode()
        count, covered = match_sampled(text, [piece for _, piece in sampled], fresh=not cue.text)
        if not count:
            return None
        rest = self._encode(Segment("", text[covered:].decode()), False)
        return (*self.tokens(cue), *(token for token, _ in sampled[:count]), *rest)
