"""The tokens of segments, remembered; and a reply keeps the tokens that it was sampled as.

Does not tokenize (a vocabulary does) and does not know a KV cache.
"""

from collections.abc import Callable

from advrepl.engines.kv.file import segments_digest
from advrepl.engines.kv.reuse import match_sampled
from advrepl.prompt.segments import Segment

REMEMBERED = 4096  # segments

Encode = Callable[[Segment, bool], tuple[int, ...]]  # a segment, and whether it is the first of a prompt


class TokenCache:
    """Remember which tokens segments are, for one sequence that is followed from window to window."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._tokens: dict[tuple[Segment, bool], tuple[int, ...]] = {}
        self._cue = Segment("", "")  # what the last reply followed
        # What the last reply was sampled as: tokens and the bytes they spell, in order. The generation loop appends.
        self.sampled: list[tuple[int, bytes]] = []
        self.stored: dict[bytes, tuple[int, ...]] = {}  # tokens of segments by their digest, out of a cache file

    def copy(self) -> "TokenCache":
        """Return one that goes its own way from here."""
        other = TokenCache(self._encode)
        other._tokens, other.stored = dict(self._tokens), self.stored
        other._cue, other.sampled = self._cue, list(self.sampled)
        return other

    def begin(self, cue: Segment) -> None:
        """Note that a reply begins behind this segment; `sampled` is empty then."""
        self._cue, self.sampled = cue, []

    def tokens(self, segment: Segment, first: bool = False) -> tuple[int, ...]:
        """Return a segment's tokens; `first`: it stands at the beginning of a prompt."""
        tokens = self._tokens.pop((segment, first), None)
        if tokens is None:
            tokens = self._as_sampled(segment) or self._as_stored(segment, first) or self._encode(segment, first)
            if len(self._tokens) >= REMEMBERED:
                del self._tokens[next(iter(self._tokens))]
        self._tokens[segment, first] = tokens  # now the youngest
        return tokens

    def _as_stored(self, segment: Segment, first: bool) -> tuple[int, ...] | None:
        return self.stored.get(segments_digest((segment,), first)) if self.stored else None

    def _as_sampled(self, segment: Segment) -> tuple[int, ...] | None:
        """Return the tokens that the model chose, if this segment is what it just wrote: they are cached already."""
        cue, sampled = self._cue, self.sampled
        if not sampled or segment.mark != cue.mark or not segment.text.startswith(cue.text):
            return None
        text = segment.text[len(cue.text) :].encode()
        count, covered = match_sampled(text, [piece for _, piece in sampled], fresh=not cue.text)
        if not count:
            return None
        rest = self._encode(Segment("", text[covered:].decode()), False)
        return (*self.tokens(cue), *(token for token, _ in sampled[:count]), *rest)
